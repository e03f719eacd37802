"""Strongest images whole: the map over them, the box around what is seen, and a second look that has to agree."""

from dataclasses import replace

import numpy as np
import pytest

from audit.analyses.max_images import boxed, overlaid, spread_out, unit_maps
from audit.analyses.max_patches import position
from audit.data.display import rgb
from audit.records import Field, Layer
from tests.analyses.planted import CONJUNCTION, CONSTANT, DEAD, model, pictured, shown, task

BLACK, WHITE = 0, 255


def test_the_picture_is_under_the_map_and_what_the_unit_sees_in_a_box(tmp_path) -> None:
    given = task(model(), "conv2", (CONJUNCTION,), tmp_path, images=3)
    made = pictured("max-images", given)
    assert made.tiles.shape == (1, 3, 24, 20, 3)
    for rank in range(3):
        where = position(given.strongest, CONJUNCTION, rank)
        pixels = shown(given, int(given.strongest.image[CONJUNCTION, rank])).transpose(2, 0, 1) / np.float32(255)
        network = given.model.network
        seen = network.conv2(
            network.pool(network.relu1(network.conv1(given.model.mean.new_tensor(pixels)[None] - 0.5)))
        )
        heat = spread_out(seen[0, CONJUNCTION].double().numpy(), given.layer, (24, 20))
        expected = boxed(rgb(overlaid(pixels, heat)), given.layer.field.box(*where))
        assert np.abs(made.tiles[0, rank].astype(int) - expected).max() <= 1
        assert "second look" not in made.captions[0][rank]


def test_a_unit_that_is_not_what_it_was_is_told(tmp_path) -> None:
    given = task(model(), "conv2", (CONJUNCTION,), tmp_path, images=2)
    value = given.strongest.value.copy()
    value[CONJUNCTION, 1] *= 1.01
    made = pictured("max-images", replace(given, strongest=replace(given.strongest, value=value)))
    assert "second look" not in made.captions[0][0]
    assert made.captions[0][1].endswith(f"{value[CONJUNCTION, 1] / 1.01:.4g} on a second look")
    assert "1 picture said something else" in made.note


def test_a_unit_that_never_fires_has_no_picture(tmp_path) -> None:
    made = pictured("max-images", task(model(), "relu1", (DEAD,), tmp_path, images=2))
    assert (made.tiles == 128).all()
    assert made.captions[0][0] == "nothing to show: it never fires"


def test_a_unit_that_is_always_the_same_says_so(tmp_path) -> None:
    given = task(model(), "conv2", (CONSTANT,), tmp_path, images=2)
    assert set(pictured("max-images", given).captions[0]) == {"nothing to show: it says the same of every picture"}


def test_units_of_a_vector_have_neither_a_box_nor_a_map(tmp_path) -> None:
    given = task(model(), "scores", (0,), tmp_path, images=1)
    made = pictured("max-images", given)
    np.testing.assert_array_equal(made.tiles[0, 0], shown(given, int(given.strongest.image[0, 0])))


def test_a_value_lies_in_the_middle_of_what_it_sees() -> None:
    field = Field(start=(-3, 1), stride=(4, 2), size=(9, 5))
    layer = Layer("conv", "Conv2d", (1, 5, 6), 0, False, None, field)
    values = np.zeros((5, 6))
    values[2, 3] = 1
    heat = spread_out(values, layer, (24, 24))
    middle = (-3 + 2 * 4 + 4, 1 + 3 * 2 + 2)
    assert np.unravel_index(heat.argmax(), heat.shape) == middle
    assert heat[middle] == pytest.approx(1)
    assert heat[middle[0] + 2, middle[1]] == pytest.approx(0.5)
    assert heat[middle[0] + 4, middle[1]] == pytest.approx(0)


def test_a_box_is_a_white_line_inside_a_black_one_and_is_cut_at_the_border() -> None:
    gray = np.full((12, 12, 3), 128, np.uint8)
    made = boxed(gray, (2, -3, 9, 7))
    assert (made[2, :7] == BLACK).all()
    assert (made[8, :7] == BLACK).all()
    assert (made[2:9, 6] == BLACK).all()
    assert (made[3, :5] == WHITE).all()
    assert (made[3:8, 5] == WHITE).all()
    assert (made[4:7, :5] == 128).all()
    assert (made[:, 7:] == 128).all()
    assert (gray == 128).all()


def test_a_box_of_a_pixel_is_a_pixel() -> None:
    made = boxed(np.full((3, 3, 3), 128, np.uint8), (1, 1, 2, 2))
    assert (made[1, 1] == BLACK).all()
    assert (made.reshape(-1, 3) == 128).all(axis=1).sum() == 8


def test_where_the_unit_is_off_the_picture_is_darker_and_where_it_is_on_orange() -> None:
    heat = np.array([[0.0, 2.0]])
    off, on = overlaid(np.full((3, 1, 2), 0.8), heat)[:, 0].T
    assert off == pytest.approx([0.4] * 3)
    assert on == pytest.approx([0.9, 0.675, 0.4])
    assert overlaid(np.full((1, 1, 2), 0.8), heat).shape == (3, 1, 2)


def test_maps_are_those_of_the_network(tmp_path) -> None:
    given = task(model(), "conv2", (CONJUNCTION,), tmp_path, images=1)
    pixels = given.model.mean.new_tensor(np.random.default_rng(0).random((2, 3, 24, 20)))
    found = unit_maps(given, CONJUNCTION, pixels)
    network = given.model.network
    expected = network.conv2(network.pool(network.relu1(network.conv1(pixels - 0.5))))[:, CONJUNCTION]
    np.testing.assert_allclose(found, expected.double().numpy(), atol=1e-6)
