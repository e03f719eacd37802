"""The mean of a unit's strongest pictures lies on the canvas so that the unit sees there what it saw in them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from audit.analyses.strongest import mean_of_strongest, mean_patch
from audit.analyses.task import Task
from audit.ascent.canvas import Canvas, canvas_of
from audit.ascent.objective import Reading, activations_at
from audit.ascent.start import start_image
from tests.analyses.test_pictures import CONJUNCTION, CONSTANT, DEAD, RED, UPRIGHT, model, shown, task

SHAPE = (3, 24, 20)


def of_rank(given: Task, rank: int) -> Task:
    """The task with the pictures of that rank alone."""
    assert given.strongest is not None
    columns = {name: getattr(given.strongest, name)[:, rank : rank + 1] for name in ("value", "image", "y", "x")}
    return replace(given, strongest=replace(given.strongest, **columns))


def activation(given: Task, unit: int, canvas: Canvas, picture: np.ndarray) -> float:
    """Of the unit, where the canvas reads it."""
    network = given.model.network
    with torch.no_grad(), activations_at(network, Reading(given.layer, canvas.position)) as activations:
        return float(activations(torch.tensor(picture, dtype=torch.float32)[None] / 255)[0, unit])


@pytest.mark.parametrize(("layer", "unit"), [("conv1", UPRIGHT), ("conv1", RED), ("conv2", CONJUNCTION)])
@pytest.mark.parametrize("mode", ["field", "full"])
def test_on_the_canvas_the_unit_is_as_strong_as_it_was_in_the_picture(layer, unit, mode, tmp_path: Path):
    given = task(model(SHAPE), layer, (unit,), tmp_path)
    canvas, field = canvas_of(given.layer, SHAPE, mode), given.layer.field
    assert canvas.mode == mode
    assert field is not None
    assert given.strongest is not None
    inside = 0
    for rank in range(9):
        y, x = int(given.strongest.y[unit, rank]), int(given.strongest.x[unit, rank])
        top, left, bottom, right = field.box(y, x)
        if top < 0 or left < 0 or bottom > SHAPE[1] or right > SHAPE[2]:
            continue  # the layer saw its padding there, and not the mean colour before it
        inside += 1
        found = activation(given, unit, canvas, mean_of_strongest(of_rank(given, rank), unit, canvas))
        assert found == pytest.approx(float(given.strongest.value[unit, rank]), rel=1e-5)
    assert inside > 0


def test_the_mean_is_that_of_all_ranks_the_mean_colour_beyond_their_borders(tmp_path: Path):
    given = task(model(SHAPE), "conv1", (RED,), tmp_path)
    canvas, strongest = canvas_of(given.layer, SHAPE, "full"), given.strongest
    assert strongest is not None
    assert not isinstance(canvas.position, str)
    expected, beyond = np.zeros(SHAPE), 0
    for rank in range(9):
        image = shown(given, int(strongest.image[RED, rank])).astype(float) - 127.5
        down, right = int(strongest.y[RED, rank]) - canvas.position[0], int(strongest.x[RED, rank]) - canvas.position[1]
        for y, x in np.ndindex(SHAPE[1:]):
            if 0 <= y + down < SHAPE[1] and 0 <= x + right < SHAPE[2]:
                expected[:, y, x] += image[y + down, x + right] / 9
            else:
                beyond += 1
    np.testing.assert_allclose(mean_of_strongest(given, RED, canvas), expected, rtol=0, atol=1e-4)
    assert beyond > 0


@pytest.mark.parametrize("everywhere", ["mean", None])
def test_a_unit_that_sees_everything_has_whole_pictures(everywhere, tmp_path: Path):
    given = task(model(SHAPE), "scores" if everywhere is None else "conv2", (CONSTANT,), tmp_path)
    canvas, strongest = canvas_of(given.layer, SHAPE, "full", everywhere), given.strongest
    assert strongest is not None
    images = [shown(given, int(index)).astype(float) - 127.5 for index in strongest.image[CONSTANT] if index >= 0]
    expected = np.mean(images, axis=0).transpose(2, 0, 1) if images else np.zeros(SHAPE)
    np.testing.assert_allclose(mean_of_strongest(given, CONSTANT, canvas), expected, rtol=0, atol=1e-4)
    assert images or everywhere == "mean"


def test_a_unit_that_fires_on_no_picture_starts_from_the_mean_colour(tmp_path: Path):
    given = task(model(SHAPE), "conv1", (DEAD,), tmp_path)
    canvas = canvas_of(given.layer, SHAPE)
    assert not mean_of_strongest(given, DEAD, canvas).any()


def test_pictures_on_which_the_unit_is_off_have_no_part_in_the_mean(tmp_path: Path):
    given = task(model(SHAPE), "conv1", (UPRIGHT,), tmp_path)
    canvas = canvas_of(given.layer, SHAPE)
    first, both = mean_of_strongest(of_rank(given, 0), UPRIGHT, canvas), mean_of_strongest(given, UPRIGHT, canvas)
    assert given.strongest is not None
    value = given.strongest.value.copy()
    value[UPRIGHT, 1:] = 0
    off = replace(given, strongest=replace(given.strongest, value=value))
    np.testing.assert_array_equal(mean_of_strongest(off, UPRIGHT, canvas), first)
    assert np.abs(both - first).max() > 1


def test_the_mean_of_patches_is_computed_in_double_precision():
    patches = np.random.default_rng(0).normal(0, 60, (5, 3, 4, 6)).astype(np.float32)
    found = mean_patch(list(patches), (3, 4, 6))
    np.testing.assert_allclose(found, patches.astype(np.float64).sum(axis=0) / 5, rtol=1e-14)
    assert not mean_patch([], (3, 4, 6)).any()


def test_an_ascent_starts_from_it(tmp_path: Path):
    given = task(model(SHAPE), "conv1", (UPRIGHT,), tmp_path)
    canvas = canvas_of(given.layer, SHAPE)
    picture = mean_of_strongest(given, UPRIGHT, canvas)
    start = start_image("strongest", 3, canvas.size, given.model.mean.double().numpy(), picture)
    np.testing.assert_array_equal(start, picture)
    noise = start_image("noise", 3, canvas.size, given.model.mean.double().numpy())
    assert activation(given, UPRIGHT, canvas, start) > activation(given, UPRIGHT, canvas, noise)
