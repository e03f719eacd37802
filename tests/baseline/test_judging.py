"""The change of a number: what is allowed of it, and how much noise adds to that."""

from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from audit.baseline import Accepted, Entry, Noise, entry_of, held, tolerance
from audit.config import Change
from audit.config.changes import change
from audit.errors import AuditError, Unavailable
from audit.records import Finding, Judgement

Asked = tuple[str, str, dict[str, int], str]

ENTRY = Entry("accuracy", 94.2, "%", "at least", {"top": 1})
MODEL = Accepted(run="now", weights="w", configuration="c", code="d", data="p" * 64, items={"accuracy": ENTRY})


def judged(measured: float, unit: str = "%") -> Judgement:
    """What a check says that has found a unit."""
    return Judgement(measured, 0.0, "at least", unit, "", (Finding("conv1", 3, "is dead", 0.0),))


def beside(measured: float, text: str, then: float = 94.2, noise: Noise | None = None, unit: str = "%") -> Judgement:
    """A number beside the baseline's."""
    return held(judged(measured, unit), change(text), replace(ENTRY, measured=then, unit=unit, noise=noise))


@pytest.mark.parametrize(
    ("measured", "text", "changed", "passed"),
    [
        (93.7, "at most 0.5 points below baseline", -0.5, True),
        (93.6, "at most 0.5 points below baseline", -0.6, False),
        (99.0, "at most 0.5 points below baseline", 4.8, True),
        (94.7, "at most 0.5 points above baseline", 0.5, True),
        (94.8, "at most 0.5 points above baseline", 0.6, False),
        (10.0, "at most 0.5 points above baseline", -84.2, True),
        (94.7, "at most 0.5 points from baseline", 0.5, True),
        (93.7, "at most 0.5 points from baseline", 0.5, True),
        (93.6, "at most 0.5 points from baseline", 0.6, False),
        (84.78, "at most 10 % below baseline", -10.0, True),
        (84.7, "at most 10 % below baseline", -10.084925690, False),
        (94.2, "at most 0 points from baseline", 0.0, True),
    ],
)
def test_the_change_is_what_is_measured(measured: float, text: str, changed: float, passed: bool) -> None:
    judgement = beside(measured, text)
    assert judgement.measured == changed
    assert judgement.passed is passed
    assert bool(judgement.findings) is not passed


def test_what_is_asked_is_the_limit_where_there_is_no_noise() -> None:
    below = beside(90, "at most 0.5 points below baseline")
    assert (below.limit, below.asked, below.good, below.unit) == (-0.5, -0.5, "at least", "points")
    above = beside(90, "at most 10 % above baseline")
    assert (above.limit, above.asked, above.good, above.unit) == (10, 10, "at most", "%")


def test_the_message_says_both_numbers_and_what_is_allowed() -> None:
    assert beside(93.1, "at most 0.5 points below baseline").message == (
        "93.1 %, 1.1 points below the 94.2 % of the baseline; at most 0.5 points below is allowed"
    )
    assert beside(94.2, "at most 1 point from baseline").message == (
        "94.2 %, as in the baseline; at most 1 point either way is allowed"
    )
    assert beside(3, "at most 10 % above baseline", then=2, unit="layers").message == (
        "3 layers, 50 % above the 2 layers of the baseline; at most 10 % above is allowed"
    )


@pytest.mark.parametrize("text", ["below", "above", "from"])
@pytest.mark.parametrize("unit", ["points", "%"])
@pytest.mark.parametrize(("measured", "then"), [(nan, 94.2), (nan, 0.0), (inf, inf)])
def test_no_number_is_never_good(text: str, unit: str, measured: float, then: float) -> None:
    assert not beside(measured, f"at most 100 {unit} {text} baseline", then).passed


def test_of_zero_nothing_is_a_part_but_zero() -> None:
    assert beside(0, "at most 10 % above baseline", then=0).passed
    assert not beside(0.1, "at most 10 % above baseline", then=0).passed
    assert not beside(0.1, "at most 10 % from baseline", then=0, noise=Noise(3, 0.0, 5.0)).passed
    assert beside(0.1, "at most 10 % below baseline", then=0).passed


