"""Numbers -> how many of them are zero, repeated, not finite, too small, and how they spread."""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

SUBNORMAL = float(np.nextafter(np.finfo(np.float32).tiny, np.float32(0)))
"""Magnitudes up to this are subnormal in float32: exact to fewer digits, and many times slower on a CPU."""

VANISHES = 2.0**-25
"""Magnitudes up to this become 0 in float16, whose smallest number is 2**-24."""


def counts(values: Float[np.ndarray, " value"]) -> dict[str, float]:
    """What is special about values; `repeated` is the share of the most frequent non-zero one that occurs repeatedly.

    `distinct` counts different values (all NaN as one, 0 and -0 as one), `vanishing` what float16 makes 0 and is not.
    """
    ordered = np.sort(values)  # NaN last
    numbers = ordered[: np.searchsorted(ordered, np.nan)]
    negative, positive = numbers[: np.searchsorted(numbers, 0)], numbers[np.searchsorted(numbers, 0, "right") :]
    often = max(_longest_run(negative), _longest_run(positive))
    infinite = _up_to(negative, -np.inf) + positive.size - _up_to(positive, float(np.finfo(values.dtype).max))
    tiny, small = (
        negative.size - _up_to(negative, -most, "left") + _up_to(positive, most) for most in (SUBNORMAL, VANISHES)
    )
    return {
        "count": float(values.size),
        "zeros": float(numbers.size - negative.size - positive.size),
        "ones": float(_up_to(positive, 1.0) - _up_to(positive, 1.0, "left")),
        "distinct": float((numbers[1:] != numbers[:-1]).sum() + bool(numbers.size) + (numbers.size < values.size)),
        "repeated": often / values.size if often > 1 else 0.0,
        "not_finite": float(values.size - numbers.size + infinite),
        "subnormal": float(tiny),
        "vanishing": float(small),
    }


def spread(values: Float[np.ndarray, " value"], sampled: Float[np.ndarray, " sample"]) -> dict[str, float]:
    """Mean, standard deviation, largest magnitude; kurtosis (3 if normal) of the sample. NaN and infinity pass on."""
    with np.errstate(invalid="ignore", over="ignore"):
        constant = not np.ptp(sampled) > 0 if sampled.size else True
        return {
            "mean": float(values.mean(dtype=np.float64)) if values.size else float("nan"),
            "std": float(values.std(dtype=np.float64)) if values.size else float("nan"),
            "largest": float(np.abs(values).max()) if values.size else float("nan"),
            "kurtosis": float("nan") if constant else _kurtosis(_scaled(sampled)),
        }


def zero_filters(filters: Float[np.ndarray, " filter *weight"]) -> Bool[np.ndarray, " filter"]:
    """Whether all weights of a filter are zero."""
    return np.asarray(~filters.reshape(len(filters), -1).any(axis=1))


def equal_filters(filters: Float[np.ndarray, " filter *weight"]) -> dict[int, int]:
    """Filter -> the first one before it that has exactly the same weights; filters of zeros are left out."""
    rows = np.ascontiguousarray(filters.reshape(len(filters), -1) + 0.0)  # -0 becomes 0
    first: dict[bytes, int] = {}
    there = np.flatnonzero(~zero_filters(filters))
    before = {int(index): first.setdefault(rows[index].tobytes(), int(index)) for index in there}
    return {index: other for index, other in before.items() if other != index}


def _scaled(values: Float[np.ndarray, " value"]) -> Float[np.ndarray, " value"]:
    """By the largest magnitude, so that fourth powers of tiny numbers do not vanish."""
    return np.asarray(values / np.abs(values).max())


def _kurtosis(values: Float[np.ndarray, " value"]) -> float:
    """The fourth central moment over the square of the second: 3 of a normal distribution."""
    squares = (values - values.mean(dtype=np.float64)) ** 2
    return float((squares**2).mean() / squares.mean() ** 2)


def _up_to(ordered: Float[np.ndarray, " value"], limit: float, side: Literal["left", "right"] = "right") -> int:
    """How many of the values in order are at most `limit` ("right"), or below it ("left")."""
    return int(np.searchsorted(ordered, ordered.dtype.type(limit), side))


def _longest_run(ordered: Float[np.ndarray, " value"]) -> int:
    """How often the most frequent value occurs: the longest stretch of equal ones, by bisection."""
    low, high = min(1, ordered.size), 2
    while high <= ordered.size and _repeats(ordered, high):
        low, high = high, 2 * high
    high = min(high, ordered.size + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _repeats(ordered, middle) else (low, middle)
    return low


def _repeats(ordered: Float[np.ndarray, " value"], times: int) -> bool:
    return bool((ordered[times - 1 :] == ordered[: ordered.size - times + 1]).any())
