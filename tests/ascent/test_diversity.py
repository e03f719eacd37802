"""Images of a unit that ask for diversity repel each other, and no others."""

from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn

from audit.ascent.canvas import canvas_of
from audit.ascent.loop import ascend
from audit.ascent.objective import Reading, activations_at, repulsion, uphill
from audit.ascent.presets import Preset
from audit.ascent.rates import Adam
from audit.ascent.regularizers.decay import Decay
from audit.ascent.rows import Job, Rows
from audit.errors import AuditError
from audit.model.outline import outline

SHAPE = (3, 9, 8)
MEAN = torch.tensor([0.48, 0.46, 0.41], dtype=torch.float64).view(3, 1, 1)
STD = torch.tensor([0.23, 0.22, 0.25], dtype=torch.float64).view(3, 1, 1)
ALONE = Preset(steps=60, learning_rate=Adam(adam=4.0), regularizers=(Decay(strength=0.02),))
DIVERSE = ALONE.model_copy(update={"diversity": 3.0})


def small_net() -> nn.Sequential:
    torch.manual_seed(1)
    layers = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(6, 5, 3)
    return nn.Sequential(*layers).double().eval()


def run(jobs: list[Job], network: nn.Sequential | None = None, name: str = "2", **options):
    network = network or small_net()
    layer = outline(network, SHAPE).layer(name)
    canvas = canvas_of(layer, SHAPE, "full")
    return ascend(network, layer, jobs, canvas, mean=MEAN, std=STD, **options)


def grams_by_hand(network: nn.Sequential, images: np.ndarray) -> np.ndarray:
    """The mean over positions of the product of each unit with each; [image, unit, unit]."""
    maps = network(torch.from_numpy(images).double() / (255 * STD)).detach().numpy()
    grams = np.zeros((len(maps), maps.shape[1], maps.shape[1]))
    for image, map_ in enumerate(maps):
        for y in range(map_.shape[1]):
            for x in range(map_.shape[2]):
                grams[image] += np.outer(map_[:, y, x], map_[:, y, x]) / (map_.shape[1] * map_.shape[2])
    return grams


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))


