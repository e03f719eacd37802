"""Frames of a camera against their definition: a linear network, answers that hang by a thread, and sure ones."""

import numpy as np
import pytest
import torch
from torch import nn

from audit.errors import Unavailable
from audit.events import Silence
from audit.records import Table
from audit.trials.flicker import FRAMES, READ, SHOT, deepest, flicker, frames, relative_spread, steadiness
from tests.trials.nets import Pictures, Strongest, colours, model

SIDES = (3, 6, 6)


def shown(network: nn.Module, images: Pictures, layers=(), batch: int = 24, seed: int = 5, **numbers) -> Table:
    return flicker(model(network, SIDES, **numbers), images, layers, Silence(), batch, seed)


def of(table: Table, layer: str, column: str, kind: str = "activations"):
    here = (table.columns["layer"] == layer) & (table.columns["of"] == kind)
    return table.columns[column][here].tolist()[0]


def linear() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(108, 4, bias=False)).requires_grad_(False)


def gray(count: int) -> Pictures:
    return Pictures(tuple(np.full((6, 6, 3), 128, np.uint8) for _ in range(count)))


def test_a_linear_network_flickers_as_loops_say():
    images, network = colours(21), linear()
    table = shown(network, images, ["1"], mean=0.25, std=0.5)
    weights = network[1].weight.double().numpy()
    moves, shares, changes, deviations = [], [], [], []
    for index in range(21):
        pixels = np.asarray(images.picture(index), dtype=np.float64).transpose(2, 0, 1) / 255
        drawn = np.random.default_rng([5, index]).standard_normal((FRAMES, 3, 6, 6), dtype=np.float32)
        outputs = []
        for frame in drawn:
            seen = np.clip(pixels + np.sqrt(0.0004 * pixels + 0.0001) * frame, 0, 1)
            outputs.append(weights @ ((np.round(seen * 255) / 255 - 0.25) / 0.5).ravel())
        likely = [np.exp(row) / np.exp(row).sum() for row in outputs]
        for found, rows in ((moves, outputs), (shares, likely)):
            mean = sum(rows) / FRAMES
            squares = [float(((row - mean) ** 2).sum()) for row in rows]
            found.append(np.sqrt(sum(squares) / FRAMES) / np.linalg.norm(mean))
        answers = [int(row.argmax()) for row in outputs]
        changes.append(sum(a != b for a, b in zip(answers[1:], answers[:-1], strict=True)) / (FRAMES - 1))
        usual = int((sum(likely) / FRAMES).argmax())
        deviations.append(float(np.std([row[usual] for row in likely])))
    for kind, values in (("activations", moves), ("probabilities", shares)):
        ordered = sorted(values)
        for column, rank in (("low", 5), ("flicker", 10), ("high", 15)):
            assert of(table, "1", column, kind) == pytest.approx(ordered[rank], rel=1e-3)
    assert of(table, "1", "changes", "probabilities") == pytest.approx(np.mean(changes), abs=1e-6)
    assert of(table, "1", "unsteady", "probabilities") == pytest.approx(np.mean([share > 0 for share in changes]))
    assert of(table, "1", "probability_std", "probabilities") == pytest.approx(np.mean(deviations), rel=1e-3)


def test_frames_have_the_noise_of_light_and_of_the_sensor():
    levels = torch.tensor([0.25, 0.5, 0.75])
    pixels = levels[:, None, None].expand(3, 60, 60)[None]
    made = frames(pixels, [4], seed=1)
    assert made.shape == (1, FRAMES, 3, 60, 60)
    assert torch.allclose(made * 255, (made * 255).round(), atol=1e-4)  # whole levels
    for channel, level in enumerate(levels.tolist()):
        values = made[0, :, channel].double()
        variance = SHOT**2 * level + READ**2 + 1 / 255**2 / 12
        assert float(values.mean()) == pytest.approx(level, abs=1e-3)
        assert float(values.var()) == pytest.approx(variance, rel=0.03)
    assert not torch.equal(made[0, 0], made[0, 1])
    ends = frames(torch.tensor([0.0, 1.0])[None, :, None, None].expand(1, 2, 30, 30), [0], seed=1)
    assert float(ends.min()) >= 0
    assert float(ends.max()) <= 1


def test_answers_that_hang_by_a_thread_flicker_and_sure_ones_do_not():
    thread, sure = (shown(Strongest(), images) for images in (gray(20), colours(20)))
    assert of(thread, "output", "changes", "probabilities") > 0.4
    assert of(thread, "output", "unsteady", "probabilities") == 1
    for column in ("changes", "unsteady"):
        assert of(sure, "output", column, "probabilities") == 0
    assert of(sure, "output", "probability_std", "probabilities") > 0
    assert np.isnan(of(sure, "output", "changes"))


def test_a_picture_gets_the_same_frames_in_every_batch_and_others_from_another_seed():
    images = colours(15)
    ways = ((1, 5), (200, 5), (24, 6))
    small, large, other = (shown(linear(), images, batch=batch, seed=seed) for batch, seed in ways)
    np.testing.assert_allclose(small.columns["flicker"], large.columns["flicker"], rtol=1e-5)
    assert (small.columns["flicker"] != other.columns["flicker"]).all()


def test_the_last_layer_that_is_activated_stands_beside_the_outputs_unasked():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(64, 3))
    made = model(network, SIDES)
    assert deepest(made.outline) == ["1"]
    table = shown(network, colours(4), ["0"])
    assert table.columns["layer"].tolist() == ["0", "1", "3", "3"]
    assert table.columns["of"].tolist() == ["activations"] * 3 + ["probabilities"]
    assert deepest(model(linear(), SIDES).outline) == []


def test_what_is_silent_stands_still_and_what_is_not_finite_is_not_known():
    silent = torch.zeros(2, 5, 3)
    silent[1, 2] = 1.0
    still, once = relative_spread(silent).tolist()
    assert still == 0
    assert once == pytest.approx(np.sqrt(0.2 * 0.8**2 + 0.8 * 0.2**2) / 0.2)
    assert torch.isnan(steadiness(torch.tensor([[[0.5, 0.5], [torch.nan, 0.5]]]))).all()
    network = linear()
    network[1].weight[0, 0] = torch.nan
    table = shown(network, colours(6))
    assert np.isnan(table.columns["flicker"]).all()
    assert np.isnan(of(table, "1", "changes", "probabilities"))


def test_what_cannot_be_shown_or_has_no_classes_is_unavailable():
    images = colours(10)
    table = shown(linear(), Pictures(images.every, damaged=frozenset({3, 4})))
    assert set(table.columns["pictures"].tolist()) == {8}
    with pytest.raises(Unavailable, match="are maps of"):
        shown(nn.Sequential(nn.Conv2d(3, 4, 3)), images)
