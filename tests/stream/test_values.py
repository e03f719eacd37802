"""What is special about numbers, by counting them one by one."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from audit.stream.values import counts, equal_filters, spread, zero_filters

TINY = [0.0, -0.0, 1.0, -1.0, 1e-40, -1e-40, 2.0**-25, -(2.0**-24), 3e-8, np.inf, -np.inf, np.nan, 0.5, -2.0]


def counted(values: np.ndarray) -> dict[str, float]:
    """The definition, number by number."""
    listed = [float(value) for value in values]
    numbers = [value for value in listed if not np.isnan(value)]
    repeats = [times for value, times in Counter(numbers).items() if value != 0 and times > 1]
    return {
        "count": len(listed),
        "zeros": sum(value == 0 for value in listed),
        "ones": sum(value == 1 for value in listed),
        "distinct": len(set(numbers)) + (len(numbers) < len(listed)),
        "repeated": max(repeats, default=0) / len(listed) if listed else 0.0,
        "not_finite": sum(not np.isfinite(value) for value in listed),
        "subnormal": sum(0 < abs(value) < 2.0**-126 for value in listed),
        "vanishing": sum(0 < abs(value) < 1 and np.float16(value) == 0 for value in listed),
    }


@given(arrays(np.float32, st.integers(0, 30), elements=st.sampled_from(TINY) | st.floats(width=32)))
def test_counts_agree_with_their_definition(values: np.ndarray) -> None:
    assert counts(values) == counted(values)


@given(st.lists(st.integers(-3, 3), max_size=60))
def test_the_most_frequent_value_is_found_among_many_repeats(listed: list[int]) -> None:
    values = np.array(listed, dtype=np.float32)
    assert counts(values)["repeated"] == counted(values)["repeated"]


def test_spread_is_that_of_all_values_and_its_kurtosis_that_of_the_sample() -> None:
    values = np.random.default_rng(0).normal(3, 2, 500).astype(np.float32)
    measured = spread(values, values[:100].astype(np.float64))
    assert measured["mean"] == pytest.approx(values.mean(), rel=1e-5)
    assert measured["std"] == pytest.approx(values.std(), rel=1e-5)
    assert measured["largest"] == np.abs(values).max()
    assert measured["kurtosis"] == pytest.approx(stats.kurtosis(values[:100].astype(float), fisher=False), rel=1e-6)


def test_what_is_not_finite_is_passed_on_and_a_constant_has_no_kurtosis() -> None:
    broken = np.array([1.0, np.nan, np.inf], np.float32)
    assert np.isnan(spread(broken, broken.astype(np.float64))["largest"])
    assert spread(broken[[0, 2]], broken[[0, 2]].astype(np.float64))["largest"] == np.inf
    assert np.isnan(spread(np.ones(9, np.float32), np.ones(9))["kurtosis"])


def test_filters_of_zeros_and_copies_are_found() -> None:
    filters = np.random.default_rng(0).normal(size=(8, 3, 2, 2)).astype(np.float32)
    filters[1], filters[5], filters[4], filters[7] = 0, -0.0, filters[2], filters[2]
    assert np.flatnonzero(zero_filters(filters)).tolist() == [1, 5]
    assert equal_filters(filters) == {4: 2, 7: 2}


def test_a_filter_that_differs_in_one_weight_is_no_copy() -> None:
    filters = np.ones((2, 3), np.float32)
    filters[1, 2] = np.nextafter(np.float32(1), np.float32(2))
    assert equal_filters(filters) == {}