def pictures(count: int) -> torch.Tensor:
    return torch.randn(count, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 50


def test_a_gram_matrix_is_read_over_all_positions():
    network = small_net()
    layer = outline(network, SHAPE).layer("2")
    with torch.no_grad(), activations_at(network, Reading(layer, "gram")) as activations:
        found = activations(pictures(3) / (255 * STD))
    np.testing.assert_allclose(found.reshape(3, 5, 5), grams_by_hand(network, pictures(3).numpy()), atol=1e-12)


def test_the_repulsion_is_the_sum_over_pairs_of_strength_times_cosine():
    draw = np.random.default_rng(0)
    grams, apart = draw.normal(0, 1, (4, 9)), draw.random((4, 4))
    apart += apart.T
    expected = sum(apart[i, j] * cosine(grams[i], grams[j]) for i, j in combinations(range(4), 2))
    assert repulsion(torch.from_numpy(grams), torch.from_numpy(apart)).item() == pytest.approx(expected, rel=1e-12)


def test_the_gradient_is_the_finite_difference():
    network, images = small_net(), pictures(3)
    layer = outline(network, SHAPE).layer("2")
    weights = torch.eye(5, dtype=torch.float64)[[1, 1, 1]]
    apart = torch.full((3, 3), 2.0, dtype=torch.float64)

    def objective(batch: torch.Tensor) -> float:
        grams = grams_by_hand(network, batch.numpy())
        reached = network(batch / (255 * STD))[:, 1, 3, 2].sum().item()
        return reached - 2 * sum(cosine(grams[i], grams[j]) for i, j in combinations(range(3), 2))

    readings = Reading(layer, (3, 2)), Reading(layer, "gram")
    with torch.no_grad(), activations_at(network, *readings) as activations:
        reached, gradient = uphill(activations, images, weights, 1 / (255 * STD), apart=apart)
        plain = uphill(activations, images, weights, 1 / (255 * STD))[1]
        for seed in range(3):
            toward = torch.randn(images.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
            slope = (objective(images + 1e-3 * toward) - objective(images - 1e-3 * toward)) / 2e-3
            assert (gradient * toward).sum().item() == pytest.approx(slope, rel=1e-6)
    assert reached.shape == (3, 5)
    assert (gradient - plain).norm() > 0.1 * plain.norm()


def test_a_gram_matrix_that_is_no_number_reaches_no_other_image():
    grams = torch.rand(3, 9, dtype=torch.float64)
    grams[1, 4] = torch.nan
    grams.requires_grad_()
    (gradient,) = torch.autograd.grad(repulsion(grams, torch.ones(3, 3, dtype=torch.float64)), grams)
    (alone,) = torch.autograd.grad(repulsion(grams[[0, 2]], torch.ones(2, 2, dtype=torch.float64)), grams)
    assert not gradient[1].any()
    torch.testing.assert_close(gradient[[0, 2]], alone[[0, 2]])


def similarity(found) -> float:
    grams = grams_by_hand(small_net(), np.stack([one.image for one in found]))
    return float(np.mean([cosine(one, other) for one, other in combinations(grams, 2)]))


def test_diverse_images_are_less_alike_and_still_excite_the_unit():
    plain = run([Job(1, ALONE, seed) for seed in range(4)])
    diverse = run([Job(1, DIVERSE, seed) for seed in range(4)])
    start = run([Job(1, ALONE.model_copy(update={"steps": 1}), seed) for seed in range(4)])
    assert similarity(diverse) < similarity(plain) - 0.1
    for one, begun in zip(diverse, start, strict=True):
        assert one.best > begun.best + 0.2


def test_only_images_of_the_same_unit_and_preset_repel_each_other():
    other = DIVERSE.model_copy(update={"steps": 30})
    jobs = [
        Job(1, DIVERSE, 0),
        Job(2, DIVERSE, 0),
        Job(1, other, 0),
        Job(1, DIVERSE, 1),
        Job(1, ALONE, 2),
        Job(2, DIVERSE, 5),
    ]
    together = run(jobs)
    for group in ([0, 3], [1, 5], [2], [4]):
        for found, row in zip(run([jobs[row] for row in group]), group, strict=True):
            assert together[row].best == pytest.approx(found.best, rel=1e-9)
            np.testing.assert_allclose(together[row].image, found.image, atol=1e-4)
    (alone,) = run([Job(1, ALONE, 0)])
    (single,) = run([Job(1, DIVERSE, 0)])
    assert single.best == pytest.approx(alone.best, rel=1e-9)
    assert together[0].best != pytest.approx(alone.best, rel=1e-3)


def test_rows_that_have_stopped_repel_no_others():
    rows = Rows.of([Job(1, DIVERSE, seed) for seed in range(3)], 5, SHAPE[1:], MEAN)
    rows.status[1] = 1
    apart = rows.apart()
    assert (apart[0, 2], apart[2, 0]) == (3.0, 3.0)
    assert not apart[1].any()
    assert not apart[:, 1].any()


class Counting(nn.Module):
    """Remembers how many images it was shown, and has no memory for more than so many."""

    def __init__(self, most: int = 100):
        super().__init__()
        self.most, self.seen = most, []

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(maps))
        if len(maps) > self.most:
            raise torch.OutOfMemoryError("no memory for so many images")
        return maps


@pytest.mark.parametrize(("batch", "sizes"), [(2, {3}), (5, {3}), (6, {6}), (8, {6}), (12, {12})])
def test_images_that_repel_each_other_share_a_batch_whatever_its_size(batch, sizes):
    jobs = [Job(unit, DIVERSE, seed) for seed in range(3) for unit in range(4)]
    counting = Counting()
    network = nn.Sequential(counting, *small_net())
    expected = run(jobs)
    counting.seen.clear()
    found = run(jobs, network, "3", batch=batch)
    assert set(counting.seen) - {1, 2} == sizes
    assert [one.best for one in found] == pytest.approx([one.best for one in expected], rel=1e-9)


def test_a_batch_that_does_not_fit_is_halved_by_whole_groups():
    jobs = [Job(unit, DIVERSE, seed) for seed in range(3) for unit in range(4)]
    network = nn.Sequential(Counting(most=4), *small_net())
    found = run(jobs, network, "3", batch=12)
    assert [one.best for one in found] == pytest.approx([one.best for one in run(jobs)], rel=1e-9)


def test_a_group_that_does_not_fit_is_an_error_that_says_what_to_do():
    network = nn.Sequential(Counting(most=2), *small_net())
    with pytest.raises(AuditError, match=r"the 3 images of a unit repel each other.* ask for fewer images"):
        run([Job(1, DIVERSE, seed) for seed in range(3)], network, "3")
