"""A run -> its mark among the verdicts over time, and its row in the table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from audit.history import links
from audit.history.comparing import command
from audit.history.links import Link
from audit.history.runs import Changes, Run, changes, readable
from audit.history.summary import Summary
from audit.render.pages.verdicts import COUNTED, ICONS, Count
from audit.render.wording import DASH, link

UNREADABLE = "unreadable"
SIGNS: Mapping[str, str] = {UNREADABLE: "?"} | {str(outcome): icon for outcome, icon in ICONS.items()}

MOST = 200
"""Runs that have a row."""


@dataclass(frozen=True)
class Mark:
    """A run as one sign."""

    outcome: str
    icon: str
    href: str
    title: str


@dataclass(frozen=True)
class Digest:
    """Its beginning, what it is of and how it goes on, and whether it is another than that of the run before."""

    short: str
    full: str
    changed: bool


@dataclass(frozen=True)
class Row:
    """A run that can be read. `changed` is against the run before, `command` makes a comparison that is not there."""

    outcome: str
    icon: str
    when: str
    href: str
    counts: str
    changed: str
    seconds: str
    checkpoint: Digest
    data: Digest
    device: str
    links: tuple[Link, ...]
    command: str


@dataclass(frozen=True)
class Unreadable:
    """Runs that cannot be read for one reason: of each the name, an identifier, and a link to what there is of it."""

    reason: str
    runs: tuple[tuple[str, str, str], ...]


def marks(runs: Sequence[Run]) -> list[Mark]:
    """In the order of the runs."""
    return [_mark(run) for run in runs]


def rows(runs: Sequence[Run]) -> list[Row]:
    """Of those that can be read, newest first, at most so many as a page can bear."""
    pairs = pairwise([None, *readable(runs)][-MOST - 1 :])
    return [_row(*after, before) for before, after in pairs if after][::-1]


def unreadable(runs: Sequence[Run]) -> list[Unreadable]:
    """The others, newest first."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for run in reversed(runs):
        if run.summary is None:
            named = run.place.name, links.row(run.place), links.report(run.place)
            found.setdefault(run.reason, []).append(named)
    return [Unreadable(reason, tuple(those)) for reason, those in found.items()]


def counts(summary: Summary) -> Iterator[Count]:
    """How many items had each outcome that any had, the worst first."""
    for outcome in COUNTED:
        if number := summary.outcomes.count(outcome):
            yield Count(outcome, ICONS[outcome], number)


def _mark(run: Run) -> Mark:
    summary = run.summary
    if summary is None:
        return Mark(UNREADABLE, SIGNS[UNREADABLE], link(links.row(run.place)), f"{run.place.name}: cannot be read")
    said = f"{summary.when}: {summary.outcome}, {summary.outcomes.count('passed')} of {len(summary.items)} passed"
    return Mark(summary.outcome, SIGNS[summary.outcome], links.report(run.place), said)


def _row(run: Run, summary: Summary, before: tuple[Run, Summary] | None) -> Row:
    earlier, said = before and before[0].place, before and before[1]
    return Row(
        outcome=summary.outcome,
        icon=SIGNS[summary.outcome],
        when=summary.when,
        href=links.report(run.place),
        counts=", ".join(f"{count.number} {count.outcome}" for count in counts(summary)) or DASH,
        changed=_changed(changes(said, summary)) if said else "",
        seconds=summary.provenance.get("seconds", DASH),
        checkpoint=_checkpoint(summary, said),
        data=_digest("pictures", "data", summary, said),
        device=summary.provenance.get("device", DASH),
        links=tuple(links.links(run.place, earlier)),
        command=command(earlier, run.place) if earlier and earlier.name not in run.place.compared else "",
    )


def _changed(found: Changes) -> str:
    parts = [("red", found.red), ("green", found.green), ("other", found.other)]
    return ", ".join(f"{len(those)} {word}" for word, those in parts if those)


def _checkpoint(summary: Summary, before: Summary | None) -> Digest:
    """The digest of the checkpoint's file, which other tools know too; of the weights where there is no file."""
    if summary.digest("checkpoint"):
        return _digest(f"SHA-256 of {summary.provenance.get('checkpoint')}", "checkpoint", summary, before)
    return _digest("weights", "weights", summary, before)


def _digest(what: str, of: str, summary: Summary, before: Summary | None) -> Digest:
    digest = summary.digest(of)
    changed = before is not None and before.digest(of) != digest
    return Digest(digest[:12] or DASH, f"{what}: {digest}" if digest else "", changed)
