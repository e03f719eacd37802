"""A CSV file -> pictures by index: a path, a label and whatever else its columns say of each picture."""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from audit import events
from audit.data.attributes import NAMES
from audit.data.damage import PictureError
from audit.data.decode import decoded
from audit.data.source import SILENCE, Columns, Label, Picture, digest_of, fingerprint_of
from audit.errors import SectionError, nearest

PATH, LABEL = "path", "label"


@dataclass(frozen=True)
class Listed:
    """Picture files in the order of a list, their paths relative to it."""

    root: Path
    paths: tuple[str, ...]
    labels: tuple[Label, ...]
    table: Columns

    @classmethod
    def open(cls, file: Path) -> "Listed":
        """SectionError("list"), with line and column, for a file that is no such list.

        That the pictures are there is seen when they are read: of a million files none is touched before.
        """
        lines = list(_lines(file))
        if not lines:
            raise _wrong(file, 1, f'is empty; its first line names the columns: "{PATH}", "{LABEL}" and others')
        header = _header(file, [name.strip() for name in lines[0][1]])
        if not lines[1:]:
            raise _wrong(file, lines[0][0], "lists no pictures")
        cells = {name: [row[place].strip() for _, row in lines[1:]] for place, name in enumerate(header)}
        numbers = [line for line, _ in lines[1:]]
        if "" in cells[PATH]:
            raise _wrong(file, numbers[cells[PATH].index("")], f'column "{PATH}": a picture without a path')
        table = {
            name: _column(file, name, texts, numbers) for name, texts in cells.items() if name not in (PATH, LABEL)
        }
        labels = _labels(cells[LABEL]) if LABEL in cells else (None,) * len(numbers)
        return cls(file.parent, tuple(cells[PATH]), labels, table)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        return self.paths[index]

    def picture(self, index: int) -> Picture:
        try:
            return decoded(self.root / self.paths[index])
        except ValueError as error:
            raise PictureError(self.name(index), str(error)) from error

    def label(self, index: int) -> Label:
        return self.labels[index]

    def columns(self) -> Columns:
        return self.table

    def digest(self, index: int) -> bytes:
        words = {name: column[index].item() for name, column in self.table.items()}
        return digest_of(self.root / self.paths[index], self.labels[index], words)

    def fingerprint(self, listener: events.Listener = SILENCE) -> str:
        return fingerprint_of(self, listener)


def _lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every row that is not empty, all of one length."""
    width = None
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text, strict=True)
            for row in rows:
                width = len(row) if width is None else width
                if row and len(row) != width:
                    raise _wrong(file, rows.line_num, f"{len(row)} columns where the first line has {width}")
                if row:
                    yield rows.line_num, row
    except OSError as error:
        raise SectionError("list", f'cannot read the list "{file}": {error.strerror or error}') from error
    except UnicodeDecodeError as error:
        raise SectionError("list", f'the list "{file}" is not UTF-8 text; save it as UTF-8') from error
    except csv.Error as error:
        raise _wrong(file, rows.line_num, f"is not CSV: {error}") from error


def _header(file: Path, names: Sequence[str]) -> Sequence[str]:
    if PATH not in names:
        raise _wrong(file, 1, f'no column "{PATH}"{nearest(PATH, [name for name in names if name])}')
    for place, name in enumerate(names):
        if not name or name in names[:place]:
            raise _wrong(file, 1, f"column {place + 1} " + (f'is a second "{name}"' if name else "has no name"))
        if name in ("image", *NAMES):
            raise _wrong(file, 1, f'column "{name}": every picture has a measured "{name}"; give it another name')
    return names


def _labels(texts: Sequence[str]) -> tuple[Label, ...]:
    """Indices of outputs if all of them are whole numbers, else names of classes; None where a cell is empty."""
    whole = all(text.lstrip("-").isdecimal() and text.isascii() for text in texts if text)
    return tuple((int(text) if whole else text) if text else None for text in texts)


def _column(file: Path, name: str, texts: Sequence[str], lines: Sequence[int]) -> Shaped[np.ndarray, " picture"]:
    """Numbers, NaN where a cell is empty, if every cell that is not is a number; else texts."""
    try:
        numbers = [float(text) if text else math.nan for text in texts]
    except ValueError:
        return np.array(texts, np.str_)
    for number, line in zip(numbers, lines, strict=True):
        if math.isinf(number):
            raise _wrong(file, line, f'column "{name}": nothing compares with infinity; leave the cell empty')
    return np.array(numbers) if any(texts) else np.array(texts, np.str_)


def _wrong(file: Path, line: int, what: str) -> SectionError:
    return SectionError("list", f'the list "{file}", line {line}: {what}')
