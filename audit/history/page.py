"""Histories -> `index.html`: one file that opens from disk, loads nothing and runs nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from audit import __version__
from audit.history import links
from audit.history.links import Link
from audit.history.places import Place
from audit.history.rows import MOST, SIGNS, UNREADABLE, Mark, Row, Unreadable, counts, marks, rows, unreadable
from audit.history.runs import Change, Changes, Run, changes, readable, refusing
from audit.history.summary import Summary
from audit.history.trends import Trend, trends
from audit.records import REFUSED
from audit.render.pages.verdicts import Count
from audit.render.templates import fill
from audit.render.wording import link, place
from audit.words import plural

GENERATOR = '<meta name="generator" content="deepvis-audit index">'
"""What tells our index.html from somebody else's."""

MARKS, ROWS, LISTED = 60, 20, 12
"""Marks, rows and items of a list that are shown at once; the others unfold."""

Reasons = Mapping[tuple[Place, Place], str]


@dataclass(frozen=True)
class Newest:
    """The newest run, whether it can be read or not; `uncompared` is why it was not compared with the one before."""

    audit: str
    when: str
    outcome: str
    icon: str
    headline: str
    counts: tuple[Count, ...]
    links: tuple[Link, ...]
    uncompared: str


@dataclass(frozen=True)
class Turn:
    """An item, how it is now and how it was, or since when it is so."""

    id: str
    href: str
    outcome: str
    icon: str
    was: str
    message: str


@dataclass(frozen=True)
class Turns:
    """Items of the newest run that have something in common."""

    title: str
    items: tuple[Turn, ...]


@dataclass(frozen=True)
class Model:
    """Everything about one model; `before` is when the run was that the newest is held against."""

    name: str
    anchor: str
    href: str
    newest: Newest
    marks: tuple[Mark, ...]
    earlier: tuple[Mark, ...]
    before: str
    turns: tuple[Turns, ...]
    only: str
    trends: tuple[Trend, ...]
    rows: tuple[Row, ...]
    without_row: int
    unreadable: tuple[Unreadable, ...]


def page(folder: str, models: Mapping[str, Sequence[Run]], reasons: Reasons) -> str:
    """The text of the page; `reasons` say why pairs of runs could not be compared."""
    shown = [_model(name, runs, reasons) for name, runs in models.items()]
    return fill(
        "index.html",
        generator=GENERATOR,
        folder=folder,
        models=shown,
        good=sum(model.newest.outcome == "passed" for model in shown),
        runs=sum(map(len, models.values())),
        signs=SIGNS,
        at_once={"rows": ROWS, "items": LISTED},
        version=__version__,
    )


def _model(name: str, runs: Sequence[Run], reasons: Reasons) -> Model:
    known, signs = readable(runs), marks(runs)
    summaries = [summary for _, summary in known]
    newest, before = runs[-1], known[-2] if len(known) > 1 and runs[-1].summary else None
    found = changes(before[1], summaries[-1]) if before else None
    return Model(
        name=name,
        anchor=place("model", name),
        href=link(place("model", name)),
        newest=_newest(newest, before[0].place if before else None, reasons),
        marks=tuple(signs[-MARKS:]),
        earlier=tuple(signs[:-MARKS]),
        before=before[1].when if before else "",
        turns=tuple(each for each in _turns(newest, found, summaries) if each.items),
        only=_only(found) if found else "",
        trends=tuple(trends(summaries)),
        rows=tuple(rows(runs)),
        without_row=max(0, len(known) - MOST),
        unreadable=tuple(unreadable(runs)),
    )


def _newest(run: Run, before: Place | None, reasons: Reasons) -> Newest:
    files = tuple(links.links(run.place, before))
    if run.summary is None:
        return Newest("", run.place.name, UNREADABLE, SIGNS[UNREADABLE], run.reason, (), files, "")
    return Newest(
        audit=run.summary.audit,
        when=run.summary.when,
        outcome=run.summary.outcome,
        icon=SIGNS[run.summary.outcome],
        headline=run.summary.headline,
        counts=tuple(counts(run.summary)),
        links=files,
        uncompared=reasons.get((before, run.place), "") if before else "",
    )


def _turns(newest: Run, found: Changes | None, summaries: Sequence[Summary]) -> Iterator[Turns]:
    if newest.summary is None:
        return
    if found:
        yield Turns("Turned red", tuple(_turned(newest, change) for change in _worst_first(found.red)))
        yield Turns("Turned green", tuple(_turned(newest, change) for change in found.green))
        yield Turns("Changed otherwise", tuple(_turned(newest, change) for change in found.other))
    turned = {change.id for change in found.red} if found else set()
    still = {item: those for item, those in refusing(summaries).items() if item not in turned}
    yield Turns("Still red" if found else "Red", tuple(_still(newest, item, those) for item, those in still.items()))


def _worst_first(found: Sequence[Change]) -> list[Change]:
    return sorted(found, key=lambda change: REFUSED.index(change.after))


def _turned(run: Run, change: Change) -> Turn:
    return _turn(run, change.id, change.after, f"was {change.before}" if change.before else "not evaluated before")


def _still(run: Run, item: str, refusing: Sequence[Summary]) -> Turn:
    outcome = refusing[0].verdicts[item.partition("::")[2]][1]
    since = f"since {refusing[-1].when}, {plural(len(refusing), 'run')}" if len(refusing) > 1 else ""
    return _turn(run, item, outcome, since)


def _turn(run: Run, item: str, outcome: str, was: str) -> Turn:
    message = run.summary.said.get(item, "") if run.summary else ""
    return Turn(item, links.item(run.place, item), outcome, SIGNS[outcome], was, message)


def _only(found: Changes) -> str:
    """How many items only one of the two runs has."""
    parts = [
        f"{plural(found.new, 'item')} that the run before did not evaluate" if found.new else "",
        f"{plural(found.gone, 'item')} that only the run before evaluated" if found.gone else "",
    ]
    return "; ".join(part for part in parts if part)
