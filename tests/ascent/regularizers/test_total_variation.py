"""Total variation goes down its own slope, one step."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.ascent.regularizers.total_variation import TotalVariation


def penalty(image: np.ndarray, beta: float) -> float:
    """R of one image, by the definition, of pixels in units of 128."""
    total = 0.0
    for channel in image / 128:
        for (y, x), value in np.ndenumerate(channel):
            right = channel[y, x + 1] - value if x + 1 < channel.shape[1] else 0.0
            below = channel[y + 1, x] - value if y + 1 < channel.shape[0] else 0.0
            total += (right**2 + below**2) ** (beta / 2)
    return total


def slowly(image: np.ndarray, strength: float, beta: float) -> np.ndarray:
    """One image a step down its slope, the slope written out term by term."""
    scaled, slope = image / 128, np.zeros_like(image)
    channels, height, width = image.shape
    for channel in range(channels):
        for y, x in np.ndindex(height, width):
            here = scaled[channel, y, x]
            right = scaled[channel, y, x + 1] - here if x + 1 < width else 0.0
            below = scaled[channel, y + 1, x] - here if y + 1 < height else 0.0
            square = right**2 + below**2
            if square == 0:
                continue
            outer = beta / 2 * square ** (beta / 2 - 1)
            slope[channel, y, x] -= outer * 2 * (right + below)
            if x + 1 < width:
                slope[channel, y, x + 1] += outer * 2 * right
            if y + 1 < height:
                slope[channel, y + 1, x] += outer * 2 * below
    return image - 128 * strength * slope


def smoothed(images: np.ndarray, strength: float, beta: float = 2.0) -> np.ndarray:
    batch = torch.from_numpy(images.copy())
    return TotalVariation(strength=strength, beta=beta).apply(batch, torch.zeros_like(batch), 3).numpy()


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 30, shape)


SIZES = st.integers(1, 9)
SHAPES = st.tuples(st.sampled_from([1, 3, 5]), SIZES, SIZES)


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.floats(0, 1), st.floats(1, 4), st.integers(0, 99))
def test_total_variation_is_its_definition_image_by_image(shape, strength, beta, seed):
    images = noise(2, *shape, seed=seed) * [[[[1]]], [[[3]]]]
    expected = np.stack([slowly(image, strength, beta) for image in images])
    np.testing.assert_allclose(smoothed(images, strength, beta), expected, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0, 3.0])
def test_the_step_follows_the_finite_differences_of_the_penalty(beta):
    image, small = noise(2, 4, 5), 1e-4
    slope = np.zeros_like(image)
    for place in np.ndindex(image.shape):
        there, back = image.copy(), image.copy()
        there[place] += small
        back[place] -= small
        slope[place] = 128 * (penalty(there, beta) - penalty(back, beta)) / (2 * small)
    np.testing.assert_allclose(smoothed(image[None], 0.01, beta)[0], image - 0.01 * 128 * slope, rtol=0, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.floats(1, 2), st.integers(0, 99))
def test_a_small_step_never_raises_the_penalty_nor_moves_the_mean(shape, beta, seed):
    image = noise(1, *shape, seed=seed)
    found = smoothed(image, 1e-7, beta)
    assert penalty(found[0], beta) <= penalty(image[0], beta) * (1 + 1e-12)
    assert found.mean() == pytest.approx(image.mean(), abs=1e-10)


@pytest.mark.parametrize("beta", [1.0, 1.2, 2.0, 3.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_flat_image_stays_as_it_is_at_every_beta(beta, dtype):
    image = np.full((2, 3, 6, 5), 7.0, dtype)
    assert np.array_equal(smoothed(image, 0.5, beta), image)


@pytest.mark.parametrize("beta", [1.0, 1.2])
def test_almost_flat_neighbours_move_by_no_more_than_the_slope_allows(beta):
    image = np.zeros((1, 1, 3, 3), np.float32)
    image[0, 0, 1, 1] = 1e-25  # its square is 0 in single precision
    assert np.abs(smoothed(image, 0.5, beta)).max() <= 4 * 0.5 * beta * 128


def test_lines_and_columns_are_treated_alike():
    image = noise(1, 3, 6, 8)
    turned = smoothed(image.swapaxes(2, 3), 0.1, 1.5).swapaxes(2, 3)
    np.testing.assert_allclose(turned, smoothed(image, 0.1, 1.5), rtol=0, atol=1e-12)


def test_with_beta_2_the_strength_has_no_unit():
    image = noise(1, 3, 6, 8)
    np.testing.assert_allclose(smoothed(10 * image, 0.05), 10 * smoothed(image, 0.05), rtol=1e-12)
