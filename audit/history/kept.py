"""Summaries that are kept beside the reports, so that a rebuild reads only the runs that it has not seen."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from audit import __version__
from audit.history.places import Place
from audit.history.summary import Summary, summarised
from audit.records import Outcome
from audit.store import SCHEMA
from audit.store.replacing import replace

FILE = ".index.json"
FORM = [__version__, SCHEMA, *(field.name for field in fields(Summary))]
"""Whatever another version has kept is read anew: it may understand other runs."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

Known = Summary | str
"""What is known of a run, or why it cannot be read."""


class Kept:
    """What is known of the runs in a folder of reports; a file that cannot be read counts as not there."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._known = self._before = _read(folder / FILE)

    def of(self, places: Iterable[Place]) -> dict[str, Known]:
        """What is known of each run, by its id; those that are new, or changed, are read. Others are forgotten."""
        known = {}
        for place in places:
            state, summary = self._known.get(place.id, (None, ""))
            if state != place.state:
                summary = summarised(self.folder / place.model / place.name)
            known[place.id] = (place.state, summary)
        self._known = known
        return {name: summary for name, (_, summary) in known.items()}

    def save(self) -> None:
        """Keeps what is known now, where it is not what was known before. StoreError if it cannot be written."""
        if self._known != self._before:
            replace(self.folder / FILE, json.dumps(_document(self._known)).encode())
            self._before = self._known


State = tuple[tuple[int, int], ...]


def _document(known: Mapping[str, tuple[State, Known]]) -> dict[str, Any]:
    """Lists of items are written once: those of one audit's runs are mostly the same."""
    lists: dict[tuple[str, ...], int] = {}
    runs = {
        name: {"state": state, "known": summary if isinstance(summary, str) else _entry(summary, lists)}
        for name, (state, summary) in known.items()
    }
    return {"form": FORM, "items": list(lists), "runs": runs}


def _entry(summary: Summary, lists: dict[tuple[str, ...], int]) -> dict[str, Any]:
    outcomes = "".join(str(OUTCOMES.index(outcome)) for outcome in summary.outcomes)
    return {**vars(summary), "items": lists.setdefault(summary.items, len(lists)), "outcomes": outcomes}


def _read(file: Path) -> dict[str, tuple[State, Known]]:
    try:
        document = json.loads(file.read_bytes())
        if document["form"] != FORM:
            return {}
        lists = [tuple(items) for items in document["items"]]
        return {
            name: (tuple((int(time), int(size)) for time, size in run["state"]), _known(run["known"], lists))
            for name, run in document["runs"].items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def _known(entry: Any, lists: list[tuple[str, ...]]) -> Known:
    if isinstance(entry, str):
        return entry
    outcomes = tuple(OUTCOMES[int(digit)] for digit in entry["outcomes"])
    return Summary(**{**entry, "items": lists[entry["items"]], "outcomes": outcomes})
