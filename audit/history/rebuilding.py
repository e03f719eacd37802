"""A folder of reports -> `index.html` in it, at the cost of the runs that are new."""

from pathlib import Path

from audit.errors import StoreError
from audit.history.comparing import made
from audit.history.kept import Kept
from audit.history.page import GENERATOR, page
from audit.history.places import Place, places
from audit.history.runs import histories, uncompared
from audit.store.replacing import replace
from audit.store.writer import RESULTS

NAME = "index.html"
HEAD = 4096
"""Bytes of an index.html in which ours says that it is ours."""


def rebuild(folder: Path) -> Path:
    """Writes `index.html` of all runs in a folder of reports, and compares each model's newest run with the one before.

    Of audits that end at once, whoever writes last has a look again afterwards: no run is left out. StoreError where
    there are no runs, where a file cannot be written, and where there is an index.html that is not ours.
    """
    folder = Path(folder)
    path, kept = folder / NAME, Kept(folder)
    reasons: dict[tuple[Place, Place], str] = {}
    shown: list[Place] | None = None
    while (there := places(folder)) != shown:
        _refuse(path, there)
        models = histories(there, kept.of(there))
        kept.save()
        if pairs := [pair for pair in uncompared(models) if pair not in reasons]:
            reasons |= {pair: made(folder, *pair) for pair in pairs}
            continue  # to see what was made
        replace(path, page(folder.resolve().name, models, reasons).encode())
        shown = there
    return path


def _refuse(path: Path, there: list[Place]) -> None:
    """StoreError for an index of nothing, unless there was one, and for somebody else's file of that name."""
    if (path.parent / RESULTS).exists() or not (there or path.exists()):
        raise StoreError(f"no runs in {path.parent}: name the folder that holds a folder per model, as reports")
    try:
        head = path.read_bytes()[:HEAD] if path.exists() else GENERATOR.encode()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
    if GENERATOR.encode() not in head:
        raise StoreError(f"{path} was not written by deepvis-audit: rename it, or write the reports elsewhere")
