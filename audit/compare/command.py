"""The command `compare`, less what is printed: two reports -> a comparison; a comparison -> its files."""

from pathlib import Path

from audit.compare.changes import Comparison
from audit.compare.comparison import compare
from audit.compare.document import encode
from audit.compare.page import page
from audit.compare.summary import summary
from audit.compare.units import DRIFTED_BELOW
from audit.errors import AuditError, StoreError
from audit.records import Report
from audit.store import read
from audit.store.replacing import replace

__all__ = ["DRIFTED_BELOW", "compare", "publish", "stored", "summary"]


def stored(place: Path) -> Report:
    """The run in a folder; AuditError where there is none, which says what else it could be."""
    if place.is_file():
        raise AuditError(
            f"{place} is a file: name the folder of a run (reports/MODEL/latest), "
            "or say with --audit AUDIT.TOML which model the two checkpoints belong to"
        )
    if not place.exists():
        raise AuditError(f"no folder {place}: name the folder of a run, as reports/MODEL/latest")
    return read(place)


def publish(comparison: Comparison, a: Report, b: Report, folder: Path) -> tuple[Path, ...]:
    """comparison.html and comparison.json; StoreError where they cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    files = {"comparison.html": page(comparison, a, b), "comparison.json": encode(comparison)}
    return tuple(replace(folder / name, text.encode("utf-8")) for name, text in files.items())
