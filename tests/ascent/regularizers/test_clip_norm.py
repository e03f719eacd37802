"""Clipping by norm removes exactly the pixels below numpy's percentile."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.ascent.regularizers.clip_norm import ClipNorm


def slowly(image: np.ndarray, percentile: float) -> np.ndarray:
    """One image, by the definition."""
    norms = np.sqrt((image**2).sum(axis=0))
    return np.where(norms < np.percentile(norms, percentile), 0, image)


def clipped(images: np.ndarray, percentile: float) -> np.ndarray:
    batch = torch.from_numpy(images.copy())
    return ClipNorm(percentile=percentile).apply(batch, torch.zeros_like(batch), 3).numpy()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 2, 3, 5]), st.floats(0, 100), st.integers(0, 99))
def test_clip_norm_is_its_definition_image_by_image(height, width, channels, percentile, seed):
    images = np.random.default_rng(seed).normal(0, 30, (3, channels, height, width))
    expected = np.stack([slowly(image, percentile) for image in images])
    np.testing.assert_allclose(clipped(images, percentile), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("percentile", [0, 25, 50, 100])
def test_pixels_of_equal_norm_are_kept_or_removed_together_as_numpy_does(percentile):
    image = np.random.default_rng(0).integers(-1, 2, (1, 1, 6, 7)).astype(float)
    np.testing.assert_array_equal(clipped(image, percentile)[0], slowly(image[0], percentile))


@pytest.mark.parametrize("percentile", [0, 5, 20, 50, 95, 100])
def test_the_share_of_removed_pixels_is_the_percentile(percentile):
    images = np.random.default_rng(1).normal(0, 10, (2, 3, 40, 50)).astype(np.float32)
    removed = (clipped(images, percentile) == 0).all(axis=1).sum(axis=(1, 2))
    assert np.abs(removed - percentile / 100 * 2000).max() <= 1


def test_the_removed_pixels_are_the_weakest_and_the_others_are_untouched():
    image = np.random.default_rng(2).normal(0, 10, (1, 3, 20, 20))
    found = clipped(image, 30)
    norms, gone = np.linalg.norm(image, axis=1), (found == 0).all(axis=1)
    assert norms[gone].max() < norms[~gone].min()
    assert np.array_equal(found[:, :, ~gone[0]], image[:, :, ~gone[0]])


def test_a_flat_image_loses_nothing():
    assert (clipped(np.full((1, 3, 5, 5), 2.0), 100) == 2).all()
