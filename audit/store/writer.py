"""A report -> its folder, all or nothing."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from audit.errors import StoreError
from audit.records import Pictures, Report
from audit.store import document, pictures, table, tables
from audit.store.sprites import Sheet, write_sheets

RESULTS, UNITS, HISTOGRAMS, PICTURES = "results.json", "units.parquet", "histograms.parquet", "pictures.parquet"
SPRITES, TABLES = "sprites", "tables"
RENDERED, BESIDE = ("report.html", "report.pdf", "rendered.json"), "report"


def write(report: Report, folder: Path) -> None:
    """Puts `report` into `folder`, which is created if need be.

    It is written beside the folder and moved into place. A report that is already there is replaced and what was
    rendered from it removed; other files stay. results.json comes last and holds the digests of the other files, so
    that `read` refuses what a killed run left half replaced. StoreError if the folder cannot be written, or if it
    holds files of these names that are no report.
    """
    folder = Path(folder)
    _refuse_what_is_not_ours(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
            staged = Path(temporary) / "new"
            _fill(report, staged)
            if folder.exists():
                _replace(staged, folder, Path(temporary) / "old")
            else:
                os.rename(staged, folder)
    except OSError as error:
        raise StoreError(f"cannot write the report to {folder}: {error.strerror or error}") from error


def holds_report(folder: Path) -> bool:
    """Whether there is a results.json that this program (of whatever version) wrote."""
    try:
        head = json.loads((folder / RESULTS).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(head, dict) and isinstance(head.get("schema"), int) and "items" in head


def _fill(report: Report, folder: Path) -> None:
    (folder / SPRITES).mkdir(parents=True)
    (folder / TABLES).mkdir()
    index = [_put_sheets(record, folder / SPRITES) for record in report.pictures]
    files = {
        UNITS: table.encode(report.model, report.scalars),
        HISTOGRAMS: tables.encode_histograms(report.histograms),
        PICTURES: pictures.encode(report.model, report.pictures),
    }
    files |= {f"{TABLES}/{one.name}.parquet": tables.encode(one) for one in report.tables}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    (folder / RESULTS).write_text(
        document.encode(report, index, [tables.entry(one) for one in report.tables], digests), encoding="ascii"
    )


def _put_sheets(record: Pictures, folder: Path) -> list[Sheet]:
    """One after another: all pictures of a large report do not fit into memory."""
    sheets = []
    for sheet, content in write_sheets(record):
        path = folder / sheet.file
        if path.exists():
            raise StoreError(f"two records hold the pictures of {sheet.file}: give one per layer and kind")
        path.write_bytes(content)
        sheets.append(sheet)
    return sheets


def _replace(staged: Path, folder: Path, old: Path) -> None:
    old.mkdir()
    for name in (*RENDERED, BESIDE):
        if (folder / name).exists():
            shutil.move(folder / name, old / name)
    for name in (SPRITES, TABLES):
        if (folder / name).exists():
            shutil.move(folder / name, old / name)
        os.rename(staged / name, folder / name)
    for name in (UNITS, HISTOGRAMS, PICTURES, RESULTS):
        os.replace(staged / name, folder / name)


def _refuse_what_is_not_ours(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file: name a folder for the report")
    ours = (RESULTS, UNITS, HISTOGRAMS, PICTURES, SPRITES, TABLES, *RENDERED, BESIDE)
    there = [name for name in ours if (folder / name).exists()]
    if there and not holds_report(folder):
        raise StoreError(f"{folder} holds {', '.join(there)} but no report: name another folder, or remove them")
