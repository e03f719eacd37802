"""A folder of reports -> the runs that lie there, without opening a file."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from audit.store.writer import RENDERED, RESULTS, UNITS

COMPARED = "compared"
"""In the folder of a run: comparisons with other runs of the model, each in a folder of the other's name."""

PAGE = "comparison.html"
"""What `audit.compare` calls its page there."""

STAMP = re.compile(r"(\d{8}-\d{6})(?:-(\d+))?")
"""What the program calls a run's folder: when it was started and, of several in one second, which one it is."""


@dataclass(frozen=True)
class Place:
    """The folder of a run as it is now.

    `files` are those of its report that are there, `state` are times and sizes of those that a summary is made from,
    `compared` the runs that it was compared with.
    """

    model: str
    name: str
    files: frozenset[str]
    state: tuple[tuple[int, int], ...]
    compared: frozenset[str]

    @property
    def id(self) -> str:
        """`demo/20260117-093000`: where it is in the folder of reports."""
        return f"{self.model}/{self.name}"


def places(folder: Path) -> list[Place]:
    """The runs of all models; hidden folders and other names of a run, as `latest`, are none."""
    return [place for model in _folders(folder) for place in _of_model(Path(model.path))]


def _of_model(folder: Path) -> list[Place]:
    here = os.path.realpath(folder)
    own = [entry for entry in _folders(folder) if not _is_other_name(entry, here)]
    found = [place for entry in own if (place := _place(folder.name, entry)) is not None]
    named = [place for place in found if place.name != "latest"]
    return named or found  # where links are impossible, latest is a copy of a run; it may be all that somebody kept


def _is_other_name(entry: os.DirEntry[str], folder: str) -> bool:
    return entry.is_symlink() and os.path.dirname(os.path.realpath(entry.path)) == folder


def _place(model: str, entry: os.DirEntry[str]) -> Place | None:
    """None where nothing says that the folder is, or was to be, a run."""
    there = {file.name: file for file in _entries(entry.path)}
    files = frozenset(name for name in (RESULTS, UNITS, *RENDERED) if name in there)
    if not files and not STAMP.fullmatch(entry.name):
        return None
    state = tuple(_state(there[name]) for name in (RESULTS, UNITS) if name in there)
    pairs = _folders(Path(entry.path) / COMPARED) if COMPARED in there else ()
    compared = frozenset(pair.name for pair in pairs if os.path.exists(os.path.join(pair.path, PAGE)))
    return Place(model, entry.name, files, state, compared)


def _state(file: os.DirEntry[str]) -> tuple[int, int]:
    try:
        stat = file.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


def _folders(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Those that are not hidden, by name."""
    shown = (entry for entry in _entries(folder) if not entry.name.startswith(".") and entry.is_dir())
    return iter(sorted(shown, key=lambda entry: entry.name))


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing of one that cannot be looked into, or has just been deleted."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