@given(n=st.integers(3, 200), s=st.floats(0, 1e6))
def test_the_tolerance_is_the_prediction_interval_of_one_more_run(n: int, s: float) -> None:
    _, upper = stats.t.interval(0.99, n - 1, loc=0, scale=1)
    assert tolerance(Noise(n, 17.0, s)) == pytest.approx(upper * (s * s + s * s / n) ** 0.5, rel=1e-9)


@pytest.mark.parametrize("n", [3, 5, 20])
def test_one_more_run_lies_in_the_interval_in_99_percent_of_the_cases(n: int) -> None:
    runs = np.random.default_rng(n).normal(94, 0.3, (20_000, n + 1))
    mean, deviation = runs[:, :n].mean(axis=1), runs[:, :n].std(axis=1, ddof=1)
    unit = tolerance(Noise(n, 0.0, 1.0))
    inside = np.abs(runs[:, n] - mean) <= unit * deviation
    assert inside.mean() == pytest.approx(0.99, abs=0.0025)


def test_noise_widens_the_allowance_around_the_mean_of_the_runs() -> None:
    noise = Noise(5, 94.0, 0.2)
    wider = float(stats.t.ppf(0.995, 4)) * 0.2 * 1.2**0.5
    judgement = beside(93.0, "at most 0.5 points below baseline", noise=noise)
    assert judgement.measured == -1.0
    assert judgement.asked == -0.5
    assert judgement.limit == pytest.approx(-0.5 - wider)
    assert judgement.passed
    assert judgement.message == (
        "93 %, 1 point below the 94 % of the baseline; at most 0.5 points below is allowed, and 1.0087 points more for "
        "noise: so far from their mean lies one more run in 99% of the cases, after 5 runs with other seeds whose "
        "standard deviation is 0.2 points"
    )
    assert not beside(92.4, "at most 0.5 points below baseline", noise=noise).passed


def test_noise_of_a_relative_change_is_a_part_of_the_baseline_too() -> None:
    judgement = beside(55, "at most 10 % above baseline", noise=Noise(3, 50.0, 1.0))
    assert judgement.limit == pytest.approx(10 + 2 * tolerance(Noise(3, 50.0, 1.0)))


def test_runs_that_agree_allow_nothing_for_noise() -> None:
    judgement = beside(94, "at most 0.5 points below baseline", noise=Noise(4, 94.2, 0.0))
    assert judgement.limit == judgement.asked == -0.5
    assert judgement.message.endswith("and nothing for noise, of which 4 runs with other seeds had none")


def test_a_number_of_another_unit_is_not_compared() -> None:
    with pytest.raises(Unavailable, match=r"measured in %, and this is layers"):
        held(judged(3, "layers"), Change(1, "layers", "above"), ENTRY)
    with pytest.raises(AuditError, match=r'write "at most 1 point below baseline"'):
        held(judged(90), Change(1, "layers", "below"), ENTRY)


@pytest.mark.parametrize(
    ("known", "asked", "said"),
    [
        (None, ("accuracy", "accuracy", {"top": 1}, "p" * 64), "there is no baseline of this model"),
        (MODEL, ("loss", "accuracy", {"top": 1}, "p" * 64), "no number of this item"),
        (MODEL, ("accuracy", "calibration", {"top": 1}, "p" * 64), "a number of accuracy under this name"),
        (MODEL, ("accuracy", "accuracy", {"top": 5}, "p" * 64), "with top = 1, and now it is 5"),
        (MODEL, ("accuracy", "accuracy", {"top": 1, "new": 2}, "p" * 64), "with new = None, and now it is 2"),
        (
            MODEL,
            ("accuracy", "accuracy", {"top": 1}, "q" * 64),
            "other pictures: .* pppppppppppp there, and qqqqqqqqqqqq",
        ),
        (
            replace(MODEL, data=None),
            ("accuracy", "accuracy", {"top": 1}, "q" * 64),
            "it was shown none, and qqqqqqqqqqqq",
        ),
    ],
)
def test_what_cannot_be_compared_is_unavailable(known: Accepted | None, asked: Asked, said: str) -> None:
    with pytest.raises(Unavailable, match=said):
        entry_of(known, *asked)


def test_weights_are_compared_whatever_the_pictures_are() -> None:
    assert entry_of(MODEL, "accuracy", "accuracy", {"top": 1}, None) is ENTRY
