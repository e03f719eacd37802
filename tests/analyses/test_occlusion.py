"""Occlusion against one picture at a time, covered by hand; a planted detector misses what it detects."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given as drawn
from hypothesis import strategies as st

from audit.analyses.max_patches import position
from audit.analyses.occlusion import cover_of, covers, filling, heat_map, overlaid
from audit.config import OcclusionSection
from audit.errors import Unavailable
from tests.analyses.planted import CONJUNCTION, CONSTANT, DEAD, Planted, model, pictured, shown, task

FILLS = ("zero", "mean", "blur")


def on_the_network(network: Planted, pixels: np.ndarray, unit: int, y: int, x: int) -> float:
    """The second convolution's unit on one picture of 0..1."""
    seen = torch.from_numpy(pixels[None]).float() - 0.5
    return float(network.conv2(network.pool(network.relu1(network.conv1(seen))))[0, unit, y, x])


@pytest.mark.parametrize("fill", FILLS)
def test_a_heat_map_is_that_of_covers_laid_by_hand(fill: str, tmp_path) -> None:
    options = OcclusionSection(size=4, stride=3, fill=fill)
    given = task(model(), "conv2", (CONJUNCTION,), tmp_path, images=2, occlusion=options)
    made = pictured("occlusion", given)
    network, field = given.model.network, given.layer.field
    assert made.tiles.shape == (1, 2, *field.size, 3)
    for rank in range(2):
        image, (y, x) = int(given.strongest.image[CONJUNCTION, rank]), position(given.strongest, CONJUNCTION, rank)
        pixels = shown(given, image).transpose(2, 0, 1).astype(np.float32) / 255
        whole = on_the_network(network, pixels, CONJUNCTION, y, x)
        total, count, least = np.zeros((24, 20)), np.zeros((24, 20)), whole
        filled = filling(pixels, fill, np.full((3, 1, 1), 0.5, np.float32), 4)
        for top, left in product([*range(0, 20, 3), 20], [*range(0, 16, 3), 16]):
            hidden = pixels.copy()
            hidden[:, top : top + 4, left : left + 4] = filled[:, top : top + 4, left : left + 4]
            value = on_the_network(network, hidden, CONJUNCTION, y, x)
            total[top : top + 4, left : left + 4] += whole - value
            count[top : top + 4, left : left + 4] += 1
            least = min(least, value)
        assert made.numbers["lost"][0, rank] == pytest.approx((whole - least) / whole, rel=1e-4)
        top, left, bottom, right = field.box(y, x)
        rows, columns = slice(max(top, 0), min(bottom, 24)), slice(max(left, 0), min(right, 20))
        seen = np.zeros((24, 20), bool)
        seen[rows, columns] = True
        expected = 255 * overlaid(pixels, np.where(count > 0, total / count, 0))
        tile = made.tiles[0, rank].transpose(2, 0, 1)[
            :, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
        # far covers, which by hand are counted too, thin out the heat at the edge of the field
        inner = (slice(None), slice(4, -4), slice(4, -4))
        assert np.abs(tile[inner] - expected[:, rows, columns][inner]).mean() < 12
        assert f"activation falls by {100 * made.numbers['lost'][0, rank]:.3g} %" in made.captions[0][rank]


class Spot(torch.nn.Module):
    """One unit: the brightness of a square of 6 pixels at (10, 4)."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, :1, 10:16, 4:10].mean(dim=(2, 3))


def test_a_detector_misses_its_object_and_nothing_else() -> None:
    picture = np.random.default_rng(0).random((3, 30, 24)).astype(np.float32)
    picture[:, 10:16, 4:10] = 1
    network = Spot()
    places = covers((30, 24), 6, 2, (0, 0, 30, 24))
    filled = filling(picture, "zero", np.zeros((3, 1, 1), np.float32), 6)
    values = []
    for top, left, bottom, right in places:
        hidden = picture.copy()
        hidden[:, top:bottom, left:right] = filled[:, top:bottom, left:right]
        values.append(float(network(torch.from_numpy(hidden[None]))[0, 0]))
    heat = heat_map(1 - np.array(values), places, (30, 24))
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    assert 10 <= y < 16
    assert 4 <= x < 10
    assert not heat[22:].any()
    assert not heat[:, 16:].any()


@drawn(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.integers(1, 9))
def test_covers_reach_every_pixel_and_stay_inside(height: int, width: int, side: int, step: int) -> None:
    side = min(side, height, width)
    step = min(step, side)
    places = covers((height, width), side, step, (0, 0, height, width))
    count = heat_map(np.ones(len(places)), places, (height, width))
    assert len(places) == (-(-(height - side) // step) + 1) * (-(-(width - side) // step) + 1)
    assert len(set(places)) == len(places)
    assert (count == 1).all()
    assert all(0 <= top < bottom <= height and 0 <= left < right <= width for top, left, bottom, right in places)


def test_only_covers_that_reach_what_is_seen_are_tried() -> None:
    places = covers((40, 40), 8, 4, (10, 12, 19, 21))
    assert places == [
        (y, x, y + 8, x + 8) for y in range(4, 19, 4) for x in range(8, 21, 4) if y + 8 > 10 and x + 8 > 12
    ]


def test_a_cover_is_a_sixth_of_what_is_seen_and_may_be_larger_than_the_picture() -> None:
    assert cover_of(OcclusionSection(), (0, 0, 224, 300)) == (37, 18)
    assert cover_of(OcclusionSection(), (-3, -2, 1, 2)) == (1, 1)
    assert cover_of(OcclusionSection(size=50, stride=7), (0, 0, 32, 40)) == (50, 7)
    assert covers((32, 60), 50, 7, (0, 0, 32, 60)) == [(0, 0, 32, 50), (0, 7, 32, 57), (0, 10, 32, 60)]


def test_a_unit_that_does_not_care_has_no_heat_and_a_silent_one_no_picture(tmp_path) -> None:
    made = pictured("occlusion", task(model(), "conv2", (CONSTANT,), tmp_path, images=2))
    assert all(caption.startswith("nothing to show") or "falls" not in caption for caption in made.captions[0])
    silent = pictured("occlusion", task(model(), "relu1", (DEAD,), tmp_path, images=2))
    assert (silent.tiles == 128).all()
    assert np.isnan(silent.numbers["lost"]).all()


def test_of_a_class_the_probability_can_be_read(tmp_path) -> None:
    options = OcclusionSection(of="probability", fill="zero")
    given = task(model(), "scores", (0,), tmp_path, images=2, occlusion=options)
    made = pictured("occlusion", given)
    image = int(given.strongest.image[0, 0])
    pixels = torch.from_numpy(shown(given, image).transpose(2, 0, 1).astype(np.float32) / 255) - 0.5
    side, step = cover_of(options, (0, 0, 24, 20))
    probability = given.model.network(pixels[None]).softmax(1)[0, 0]
    least = probability
    for top, left, bottom, right in covers((24, 20), side, step, (0, 0, 24, 20)):
        hidden = pixels.clone()
        hidden[:, top:bottom, left:right] = 0
        least = min(least, given.model.network(hidden[None]).softmax(1)[0, 0])
    assert made.numbers["lost"][0, 0] == pytest.approx(float((probability - least) / probability), rel=1e-4)
    with pytest.raises(Unavailable, match="units of conv2 are no classes"):
        pictured("occlusion", task(model(), "conv2", (0,), tmp_path, occlusion=options))


def test_falls_are_red_rises_are_blue_and_the_rest_is_gray() -> None:
    heat = np.array([[2.0, 0.0, -2.0]])
    red, gray, blue = overlaid(np.full((3, 1, 3), 0.5, np.float32), heat)[:, 0].T
    assert red[0] > 3 * red[2]
    assert blue[2] > 3 * blue[0]
    assert gray == pytest.approx([0.6, 0.6, 0.6])
