"""Names and counts -> how a message says them."""

from collections.abc import Sequence


def listed(names: Sequence[object], most: int = 20) -> str:
    """The first of them, and how many more: `1, 2, 3 and 4 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def plural(count: float, noun: str) -> str:
    """`1 item`, `2 items`; a count that is not a number is `nan items`."""
    return f"{count:.0f} {noun}{'' if count == 1 else 's'}"


def with_unit(value: float, unit: str, digits: int = 5) -> str:
    """`94.167 %`, `1 layer`, `0.5`: a number of so many digits and its unit, if it has one."""
    return f"{value:.{digits}g} {unit_of(value, unit)}".rstrip()


def unit_of(value: float, unit: str) -> str:
    """The unit of a number as it follows the number: `layer` after 1, `layers` after others, `%` after any."""
    return unit.removesuffix("s") if value == 1 else unit
