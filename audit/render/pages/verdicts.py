"""Verdicts -> rows of items with their findings, counts of outcomes, and the headline."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from audit.records import REFUSED, Finding, Outcome, Report, Verdict, Waiver
from audit.render.wording import DASH, anchor, link, needed, place, with_unit
from audit.words import listed, plural

ICONS: dict[Outcome, str] = {
    "passed": "✓",
    "failed": "✗",
    "error": "!",
    "skipped": DASH,
    "waived": "~",
    "waiver-expired": "✗",
    "waiver-unused": "✗",
}

ORDER: tuple[Outcome, ...] = (*REFUSED, "waived", "skipped", "passed")

ALWAYS_COUNTED: tuple[Outcome, ...] = ("failed", "error", "passed", "skipped")
COUNTED: tuple[Outcome, ...] = ("failed", "error", "waiver-expired", "waiver-unused", "passed", "waived", "skipped")

FINDINGS = 12
"""Findings of an item that are shown at once; the others unfold."""


@dataclass(frozen=True)
class Count:
    """How many items had an outcome."""

    outcome: Outcome
    icon: str
    number: int


@dataclass(frozen=True)
class FindingRow:
    """A finding; `href` leads to the unit if it is pictured."""

    text: str
    href: str


@dataclass(frozen=True)
class WaiverRow:
    """What lets an item fail, or did: why, who answers for it, until which day, for what, and where it is written."""

    reason: str
    owner: str
    expires: str
    of: str
    place: str


@dataclass(frozen=True)
class ItemRow:
    """An item with its verdict; `measured` and `limit` are empty where there is no number.

    `message` says of a waived one why it is, `found` does not. `place` is its identifier on paper.
    """

    id: str
    anchor: str
    href: str
    outcome: Outcome
    icon: str
    task: str
    layer: str
    message: str
    measured: str
    limit: str
    findings: tuple[FindingRow, ...]
    more: tuple[FindingRow, ...]
    found: str
    place: str
    waiver: WaiverRow | None


def headline(report: Report) -> str:
    """The verdict in one sentence."""
    count = Counter(verdict.outcome for verdict in report.verdicts)
    if not count.total() - count["skipped"]:
        return "Nothing was evaluated, so nothing passed."
    if not any(count[outcome] for outcome in (*REFUSED, "passed")):
        return "Every item that was evaluated failed and is waived, so nothing passed."
    refused = [
        f"{plural(count['failed'], 'item')} failed" if count["failed"] else "",
        f"{plural(count['error'], 'item')} could not be evaluated" if count["error"] else "",
        f"{plural(count['waiver-expired'], 'waiver')} expired" if count["waiver-expired"] else "",
        f"{plural(count['waiver-unused'], 'waiver')} let nothing pass" if count["waiver-unused"] else "",
    ]
    if any(refused):
        return f"{' and '.join(part for part in refused if part)}, of {len(report.verdicts)}."
    evaluated = count["passed"] + count["waived"]
    good = f"All {count['passed']} evaluated items are" if count["passed"] > 1 else "The one evaluated item is"
    if count["waived"]:
        good = f"{count['passed']} of {evaluated} evaluated items are"
    rest = [
        f"{count['waived']} failed and {'is' if count['waived'] == 1 else 'are'} waived" if count["waived"] else "",
        f"{count['skipped']} {'was' if count['skipped'] == 1 else 'were'} skipped" if count["skipped"] else "",
    ]
    return "; ".join([f"{good} good", *(part for part in rest if part)]) + "."


def counts(report: Report) -> Iterator[Count]:
    """How many items had each outcome; of waivers only where there are any."""
    count = Counter(verdict.outcome for verdict in report.verdicts)
    for outcome in COUNTED:
        if outcome in ALWAYS_COUNTED or count[outcome]:
            yield Count(outcome, ICONS[outcome], count[outcome])


def item(verdict: Verdict, pictured: set[tuple[str, int]]) -> ItemRow:
    """The row of an item; its findings lead to those of its units that are `pictured`."""
    findings = tuple(_finding(finding, pictured) for finding in verdict.findings)
    identifier = anchor(verdict.item.id)
    numbers = verdict.measured is not None
    return ItemRow(
        id=verdict.item.id,
        anchor=identifier,
        href=link(identifier),
        outcome=verdict.outcome,
        icon=ICONS[verdict.outcome],
        task=verdict.item.task,
        layer=verdict.item.layer or "",
        message=_message(verdict),
        measured=with_unit(verdict.measured, verdict.unit) if numbers else "",
        limit=needed(verdict),
        findings=findings[:FINDINGS],
        more=findings[FINDINGS:],
        found=verdict.message,
        place=place("item", verdict.item.id),
        waiver=_waiver(verdict.waiver) if verdict.waiver else None,
    )


def _message(verdict: Verdict) -> str:
    waived = verdict.outcome == "waived" and verdict.waiver
    return f"{verdict.message}; {waived.said}" if waived else verdict.message


def _waiver(waiver: Waiver) -> WaiverRow:
    units = f", units {listed(waiver.units)}" if waiver.units else ""
    weights = f", weights {waiver.checkpoint[:12]} only" if waiver.checkpoint else ""
    return WaiverRow(waiver.reason, waiver.owner, waiver.expires, f"{waiver.items}{units}{weights}", waiver.place)


def _finding(finding: Finding, pictured: set[tuple[str, int]]) -> FindingRow:
    known = finding.layer is not None and finding.unit is not None and (finding.layer, finding.unit) in pictured
    return FindingRow(str(finding), link(place("unit", finding.layer, finding.unit)) if known else "")
