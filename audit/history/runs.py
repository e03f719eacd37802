"""Places and summaries -> the history of each model: its runs in order, and what changed from one to the next."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from audit.history.places import STAMP, Place
from audit.history.summary import Summary
from audit.records import REFUSED, Outcome


@dataclass(frozen=True)
class Run:
    """A run of a model. `summary` is None where it cannot be read, and `reason` says why."""

    place: Place
    summary: Summary | None
    reason: str = ""


@dataclass(frozen=True)
class Change:
    """An item with another outcome than in the run before; `before` is None where that run did not evaluate it."""

    id: str
    before: Outcome | None
    after: Outcome


@dataclass(frozen=True)
class Changes:
    """What a run says otherwise than the one before; `new` and `gone` are how many items only one of them has."""

    red: tuple[Change, ...]
    green: tuple[Change, ...]
    other: tuple[Change, ...]
    new: int
    gone: int


def histories(places: Iterable[Place], known: Mapping[str, Summary | str]) -> dict[str, list[Run]]:
    """The runs of each model, oldest first."""
    models: dict[str, list[Run]] = {}
    for place in places:
        models.setdefault(place.model, []).append(_run(place, known[place.id]))
    return {model: sorted(runs, key=_when) for model, runs in models.items()}


def readable(runs: Iterable[Run]) -> list[tuple[Run, Summary]]:
    """Those that can be read."""
    return [(run, run.summary) for run in runs if run.summary is not None]


def uncompared(models: Mapping[str, Sequence[Run]]) -> list[tuple[Place, Place]]:
    """The newest run of each model that can be read, with the one before, where nobody has compared them."""
    pairs = [[run.place for run, _ in readable(runs)[-2:]] for runs in models.values()]
    return [(pair[0], pair[1]) for pair in pairs if len(pair) == 2 and pair[0].name not in pair[1].compared]


def changes(before: Summary, after: Summary) -> Changes:
    """What the later one says otherwise."""
    old, new = before.verdicts, after.verdicts
    both = {name: old[name][1] if name in old else None for name in new}
    changed = [Change(item, both[name], outcome) for name, (item, outcome) in new.items() if both[name] != outcome]
    red = [one for one in changed if one.after in REFUSED and one.before not in REFUSED]
    green = [one for one in changed if one.after == "passed" and one.before in REFUSED]
    other = [one for one in changed if one.before is not None and one not in red and one not in green]
    return Changes(tuple(red), tuple(green), tuple(other), len(new.keys() - old.keys()), len(old.keys() - new.keys()))


def refusing(summaries: Sequence[Summary]) -> dict[str, list[Summary]]:
    """By the id of each item that the latest run refuses: all that refused it since it was last good, latest first.

    Runs that did not evaluate it say nothing of it.
    """
    found: dict[str, list[Summary]] = {}
    red = {name: item for name, (item, outcome) in summaries[-1].verdicts.items() if outcome in REFUSED}
    for summary in reversed(summaries):
        verdicts = summary.verdicts
        for name in [name for name in red if name in verdicts]:
            if verdicts[name][1] in REFUSED:
                found.setdefault(red[name], []).append(summary)
            else:
                del red[name]
        if not red:
            break
    return found


def _run(place: Place, known: Summary | str) -> Run:
    return Run(place, None, known) if isinstance(known, str) else Run(place, known)


def _when(run: Run) -> tuple[str, int, str]:
    """By when it was started, as it says itself, or its folder's name; of several in one second by their numbers."""
    named = STAMP.fullmatch(run.place.name)
    stamp, number = (named[1], int(named[2] or 1)) if named else ("", 0)
    started = run.summary.started if run.summary else None
    return started.strftime("%Y%m%d-%H%M%S") if started else stamp, number, run.place.name
