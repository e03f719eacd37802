"""Reports -> their verdicts across models, the worst first, and the words that say where each belongs."""

from collections.abc import Iterator, Sequence

from audit.records import REFUSED, Report, Verdict
from audit.render.pages.verdicts import ORDER
from audit.render.wording import needed, with_unit


def ranked(reports: Sequence[Report]) -> list[tuple[int, Verdict]]:
    """Every verdict with the place of its report, the worst outcomes first, else in the order of the run."""
    verdicts = [(place, verdict) for place, report in enumerate(reports) for verdict in report.verdicts]
    return sorted(verdicts, key=lambda pair: ORDER.index(pair[1].outcome))


def refused(reports: Sequence[Report]) -> Iterator[tuple[int, Verdict]]:
    """Those that refuse a checkpoint."""
    return (pair for pair in ranked(reports) if pair[1].outcome in REFUSED)


def place(verdict: Verdict) -> str:
    """`demo: dead-units of conv1`."""
    item = verdict.item
    return f"{item.model}: {item.task}" + ("" if item.layer is None else f" of {item.layer}")


def numbers(verdict: Verdict) -> str:
    """`measured 8.3 %, needed at most 5 %`; empty where nothing was measured."""
    if verdict.measured is None or verdict.limit is None:
        return ""
    return f"measured {with_unit(verdict.measured, verdict.unit)}, needed {needed(verdict)}"
