"""Clipping by benefit removes exactly the pixels whose removal is predicted to help least, with its sign."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.ascent.regularizers.clip_benefit import ClipBenefit


def slowly(image: np.ndarray, gradient: np.ndarray, percentile: float) -> np.ndarray:
    """One image, by the definition."""
    benefit = (gradient * -image).sum(axis=0)
    return np.where(benefit < np.percentile(benefit, percentile), 0, image)


def clipped(images: np.ndarray, gradient: np.ndarray, percentile: float) -> np.ndarray:
    regularizer = ClipBenefit(percentile=percentile)
    return regularizer.apply(torch.from_numpy(images.copy()), torch.from_numpy(gradient), 3).numpy()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 2, 3, 5]), st.floats(0, 100), st.integers(0, 99))
def test_clip_benefit_is_its_definition_image_by_image(height, width, channels, percentile, seed):
    images, gradient = np.random.default_rng(seed).normal(0, 30, (2, 3, channels, height, width))
    expected = np.stack([slowly(image, own, percentile) for image, own in zip(images, gradient, strict=True)])
    np.testing.assert_allclose(clipped(images, gradient, percentile), expected, rtol=0, atol=1e-10)


def test_for_a_linear_unit_the_removed_pixels_are_those_that_it_misses_most():
    weights, image = np.random.default_rng(0).normal(0, 1, (2, 3, 6, 7))
    gain = np.zeros((6, 7))
    for y, x in np.ndindex(gain.shape):
        without = image.copy()
        without[:, y, x] = 0
        gain[y, x] = (weights * without).sum() - (weights * image).sum()
    gone = (clipped(image[None], weights[None], 30)[0] == 0).all(axis=0)
    assert gain[gone].max() < gain[~gone].min()
    assert gain[gone].max() < 0


@pytest.mark.parametrize("percentile", [0, 5, 50, 90, 100])
def test_the_share_of_removed_pixels_is_the_percentile(percentile):
    images, gradient = np.random.default_rng(1).normal(0, 10, (2, 2, 3, 40, 50)).astype(np.float32)
    removed = (clipped(images, gradient, percentile) == 0).all(axis=1).sum(axis=(1, 2))
    assert np.abs(removed - percentile / 100 * 2000).max() <= 1


def test_the_gradient_is_left_as_it_is():
    images, gradient = np.random.default_rng(3).normal(0, 10, (2, 1, 3, 5, 5))
    before = gradient.copy()
    clipped(images, gradient, 90)
    assert np.array_equal(gradient, before)
