"""Blur is scipy's Gaussian, every few steps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from audit.ascent.regularizers.blur import Blur


def slowly(images: np.ndarray, width: float) -> np.ndarray:
    """Each channel of each image by scipy, with its defaults."""
    return np.stack([[gaussian_filter(channel, width) for channel in image] for image in images])


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 30, shape)


def blurred(images: np.ndarray, width: float, every: int = 1, step: int = 0) -> np.ndarray:
    batch = torch.from_numpy(images.copy())
    return Blur(width=width, every=every).apply(batch, torch.zeros_like(batch), step).numpy()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 2, 3, 5]), st.floats(0.05, 6))
def test_blur_is_scipys_gaussian_at_every_size(height, width, channels, sigma):
    images = noise(2, channels, height, width)
    np.testing.assert_allclose(blurred(images, sigma), slowly(images, sigma), rtol=0, atol=1e-10)


@pytest.mark.parametrize("width", [0.5, 1.0])
def test_the_papers_widths_agree_on_a_whole_input_in_single_precision(width):
    images = noise(1, 3, 227, 227)
    found = blurred(images.astype(np.float32), width)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, slowly(images, width), rtol=0, atol=1e-4)


def test_an_impulse_becomes_a_gaussian_of_that_width():
    impulse = np.zeros((1, 1, 41, 41))
    impulse[0, 0, 20, 20] = 1
    response = blurred(impulse, 2.0)[0, 0]
    offsets = np.arange(-20, 21)
    assert response.sum() == pytest.approx(1)
    assert np.sqrt((response.sum(0) * offsets**2).sum()) == pytest.approx(2.0, rel=0.01)
    np.testing.assert_allclose(response, response.T, atol=1e-15)


def test_blur_happens_at_step_0_and_every_so_many_steps():
    images = noise(1, 3, 9, 9)
    changed = [step for step in range(10) if not np.array_equal(blurred(images, 1.0, 4, step), images)]
    assert changed == [0, 4, 8]


def test_blur_leaves_a_flat_image_flat():
    np.testing.assert_allclose(blurred(np.full((1, 3, 6, 11), 7.0), 3.0), 7.0, rtol=1e-14)


def test_wider_blur_leaves_less_of_high_frequencies():
    images = noise(1, 1, 32, 32)
    left = [np.abs(np.fft.fft2(blurred(images, width)[0, 0]))[12:20, 12:20].sum() for width in (0.1, 0.5, 1, 2)]
    assert left == sorted(left, reverse=True)
    assert left[-1] < 0.01 * left[0]
