"""Outcomes of plantings -> how many were found, by whom, what was missed, and the rows that a benchmark writes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.defects.lab import Outcome

Row = dict[str, Any]


@dataclass(frozen=True)
class Rate:
    """So many of so many."""

    count: int
    of: int

    def __str__(self) -> str:
        return f"{self.count}/{self.of}" if self.of else "-"

    @property
    def share(self) -> float:
        """NaN of nothing."""
        return self.count / self.of if self.of else float("nan")


def rate(outcomes: Sequence[Outcome], what: Callable[[Outcome], object]) -> Rate:
    """How many of the outcomes are so."""
    return Rate(sum(bool(what(outcome)) for outcome in outcomes), len(outcomes))


def must(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those of defects that must be found."""
    return [outcome for outcome in outcomes if outcome.must_be_found]


def misses(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Defects that must be found, and were not."""
    return [outcome for outcome in must(outcomes) if not outcome.found]


def cries(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Plantings with which nothing is wrong, and something was found."""
    return [outcome for outcome in outcomes if outcome.must_not_be_found and outcome.found]


def of_kind(outcomes: Sequence[Outcome], model: str, kind: str | None = None) -> list[Outcome]:
    """Those of a model, and of a kind."""
    return [
        outcome
        for outcome in outcomes
        if outcome.planting.subject.name == model and kind in (None, outcome.planting.defect.kind)
    ]


def why(outcome: Outcome) -> str:
    """What the lab knows of a miss."""
    broke = f"; broke down: {', '.join(sorted(outcome.errors))}" if outcome.errors else ""
    return f"costs {outcome.cost:.1f} points; {' | '.join(outcome.said)}{broke}"


def rows(outcomes: Sequence[Outcome], false_alarms: Mapping[str, int]) -> Iterator[Row]:
    """Names, values and units: of each kind in each model, of each model, and of its healthy checkpoint."""
    for model, count in false_alarms.items():
        mine = of_kind(outcomes, model)
        yield _row(f"{model}/healthy/false-alarms", count, "items")
        yield _row(f"{model}/cries", len(cries(mine)), "plantings")
        yield _row(f"{model}/missed", len(misses(mine)), "plantings")
        yield from _rates(f"{model}/must", must(mine))
        for kind in dict.fromkeys(outcome.planting.defect.kind for outcome in mine):
            yield from _rates(f"{model}/{kind}", of_kind(mine, model, kind))
            needed = rate(must(of_kind(mine, model, kind)), lambda outcome: outcome.found)
            if needed.of:
                yield _row(f"{model}/{kind}/must-found", needed.share, f"of {needed.of}")


def _rates(name: str, outcomes: Sequence[Outcome]) -> Iterator[Row]:
    if not outcomes:
        return
    yield _row(f"{name}/found", rate(outcomes, lambda outcome: outcome.found).share, f"of {len(outcomes)}")
    yield _row(f"{name}/named", rate(outcomes, lambda outcome: outcome.named).share, f"of {len(outcomes)}")
    yield _row(f"{name}/at-place", rate(outcomes, lambda outcome: outcome.at_place).share, f"of {len(outcomes)}")


def _row(name: str, value: float, unit: str) -> Row:
    return {"name": name, "value": value, "unit": unit}
