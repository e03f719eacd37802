"""A CSV file that people wrote -> its rows, each with its line, and the pictures that they are about."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Shaped

from audit.errors import DataError, nearest


@dataclass(frozen=True)
class Row:
    """A row of a CSV file: `line` (1-based) of `file`, and its values by the names of the columns."""

    file: str
    line: int
    values: dict[str, str]

    def wrong(self, message: str) -> DataError:
        """The error that says where."""
        return DataError(f"{self.file}:{self.line}: {message}")


def missing_file(folder: Path, option: str, name: str | None) -> Iterator[tuple[str, str]]:
    """(option, message) if an option names a file that is not there."""
    path = folder / Path(name or "").expanduser()
    if name is not None and not path.is_file():
        there_is = sorted(other.name for other in path.parent.glob("*.csv"))
        yield option, f'there is no file "{name}"{nearest(Path(name).name, there_is)}'


def rows(path: Path, needed: Sequence[str]) -> list[Row]:
    """The rows below the header; DataError naming file and line where the columns `needed` or values are not there."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            if twice := [name for place, name in enumerate(header) if name in header[:place]]:
                raise DataError(f'{path.name}:1: there are two columns "{twice[0]}"')
            for column in needed:
                if column not in header:
                    raise DataError(f'{path.name}:1: there is no column "{column}"{nearest(column, header)}')
            return [_row(path, reader.line_num, header, values) for values in reader if values]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path.name}: {error}") from error


def _row(path: Path, line: int, header: Sequence[str], values: Sequence[str]) -> Row:
    if len(values) != len(header):
        raise DataError(f"{path.name}:{line}: {len(values)} values for {len(header)} columns ({', '.join(header)})")
    return Row(path.name, line, dict(zip(header, (value.strip() for value in values), strict=True)))


class PictureNames:
    """Finds pictures by what people call them: their names, or only the last part of a path where that is enough."""

    def __init__(self, names: Shaped[np.ndarray, " picture"]):
        self._rows = {str(name): place for place, name in enumerate(names)}
        self._ends: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            self._ends.setdefault(PurePosixPath(str(name)).name, []).append(place)

    def find(self, row: Row, name: str) -> int | None:
        """The picture's place; None if it was not shown; DataError if several have that name."""
        if name in self._rows:
            return self._rows[name]
        ends = self._ends.get(name, [])
        if len(ends) > 1:
            raise row.wrong(f'{len(ends)} pictures are called "{name}"; give the path inside the folder of pictures')
        return ends[0] if ends else None
