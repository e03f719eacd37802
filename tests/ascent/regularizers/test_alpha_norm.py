"""The alpha norm goes down its own slope, one step, and never beyond 0."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.ascent.regularizers.alpha_norm import AlphaNorm


def slowly(image: np.ndarray, strength: float, alpha: float) -> np.ndarray:
    """Value by value: down the slope of |x|^alpha, x in units of 128, stopped where it would change its sign."""
    found = np.zeros_like(image)
    for place, value in np.ndenumerate(image):
        slope = np.sign(value) * alpha * abs(value / 128) ** (alpha - 1)
        moved = value - 128 * strength * slope
        found[place] = moved if np.sign(moved) == np.sign(value) else 0.0
    return found


def faded(images: np.ndarray, strength: float, alpha: float = 6.0) -> np.ndarray:
    batch = torch.from_numpy(images.copy())
    return AlphaNorm(strength=strength, alpha=alpha).apply(batch, torch.zeros_like(batch), 3).numpy()


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 60, shape)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([1, 3, 5]), st.floats(0, 1), st.floats(1, 8), st.integers(0, 99))
def test_the_alpha_norm_is_its_definition_image_by_image(channels, strength, alpha, seed):
    images = noise(2, channels, 4, 5, seed=seed)
    expected = np.stack([slowly(image, strength, alpha) for image in images])
    np.testing.assert_allclose(faded(images, strength, alpha), expected, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("alpha", [1.0, 2.0, 6.0])
def test_the_step_follows_the_finite_differences_of_the_penalty(alpha):
    image, small = noise(1, 3, 4, 5), 1e-4
    slope = (np.abs((image + small) / 128) ** alpha - np.abs((image - small) / 128) ** alpha) / (2 * small / 128)
    np.testing.assert_allclose(faded(image, 1e-4, alpha), image - 1e-4 * 128 * slope, rtol=0, atol=1e-6)


def test_alpha_2_is_a_decay_of_twice_the_strength():
    image = noise(1, 3, 6, 7)
    np.testing.assert_allclose(faded(image, 0.1, 2.0), 0.8 * image, rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 10), st.floats(1, 8), st.integers(0, 99))
def test_no_value_grows_or_changes_its_sign(strength, alpha, seed):
    image = noise(1, 3, 4, 5, seed=seed)
    found = faded(image, strength, alpha)
    assert (np.abs(found) <= np.abs(image)).all()
    assert (found * image >= 0).all()


def test_extreme_values_lose_the_larger_share():
    image = np.array([10.0, -40.0, 80.0, -120.0]).reshape(1, 1, 2, 2)
    left = faded(image, 0.05) / image
    assert (np.diff(left.ravel()) < 0).all()
    assert left[0, 0, 0, 0] > 0.9999


@pytest.mark.parametrize("alpha", [1.0, 1.5, 2.0, 6.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_mean_picture_stays_as_it_is_at_every_alpha(alpha, dtype):
    assert not faded(np.zeros((2, 3, 4, 4), dtype), 0.5, alpha).any()


@pytest.mark.parametrize("value", [1e7, -1e7])
def test_a_value_far_out_of_range_ends_at_0_and_stays_a_number(value):
    assert not faded(np.full((1, 3, 2, 2), value, np.float32), 0.01).any()
