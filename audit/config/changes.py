"""What a number may change against the baseline: a text of audit.toml -> an amount, its unit and a direction."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from audit.words import unit_of

Direction = Literal["below", "above", "from"]

FORM = re.compile(r"^at most ([0-9]+(?:\.[0-9]+)?)(?: ?(%)| ([a-z]+))? (below|above|from) baseline$")
ChangeText = Annotated[
    str,
    Field(
        pattern=FORM.pattern,
        examples=[
            "at most 0.5 points below baseline",
            "at most 10 % below baseline",
            "at most 2 points above baseline",
            "at most 1 point from baseline",
        ],
    ),
]

SUFFIX = "-change"
"""What the item of a change is called behind the name of its check."""

POINTS = ("%", "points")
"""Units of which a difference is counted in points."""

BARE = ("", "times")
"""Units of which a difference is written as a number alone."""


@dataclass(frozen=True)
class Change:
    """The largest change that is allowed: downwards, upwards or ("from") either way.

    `relative`: the amount is in percent of the baseline; else it is in `unit`, which is "points", "layers" or "".
    """

    amount: float
    unit: str
    direction: Direction

    @property
    def relative(self) -> bool:
        """Whether the amount is in percent of the baseline."""
        return self.unit == "%"

    def fits(self, unit: str) -> bool:
        """Whether a number of that unit can change so."""
        return self.relative or self.unit == difference(unit)


def change(text: str) -> Change:
    """The change that a text allows; ValueError if it has none of the forms."""
    form = FORM.fullmatch(text)
    if form is None:
        raise ValueError(f"{text!r} says no change")
    amount, percent, unit, direction = form.groups()
    plural = f"{unit.removesuffix('s')}s" if unit else ""
    return Change(float(amount), percent or plural, direction)  # type: ignore[arg-type]


def difference(unit: str) -> str:
    """The unit of the difference of two numbers of a unit: points of shares, layers of layers."""
    if unit in POINTS:
        return "points"
    return "" if unit in BARE else unit


def misfit(allowed: Change, unit: str) -> str | None:
    """Why a number of that unit cannot change so, and how to say what it can; None if it can."""
    if allowed.fits(unit):
        return None
    wanted = f"1 {unit_of(1, difference(unit))}" if difference(unit) else "0.1"
    counted = "a number without a unit" if unit in BARE else f"a number of {unit}"
    return (
        f'the check measures {counted}: write "at most {wanted} {allowed.direction} baseline", or for a part of the '
        f'baseline "at most 10 % {allowed.direction} baseline"'
    )
