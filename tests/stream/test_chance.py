"""Weights drawn one by one are told from arranged ones; every test agrees with its slow definition."""

import math

import numpy as np
import pytest
from scipy import stats

from audit.stream.chance import (
    SAMPLE,
    exchangeable_p,
    fresh_filters,
    normal_p,
    part_of,
    sample,
    spectral_excess,
    tracy_widom_p,
    uniform_p,
)


def uniform(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.1, 0.1, shape)


def normal(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.02, shape)


def test_the_uniform_test_agrees_with_scipy() -> None:
    values = uniform((700,))
    bound = np.abs(values).max() * 701 / 700
    expected = stats.kstest(values, "uniform", (-bound, 2 * bound)).pvalue
    assert uniform_p(values) == pytest.approx(expected, rel=0.05)
    assert uniform_p(normal((700,))) < 1e-20


def test_the_normal_test_agrees_with_scipy_whatever_the_scale() -> None:
    values = normal((700,))
    assert normal_p(values) == pytest.approx(stats.normaltest(values).pvalue, rel=1e-6)
    assert normal_p(values * 1e-40) == pytest.approx(normal_p(values), rel=1e-6)
    assert normal_p(uniform((700,))) < 1e-20


def test_constants_and_few_values_have_no_distribution() -> None:
    assert math.isnan(uniform_p(np.zeros(50)))
    assert math.isnan(normal_p(np.ones(50)))
    assert math.isnan(normal_p(normal((5,))))
    assert math.isnan(exchangeable_p(np.zeros((8, 8, 3, 3))))


def test_the_spectral_excess_is_measured_from_the_largest_singular_value() -> None:
    matrix = normal((20, 90))
    largest = np.linalg.svd(matrix, compute_uv=False)[0] ** 2 / (matrix**2).mean()
    root = math.sqrt(89) + math.sqrt(20)
    width = root * (1 / math.sqrt(89) + 1 / math.sqrt(20)) ** (1 / 3)
    assert spectral_excess(matrix) == pytest.approx((largest - root**2) / width)
    assert spectral_excess(matrix.T) == pytest.approx(spectral_excess(matrix))
    assert math.isnan(spectral_excess(normal((3, 90))))


def test_random_matrices_follow_the_tracy_widom_law() -> None:
    excesses = np.array([spectral_excess(draw((64, 240), seed)) for seed in range(60) for draw in (uniform, normal)])
    assert excesses.mean() == pytest.approx(-1.21, abs=0.35)
    assert excesses.std() == pytest.approx(1.27, abs=0.25)
    assert excesses.max() < 4


def test_the_tail_of_the_tracy_widom_law_is_as_in_its_tables() -> None:
    assert tracy_widom_p(0.98) == 1.0  # the 95th percentile; the tail's formula holds beyond 1
    assert tracy_widom_p(2.02) == pytest.approx(0.01, rel=0.35)
    assert tracy_widom_p(3.27) == pytest.approx(0.001, rel=0.35)
    assert math.isnan(tracy_widom_p(float("nan")))


@pytest.mark.parametrize("draw", [uniform, normal])
@pytest.mark.parametrize("shape", [(16, 3, 3, 3), (32, 16, 3, 3), (64, 32, 1, 1), (64, 1, 3, 3), (50, 40)])
def test_independent_weights_are_rarely_ruled_out(draw: object, shape: tuple[int, ...]) -> None:
    assert callable(draw)
    p = np.array([exchangeable_p(draw(shape, seed)) for seed in range(60)])
    assert p.min() > 1e-4
    assert (p < 0.05).mean() <= 0.15


def loud_filter(weights: np.ndarray) -> np.ndarray:
    return weights * np.linspace(0.3, 2, len(weights)).reshape(-1, *[1] * (weights.ndim - 1))


def quiet_channels(weights: np.ndarray) -> np.ndarray:
    return weights * np.linspace(0.3, 2, weights.shape[1])[:, None, None]


def centre(weights: np.ndarray) -> np.ndarray:
    return weights * (1 + np.eye(3)[[1]].T @ np.eye(3)[[1]])


def smooth(weights: np.ndarray) -> np.ndarray:
    return weights + 0.5 * np.roll(weights, 1, axis=3)


def one_direction(weights: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(1)
    strong = np.outer(rng.choice([-1, 1], len(weights)), rng.choice([-1, 1], weights[0].size)) * 0.3 * weights.std()
    return np.asarray(weights + strong.reshape(weights.shape))


def shifted_filters(weights: np.ndarray) -> np.ndarray:
    return weights + weights.std() * np.linspace(-1, 1, len(weights)).reshape(-1, 1, 1, 1)


@pytest.mark.parametrize("change", [loud_filter, quiet_channels, centre, smooth, one_direction, shifted_filters])
@pytest.mark.parametrize("draw", [uniform, normal])
def test_every_structure_is_seen(change: object, draw: object) -> None:
    assert callable(change)
    assert callable(draw)
    assert exchangeable_p(change(draw((32, 16, 3, 3)))) < 1e-8


def test_a_sample_and_a_part_are_small_and_the_same_every_time() -> None:
    large = normal((300, 900, 3, 3)).astype(np.float32)
    assert sample(large, 0).shape == (SAMPLE,)
    np.testing.assert_array_equal(sample(large, 0), sample(large, 0))
    assert np.isin(sample(large, 0).astype(np.float32), large).all()
    assert part_of(large).shape == (150, 113, 3, 3)
    np.testing.assert_array_equal(sample(large[0], 0), large[0].ravel())


def test_filters_that_were_left_alone_among_trained_ones_are_counted() -> None:
    weights = np.random.default_rng(2).laplace(0, 0.1, (40, 16, 3, 3))
    assert fresh_filters(weights, 0) == 0
    weights[::4] = uniform((10, 16, 3, 3))
    assert 9 <= fresh_filters(weights, 0) <= 11
    assert math.isnan(fresh_filters(weights[:, :3], 0))


def test_short_filters_are_counted_if_their_bound_is_pytorchs() -> None:
    rng = np.random.default_rng(2)
    weights = rng.laplace(0, 0.3, (20, 64))
    assert fresh_filters(weights, 0) == 0
    weights[::2] = rng.uniform(-1 / 8, 1 / 8, (10, 64))
    assert 9 <= fresh_filters(weights, 0) <= 11
    assert fresh_filters(0.8 * weights, 0) == 0


def test_two_uniform_filters_are_no_evidence() -> None:
    weights = np.random.default_rng(2).laplace(0, 0.1, (40, 16, 3, 3))
    weights[:2] = uniform((2, 16, 3, 3))
    assert fresh_filters(weights, 0) == 0
