"""Clipping by value removes exactly the values below numpy's percentile, channel by channel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.ascent.regularizers.clip_value import ClipValue


def slowly(image: np.ndarray, percentile: float) -> np.ndarray:
    """One image, by the definition."""
    return np.where(np.abs(image) < np.percentile(np.abs(image), percentile), 0, image)


def clipped(images: np.ndarray, percentile: float) -> np.ndarray:
    batch = torch.from_numpy(images.copy())
    return ClipValue(percentile=percentile).apply(batch, torch.zeros_like(batch), 3).numpy()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 2, 3, 5]), st.floats(0, 100), st.integers(0, 99))
def test_clip_value_is_its_definition_image_by_image(height, width, channels, percentile, seed):
    images = np.random.default_rng(seed).normal(0, 30, (3, channels, height, width)) * [[[[1]]], [[[9]]], [[[0.1]]]]
    expected = np.stack([slowly(image, percentile) for image in images])
    np.testing.assert_allclose(clipped(images, percentile), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("percentile", [0, 5, 20, 50, 95, 100])
def test_the_share_of_removed_values_is_the_percentile(percentile):
    images = np.random.default_rng(1).normal(0, 10, (2, 3, 40, 50)).astype(np.float32)
    removed = (clipped(images, percentile) == 0).sum(axis=(1, 2, 3))
    assert np.abs(removed - percentile / 100 * 6000).max() <= 1


def test_a_pixel_may_lose_one_channel_and_keep_another():
    image = np.array([5.0, 1.0, -7.0, 2.0]).reshape(1, 2, 1, 2)
    np.testing.assert_array_equal(clipped(image, 50), np.array([5.0, 0.0, -7.0, 0.0]).reshape(1, 2, 1, 2))


def test_values_as_large_as_the_percentile_are_kept():
    assert (clipped(np.full((1, 3, 5, 5), -2.0), 100) == -2).all()
