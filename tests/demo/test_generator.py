"""The demo's pictures are what their labels say, and the same however they are asked for."""

import colorsys
from collections import Counter

import numpy as np
import pytest

from audit.demo import generator
from audit.demo.generator import CLASSES, DemoPictures, pictures
from audit.errors import DataError
from audit.model.filters import describe


def of_class(name: str, count: int = 12) -> np.ndarray:
    """The first pictures of a class, scaled to 0..1: [picture, y, x, 3]."""
    found = (image for image, label in pictures(2000, seed=3) if CLASSES[label] == name)
    return np.stack([next(found) for _ in range(count)]) / 255


def test_a_picture_is_rgb_bytes_with_a_label() -> None:
    image, label = pictures(count=3)[2]
    assert image.shape == (64, 64, 3)
    assert image.dtype == np.uint8
    assert type(label) is int
    assert 0 <= label < len(CLASSES)


def test_a_picture_does_not_depend_on_the_order_of_access_or_on_the_count() -> None:
    forwards = [pictures(20)[i] for i in range(20)]
    data = pictures(10_000)
    for i in reversed(range(20)):
        image, label = data[i]
        assert np.array_equal(image, forwards[i][0])
        assert label == forwards[i][1]


def test_index_seed_and_split_each_make_another_picture() -> None:
    images = [
        pictures(2)[0][0],
        pictures(2)[1][0],
        pictures(2, seed=2)[0][0],
        pictures(2, split="train")[0][0],
    ]
    assert len({image.tobytes() for image in images}) == 4


def test_every_class_is_drawn_about_equally_often_also_from_every_twelfth_picture() -> None:
    for step in (1, 12):
        counts = Counter(pictures(6000 * step)[i][1] for i in range(0, 1200 * step, step))
        assert sorted(counts) == list(range(len(CLASSES)))
        assert min(counts.values()) > 60  # 100 are expected, with a standard deviation of 10
        assert max(counts.values()) < 140


def test_it_is_a_sequence_that_ends() -> None:
    data = DemoPictures(count=4)
    assert len(data) == len(list(data)) == 4
    for wrong in (4, -1):
        with pytest.raises(IndexError, match=f"no demo picture {wrong}; there are 4"):
            data[wrong]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "tests"}, 'no split "tests"; did you mean "test"'),
        ({"count": 0}, "0 demo pictures were asked for; count must be at least 1"),
        ({"seed": -1}, "no seed -1"),
    ],
)
def test_what_cannot_be_had_is_named(arguments: dict[str, int | str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        pictures(**arguments)


@pytest.mark.parametrize("name", [name for name in CLASSES if "stripes" in name])
def test_stripes_have_the_frequency_and_orientation_of_their_name(name: str) -> None:
    orientation, _, frequency = name.replace(",", "").split()
    gray = of_class(name, 30).mean(axis=3)
    middle = gray[:, None, 16:48, 16:48]
    measured = describe(middle - middle.mean(axis=(2, 3), keepdims=True))
    turned = (measured["orientation"] - generator.ORIENTATION[orientation] + 90) % 180 - 90
    lowest, highest = generator.FREQUENCY[frequency]
    assert np.median(np.abs(turned)) < 8
    assert lowest < np.median(measured["frequency"]) < highest


@pytest.mark.parametrize("name", [name for name in CLASSES if "stripes" not in name])
def test_shapes_have_the_hue_of_their_name(name: str) -> None:
    turned = []
    for image in of_class(name, 30):
        saturated = image.reshape(-1, 3)[np.argsort(np.ptp(image, axis=2).ravel())[-50:]]
        hue = 360 * colorsys.rgb_to_hsv(*np.median(saturated, axis=0))[0]
        turned.append((hue - generator.HUE[name.partition(" ")[0]] + 180) % 360 - 180)
    assert np.median(np.abs(turned)) < 20  # a few pictures have a more colourful background than their shape


def test_the_background_falls_with_frequency_as_one_over_f() -> None:
    rng = np.random.default_rng(0)
    planes = np.stack([generator._background(rng).mean(axis=2) for _ in range(200)])
    power = (np.abs(np.fft.fft2(planes)) ** 2).mean(axis=0)
    rings = [power[0, k] + power[k, 0] for k in (2, 4, 8, 16)]
    assert np.log2(np.array(rings[:-1]) / rings[1:]) == pytest.approx([2, 2, 2], abs=0.4)  # power: 1 / f squared


def test_the_noise_of_the_background_has_standard_deviation_one() -> None:
    amplitude, rng = generator._AMPLITUDE, np.random.default_rng(0)
    parts = rng.standard_normal((2, 400, *amplitude.shape))
    assert np.fft.irfft2((parts[0] + 1j * parts[1]) * amplitude, s=(64, 64)).std() == pytest.approx(1, abs=0.05)


def test_colours_agree_with_the_standard_library() -> None:
    for hue, saturation, value in np.random.default_rng(0).random((50, 3)):
        expected = colorsys.hsv_to_rgb(hue, saturation, value)
        assert generator._rgb(360 * hue, saturation, value) == pytest.approx(expected, abs=1e-6)
