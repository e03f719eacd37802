"""A number now and the same in the baseline -> whether it changed by no more than is allowed."""

from collections.abc import Mapping
from dataclasses import replace
from math import copysign, inf, isinf, isnan, sqrt
from typing import Any

from audit.baseline.numbers import Accepted, Entry, Noise
from audit.checks.chance import SURE
from audit.config import Change, difference, misfit
from audit.errors import AuditError, Unavailable
from audit.records import Judgement
from audit.words import with_unit

DIGITS = 9
"""Decimals of a change: 94.2 less 93.7 is 0.5, and not a rounding error more."""


def tolerance(noise: Noise | None) -> float:
    """How far from the mean of the repeated runs one more run lies in 99 % of the cases; 0 where that is not known.

    The prediction interval of a normal variable: Student's t with n - 1 degrees of freedom times s * sqrt(1 + 1/n).
    """
    if noise is None:
        return 0.0
    from scipy.stats import t  # a second of importing, for the few that need it

    quantile = float(t.ppf((1 + SURE) / 2, noise.runs - 1))
    return quantile * noise.deviation * sqrt(1 + 1 / noise.runs)


def entry_of(known: Accepted | None, name: str, check: str, options: Mapping[str, Any], data: str | None) -> Entry:
    """The number of an item in the baseline; Unavailable where it cannot be compared.

    `data` is the digest of the pictures, None for a check that needs none.
    """
    if known is None:
        raise Unavailable("there is no baseline of this model")
    if name not in known.items:
        raise Unavailable("the baseline has no number of this item")
    entry = known.items[name]
    if entry.check != check:
        raise Unavailable(f"the baseline has a number of {entry.check} under this name, and this is {check}")
    for option in sorted({*options, *entry.options}):
        now, then = options.get(option), entry.options.get(option)
        if now != then:
            raise Unavailable(f"the baseline was measured with {option} = {then}, and now it is {now}")
    if data is not None and known.data != data:
        then = f"the digest of the data is {known.data[:12]} there" if known.data else "it was shown none"
        raise Unavailable(f"the baseline was measured on other pictures: {then}, and {data[:12]} here")
    return entry


def held(judgement: Judgement, allowed: Change, entry: Entry) -> Judgement:
    """The change as a number with a limit of its own; AuditError where the units do not allow to say it so.

    The allowance is wider by the noise of the baseline.
    """
    if (reason := misfit(allowed, judgement.unit)) is not None:
        raise AuditError(reason)
    if entry.unit != judgement.unit:
        raise Unavailable(f"the baseline was measured in {entry.unit or 'no unit'}, and this is {judgement.unit}")
    unit = "%" if allowed.relative else difference(judgement.unit)
    change = _difference(judgement.measured, entry.value, allowed.relative)
    margin = _margin(entry, allowed.relative)
    message = _message(judgement, allowed, entry, change, with_unit(margin, unit))
    made = Judgement(change, allowed.amount + margin, "at most", unit, message, judgement.findings, allowed.amount)
    if allowed.direction == "below":
        made = replace(made, limit=0.0 - made.limit, good="at least", asked=0.0 - allowed.amount)
    if allowed.direction == "from":
        made = replace(made, measured=abs(change))
    return replace(made, findings=()) if made.passed else made


def _margin(entry: Entry, relative: bool) -> float:
    """What noise adds to the allowance; of zero nothing is a part, so it adds nothing there."""
    if relative:
        return 100 * tolerance(entry.noise) / abs(entry.value) if entry.value else 0.0
    return tolerance(entry.noise)


def _difference(now: float, then: float, relative: bool) -> float:
    return round(_share(now - then, then) if relative else now - then, DIGITS)


def _share(part: float, whole: float) -> float:
    """In percent; of zero nothing is a part but zero itself."""
    if whole == 0:
        return part if part == 0 or isnan(part) else copysign(inf, part)
    return 100 * part / abs(whole)


def _message(judgement: Judgement, allowed: Change, entry: Entry, change: float, margin: str) -> str:
    now, then = (with_unit(value, judgement.unit) for value in (judgement.measured, entry.value))
    side = "above" if change > 0 else "below"
    unit = "%" if allowed.relative else difference(judgement.unit)
    if isnan(change):
        said = f"{now} cannot be held against the {then} of the baseline"
    elif change == 0:
        said = f"{now}, as in the baseline"
    elif isinf(change):
        said = f"{now}, {side} the {then} of the baseline, of which nothing is a part"
    else:
        said = f"{now}, {with_unit(abs(change), unit)} {side} the {then} of the baseline"
    return f"{said}; {_allowed(allowed)} is allowed{_noise(entry.noise, margin, judgement.unit)}"


def _allowed(allowed: Change) -> str:
    direction = "either way" if allowed.direction == "from" else allowed.direction
    return f"at most {with_unit(allowed.amount, allowed.unit)} {direction}"


def _noise(noise: Noise | None, margin: str, unit: str) -> str:
    if noise is None:
        return ""
    if not noise.deviation:
        return f", and nothing for noise, of which {noise.runs} runs with other seeds had none"
    return (
        f", and {margin} more for noise: so far from their mean lies one more run in {SURE:.0%} of the cases, after "
        f"{noise.runs} runs with other seeds whose standard deviation is "
        f"{with_unit(noise.deviation, difference(unit))}"
    )
