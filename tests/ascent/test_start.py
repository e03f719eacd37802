"""Starts are the reference's numbers, of their seed alone."""

import numpy as np
import pytest
import torch

from audit.ascent.presets import BUILT_IN
from audit.ascent.start import start_image

MEAN = np.array([0.48, 0.46, 0.41])[:, None, None]


def flamingo_start() -> np.ndarray:
    """Seed 0 on the 227 x 227 input of CaffeNet."""
    return start_image("noise", 0, (227, 227), MEAN)


def test_the_noise_of_seed_0_has_the_reference_numbers():
    start = flamingo_start()
    assert start.shape == (3, 227, 227)
    np.testing.assert_allclose(start.ravel()[:2], [17.6405, 4.00157], rtol=1e-5)
    assert start.std() == pytest.approx(9.97384688, abs=1e-8)
    assert np.linalg.norm(start) == pytest.approx(3921.523645, abs=1e-6)


def test_the_first_decay_and_blur_of_the_third_preset_have_the_reference_numbers():
    start = flamingo_start()
    image = torch.from_numpy(start.copy())[None]
    for regularizer in BUILT_IN["yosinski-3"].regularizers:
        image = regularizer.apply(image, torch.zeros_like(image), 0)
    image = image[0].numpy()
    assert np.linalg.norm(image) == pytest.approx(1118.4080, abs=1e-4)
    assert np.linalg.norm(image - start) == pytest.approx(3413.0444, abs=1e-4)
    assert image.std() == pytest.approx(2.8440958, abs=1e-7)


@pytest.mark.parametrize("start", ["noise", "uniform", "blank"])
def test_a_seed_always_gives_the_same_start_and_another_seed_another(start):
    first, again, other = (start_image(start, seed, (5, 7), MEAN) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert np.abs(first - other).max() > 1


def test_the_uniform_start_covers_the_pixels_of_0_to_255():
    pixels = start_image("uniform", 1, (100, 100), MEAN) + 255 * MEAN
    assert 0 <= pixels.min() < 1
    assert 254 < pixels.max() <= 255
    assert pixels.mean() == pytest.approx(127.5, abs=2)


def test_the_blank_start_is_near_white():
    pixels = start_image("blank", 1, (100, 100), MEAN) + 255 * MEAN
    assert pixels.mean() == pytest.approx(250, abs=0.2)
    assert pixels.std() == pytest.approx(8, abs=0.1)


def test_the_mean_start_is_the_mean_picture():
    assert not start_image("mean", 1, (4, 5), MEAN).any()


def test_starts_have_as_many_channels_as_the_mean():
    for channels in (1, 2, 5):
        assert start_image("noise", 0, (4, 6), np.zeros((channels, 1, 1))).shape == (channels, 4, 6)


def test_what_is_done_to_one_start_does_not_reach_the_next():
    first = start_image("noise", 9, (3, 3), MEAN)
    with pytest.raises(ValueError, match="read-only"):
        first += 1
    assert np.array_equal(start_image("noise", 9, (3, 3), MEAN), first)
