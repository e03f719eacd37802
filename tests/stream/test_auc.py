"""Areas under ROC curves and their intervals against pairs counted one by one, a fine grid and simulated units."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest, mannwhitneyu, norm

from audit.stream.auc import areas, lower_bound, upper_bound, wilson

LEVELS = arrays(np.float32, (17, 3), elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0, np.inf]))
GROUPS = arrays(np.int64, (17,), elements=st.integers(0, 3))


@given(LEVELS, GROUPS)
@settings(deadline=None, max_examples=60)
def test_an_area_is_the_share_of_pairs_that_are_in_order_ties_counting_half(peaks, group) -> None:
    found = areas(peaks, group, 5)
    for target, unit in product(range(5), range(3)):
        own, others = peaks[group == target, unit], peaks[group != target, unit]
        pairs = [1.0 if one > other else 0.5 if one == other else 0.0 for one, other in product(own, others)]
        expected = np.mean(pairs) if pairs else np.nan
        np.testing.assert_allclose(found[target, unit], expected, rtol=1e-12)


def test_an_area_is_scipys_statistic_over_the_number_of_pairs() -> None:
    random = np.random.default_rng(0)
    peaks, group = random.normal(size=(60, 4)).round(1), random.integers(0, 2, 60)
    expected = mannwhitneyu(peaks[group == 1], peaks[group == 0]).statistic / ((group == 1).sum() * (group == 0).sum())
    np.testing.assert_allclose(areas(peaks, group, 2)[1], expected)


@pytest.mark.parametrize("comparisons", [1, 1000])
@pytest.mark.parametrize(("own", "others"), [(1, 9), (5, 200), (40, 30)])
def test_an_interval_holds_what_is_no_further_than_its_own_error(own: int, others: int, comparisons: int) -> None:
    area = np.array([0.0, 0.3, 0.5, 0.9, 1.0])
    counts = np.full(5, own), np.full(5, others)
    low, high = lower_bound(area, *counts, comparisons), upper_bound(area, *counts, comparisons)
    sure, half = norm.isf(0.025 / comparisons), (own + others) / 2 - 1
    for measured, least, most in zip(area, low, high, strict=True):
        inside = []
        for value in np.linspace(0, 1, 20001):
            growth = 1 + half * (1 - value) / (2 - value) + half * value / (1 + value)
            if abs(measured - value) <= sure * np.sqrt(value * (1 - value) * growth / (own * others)):
                inside.append(value)
        assert (least, most) == pytest.approx((min(inside), max(inside)), abs=1e-4)
        assert inside[-1] - inside[0] == pytest.approx(len(inside[1:]) / 20000)  # no gaps: bisection finds the end


def test_an_interval_holds_one_half_where_the_rank_sum_test_does_not_reject() -> None:
    for own, others in ((3, 50), (20, 20), (8, 400)):
        spread = np.sqrt((own + others + 1) / 12 / (own * others))
        edge = 0.5 + norm.isf(0.025) * spread
        if edge < 1:
            counts = np.array([own]), np.array([others])
            assert lower_bound(np.array([edge - 1e-6]), *counts) < 0.5 < lower_bound(np.array([edge + 1e-6]), *counts)


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_intervals_hold_the_truth_as_often_as_they_say(shift: float) -> None:
    random = np.random.default_rng(1)
    group = np.repeat([0, 1], [80, 15])
    peaks = random.normal(size=(95, 2000)) + shift * group[:, None]
    area, truth = areas(peaks, group, 2)[1], norm.cdf(shift / np.sqrt(2))
    counts = np.full(2000, 15), np.full(2000, 80)
    held = (lower_bound(area, *counts) <= truth) & (truth <= upper_bound(area, *counts))
    assert 0.935 < held.mean() < 0.975


def test_an_area_that_is_not_known_has_no_interval() -> None:
    assert np.isnan(lower_bound(np.array([np.nan]), np.array([3]), np.array([4]))).all()


def test_shares_have_wilsons_interval() -> None:
    having, count = np.array([0, 4, 9, 1]), np.array([9, 9, 9, 2])
    expected = [binomtest(*pair).proportion_ci(0.95, method="wilson") for pair in zip(having, count, strict=True)]
    low, high = wilson(having, count)
    np.testing.assert_allclose(low, [interval.low for interval in expected], atol=1e-12)
    np.testing.assert_allclose(high, [interval.high for interval in expected], atol=1e-12)
    assert np.isnan(wilson(np.array([0]), np.array([0]))).all()
