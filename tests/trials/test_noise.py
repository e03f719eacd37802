"""Noise against closed forms: what a linear network does with it is known."""

import numpy as np
import pytest
import torch
from torch import nn

from audit.checks.noise_sensitivity import SIGMAS as ASKED
from audit.errors import AuditError
from audit.events import Silence
from audit.records import Table
from audit.trials.noise import SIGMAS, noise, noisy, relative_change
from tests.trials.nets import Pictures, Strongest, colours, model

SIDES = (3, 6, 6)


def shown(network: nn.Module, images: Pictures, layers=(), batch: int = 20, seed: int = 5, **numbers) -> Table:
    return noise(model(network, SIDES, **numbers), images, layers, Silence(), batch, seed)


def of(table: Table, layer: str, column: str) -> list[float]:
    return table.columns[column][table.columns["layer"] == layer].tolist()


def linear(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(108, 4, bias=False))


def test_a_linear_network_moves_by_its_weights_times_the_noise():
    images, network = colours(21), linear()
    table = shown(network, images, ["1"], mean=0.25, std=0.5)
    weights = network[1].weight.double().numpy()
    for place, sigma in enumerate(SIGMAS):
        changes = []
        for index in range(21):
            pixels = np.asarray(images.picture(index), dtype=np.float64).transpose(2, 0, 1).ravel() / 255
            drawn = np.random.default_rng([5, index]).standard_normal((3, 6, 6), dtype=np.float32).ravel()
            clean = weights @ ((pixels - 0.25) / 0.5)
            changes.append(np.linalg.norm(weights @ (sigma * drawn / 0.5)) / np.linalg.norm(clean))
        ordered = sorted(changes)
        assert of(table, "1", "change")[place] == pytest.approx(ordered[10], rel=1e-4)
        assert of(table, "1", "low")[place] == pytest.approx(ordered[5], rel=1e-4)
        assert of(table, "1", "high")[place] == pytest.approx(ordered[15], rel=1e-4)


def test_without_noise_nothing_moves():
    columns = shown(linear(), colours(9), ["0", "1"]).columns
    quiet = columns["sigma"] == 0
    assert (columns["change"][quiet] == 0).all()
    assert columns["flips"][quiet].tolist()[-1] == 0
    assert columns["probability_std"][quiet].tolist()[-1] == 0
    assert (columns["change"][~quiet] > 0).all()


def test_a_picture_gets_the_same_noise_in_every_batch():
    pixels = torch.rand(4, 3, 6, 6)
    together = noisy(pixels, [2, 5, 9, 11], seed=3)
    assert torch.equal(noisy(pixels[1:2], [5], seed=3)[0], together[1])
    assert not torch.equal(noisy(pixels[1:2], [5], seed=4)[0], together[1])
    assert torch.equal(together[:, 0], pixels)
    small, large = (shown(linear(), colours(30), ["1"], batch=batch) for batch in (5, 150))
    np.testing.assert_allclose(small.columns["change"], large.columns["change"], rtol=1e-5)
    assert of(small, "1", "flips") == of(large, "1", "flips")


def test_labels_that_hang_by_a_thread_flip_and_sure_ones_do_not():
    gray = Pictures(tuple(np.full((6, 6, 3), 128, np.uint8) for _ in range(60)))
    flips = of(shown(Strongest(), gray), "output", "flips")
    assert 0.4 < flips[1] < 0.9  # two of three colours are stronger than the first
    assert set(of(shown(Strongest(), colours(60)), "output", "flips")) == {0.0}


def test_the_probability_of_the_clean_label_moves_as_it_is_defined():
    images = colours(12)
    table = shown(Strongest(), images)
    changes = []
    for index in range(12):
        pixels = torch.from_numpy(np.asarray(images.picture(index)).transpose(2, 0, 1).copy())[None].float() / 255
        copies = noisy(pixels, [index], seed=5)[0]
        shares = Strongest()(copies).softmax(dim=1)
        changes.append((shares - shares[0])[:, int(shares[0].argmax())].numpy())
    expected = np.sqrt((np.array(changes) ** 2).mean(axis=0))
    np.testing.assert_allclose(of(table, "output", "probability_std"), expected, rtol=1e-3)


def test_layers_stand_in_the_order_of_execution_and_the_outputs_are_always_there():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(64, 3))
    table = shown(network, colours(5), ["1", "0"])
    assert list(dict.fromkeys(table.columns["layer"].tolist())) == ["0", "1", "3"]
    assert np.isnan(of(table, "0", "flips")).all()
    assert table.rows == 3 * len(SIGMAS)


def test_a_relu_in_place_does_not_change_what_is_seen_of_the_layer_before_it():
    torch.manual_seed(1)
    weights = nn.Conv2d(3, 4, 3)
    tail = [nn.Flatten(), nn.Linear(64, 3)]
    apart = shown(nn.Sequential(weights, nn.ReLU(), *tail), colours(8), ["0", "1"])
    in_place = shown(nn.Sequential(weights, nn.ReLU(inplace=True), *tail), colours(8), ["0", "1"])
    np.testing.assert_array_equal(apart.columns["change"], in_place.columns["change"])


def test_activations_that_are_not_finite_are_never_quiet():
    network = linear()
    with torch.no_grad():
        network[1].weight[0, 0] = torch.nan
    table = shown(network, colours(6), ["1"])
    assert np.isnan(of(table, "1", "change")).all()
    assert np.isnan(of(table, "1", "flips")).all()


def test_a_silent_layer_that_noise_makes_speak_moves_infinitely():
    silent = torch.zeros(2, 3, 4)
    silent[1, 2] = 1.0
    assert relative_change(silent).tolist() == [[0, 0, 0], [0, 0, torch.inf]]


def test_damaged_pictures_are_left_out():
    images = colours(10)
    table = shown(linear(), Pictures(images.every, damaged=frozenset({3, 4})))
    assert set(table.columns["pictures"].tolist()) == {8}
    with pytest.raises(AuditError, match="none of the"):
        shown(linear(), Pictures(images.every, damaged=frozenset(range(10))))


def test_the_check_asks_for_noise_that_is_shown():
    assert (0.0, *ASKED) == SIGMAS
