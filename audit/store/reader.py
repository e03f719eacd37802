"""The folder of a report -> the report, every byte checked against its digest."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import UnidentifiedImageError

from audit.errors import StoreError
from audit.records import Pictures, Report, Scalars, Table
from audit.store import document, table, tables
from audit.store import pictures as of_pictures
from audit.store.sprites import Sheet
from audit.store.tiles import sheet_tiles
from audit.store.writer import HISTOGRAMS, PICTURES, RESULTS, SPRITES, TABLES, UNITS


def read(folder: Path) -> Report:
    """The report that `write` put into `folder`: the same records, pictures as they were stored (JPEG above 64 pixels).

    Pictures stay in their files, whose digests are checked, until somebody looks at them.

    StoreError if there is none, if it has another version, or if a file is missing or not the one that was written.
    """
    return _read(Path(folder), _whole)


def read_verdicts(folder: Path) -> Report:
    """`read` of what is small: no pictures, strongest images, histograms and tables, and no look at their files."""
    return _read(Path(folder), _small)


def _read(folder: Path, decoded: Callable[[dict[str, Any], Path], Report]) -> Report:
    try:
        text = (folder / RESULTS).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"no report in {folder}: there is no readable {RESULTS}; write one with `run`") from error
    try:
        return decoded(document.parse(text), folder)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, UnidentifiedImageError, OSError) as error:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
        raise StoreError(f"the report in {folder} is damaged ({reason}): run the audit again") from error


def _whole(stored: dict[str, Any], folder: Path) -> Report:
    files = stored["files"]
    numbers = of_pictures.decode(_checked(folder / PICTURES, files[PICTURES]), stored["pictures"])
    pictures = tuple(
        _pictures(entry, folder / SPRITES, own) for entry, own in zip(stored["pictures"], numbers, strict=True)
    )
    return replace(
        document.decode(stored, _scalars(stored, folder), pictures),
        histograms=tables.decode_histograms(_checked(folder / HISTOGRAMS, files[HISTOGRAMS]), stored["histograms"]),
        tables=tuple(_table(entry, folder, files) for entry in stored["tables"]),
    )


def _small(stored: dict[str, Any], folder: Path) -> Report:
    return document.decode({**stored, "strongest": []}, _scalars(stored, folder), ())


def _scalars(stored: Mapping[str, Any], folder: Path) -> tuple[Scalars, ...]:
    return table.decode(_checked(folder / UNITS, stored["files"][UNITS]), stored["scalars"])


def sheet_digests(folder: Path) -> dict[str, tuple[str, ...]]:
    """LAYER::KIND -> SHA-256 of the sheets of its pictures, of a folder that `read` has read."""
    stored = document.parse((Path(folder) / RESULTS).read_text(encoding="utf-8"))
    return {
        f"{entry['layer']}::{entry['kind']}": tuple(sheet["sha256"] for sheet in entry["sheets"])
        for entry in stored["pictures"]
    }


def _pictures(entry: Mapping[str, Any], sprites: Path, numbers: Mapping[str, np.ndarray]) -> Pictures:
    sheets = [Sheet(**{**sheet, "cell": tuple(sheet["cell"])}) for sheet in entry["sheets"]]
    tiles = sheet_tiles(sprites, sheets, (len(entry["units"]), entry["tiles"]), len(entry["groups"]), entry["size"])
    for sheet in sheets:
        tiles.check(sheet, _checked(sprites / _plain(sheet.file), sheet.sha256))
    return Pictures(
        layer=entry["layer"],
        kind=entry["kind"],
        units=tuple(entry["units"]),
        tiles=tiles,
        captions=tuple(tuple(row) for row in entry["captions"]),
        groups=tuple(entry["groups"]),
        note=entry["note"],
        numbers=numbers,
        names=tuple(entry["names"]),
    )


def _table(entry: Mapping[str, Any], folder: Path, files: Mapping[str, str]) -> Table:
    name = f"{_plain(entry['name'])}.parquet"
    return tables.decode(_checked(folder / TABLES / name, files[f"{TABLES}/{name}"]), entry)


def _plain(name: str) -> str:
    """`name` if it is nothing but a file name; ValueError if it would lead out of the folder."""
    if name in ("", ".", "..") or any(character in name for character in "/\\:\0"):
        raise ValueError(f"{name!r} is not the name of a file")
    return name


def _checked(path: Path, digest: str) -> bytes:
    if path.is_symlink():
        raise ValueError(f"{path.name} is a link")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{path.name} is not the file that {RESULTS} belongs to")
    return content
