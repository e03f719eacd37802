"""Labels, and the columns of a CSV file that people wrote -> what is known of each picture."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from audit.data.comma_separated import PictureNames, Row, rows
from audit.data.source import Images
from audit.errors import DataError
from audit.records import Table

PICTURE = "picture"
YES, NO = ("1", "true", "yes"), ("0", "false", "no")
BOTH = ["1", "0"]
"""The kinds of a column of yes and no; the first is the concept."""

MANY = 20
"""Values of a column: of so many or more, half must stand twice on average, or they are no kinds of pictures."""


@dataclass(frozen=True)
class Grouping:
    """Pictures in groups that exclude each other: `group[image]`, -1 where it is not known.

    The first `targets` groups are what is looked for, each against all other pictures that are known; those behind
    are only others, as the zeros of a column of 0 and 1.
    """

    group: Int[np.ndarray, " image"]
    targets: int


@dataclass(frozen=True)
class Concepts:
    """What a file says of the pictures: a grouping per column; `names` are those of all their targets in a row."""

    groupings: tuple[Grouping, ...] = ()
    names: tuple[str, ...] = ()

    def table(self) -> Table:
        """Table "concepts", a row per concept: `name`, `pictures` that have it, of how many that are `known`."""
        having, known = [], []
        for one in self.groupings:
            counts = np.bincount(one.group[one.group >= 0], minlength=one.targets)
            having += counts[: one.targets].tolist()
            known += [int(counts.sum())] * one.targets
        columns = {"name": np.array(self.names, np.str_), "pictures": np.array(having), "known": np.array(known)}
        return Table("concepts", columns)


def of_labels(labels: Mapping[int, int], classes: int, images: int) -> Grouping:
    """Image index -> output index as one grouping of all classes."""
    group = np.full(images, -1)
    group[list(labels)] = list(labels.values())
    return Grouping(group, classes)


def read_concepts(path: Path, images: Images) -> Concepts:
    """The concepts of a CSV file: its column "picture" names pictures, every other column is a concept or several.

    A column of 0 and 1 (or no and yes, false and true) is one concept; of any other, each value is a concept,
    "column = value". An empty cell is unknown, and so is a picture without a row. DataError, with file and line, for a
    file that is no such table, a picture that has two rows, and values that are no concepts.
    """
    lines = rows(path, (PICTURE,))
    if not lines:
        raise DataError(f"{path.name}:1: there is no row below the names of the columns")
    columns = [name for name in lines[0].values if name != PICTURE]
    if not columns:
        raise DataError(f'{path.name}:1: there is no column but "{PICTURE}"; give each concept a column')
    of_image = _rows_of_images(lines, images)
    groupings: list[Grouping] = []
    names: list[str] = []
    for column in columns:
        kinds = _kinds(column, of_image.values())
        group = np.full(len(images), -1)
        for image, row in of_image.items():
            if row.values[column]:
                group[image] = kinds.index(_said(row.values[column], kinds))
        groupings.append(Grouping(group, 1 if kinds == BOTH else len(kinds)))
        names += [column] if kinds == BOTH else [f"{column} = {kind}" for kind in kinds]
    return Concepts(tuple(groupings), tuple(names))


def _rows_of_images(lines: Sequence[Row], images: Images) -> dict[int, Row]:
    names = PictureNames(np.array([images.name(index) for index in range(len(images))], np.str_))
    found: dict[int, Row] = {}
    for row in lines:
        image = names.find(row, row.values[PICTURE])
        if image in found:
            raise row.wrong(f'"{row.values[PICTURE]}" has a row already')
        if image is not None:
            found[image] = row
    if not found:
        first, there_is = lines[0].values[PICTURE], images.name(0)
        raise lines[0].wrong(f'there is no picture "{first}", nor any of those below; there is "{there_is}"')
    return found


def _kinds(column: str, rows: Collection[Row]) -> list[str]:
    """The different values, sorted; of yes and no, however they are written, `BOTH`."""
    known = [row for row in rows if row.values[column]]
    kinds = sorted({row.values[column] for row in known})
    lower = {kind.lower() for kind in kinds}
    if lower <= {*YES, *NO}:
        return BOTH
    strange = next((row for row in known if _is_strange(row.values[column])), None)
    if strange is not None and lower & {*YES} and lower & {*NO}:
        raise strange.wrong(f'column "{column}": "{strange.values[column]}" is neither yes nor no, as others there are')
    if len(kinds) >= MANY and 2 * len(kinds) > len(known):
        raise known[0].wrong(
            f'column "{column}" has {len(kinds)} values for {len(known)} pictures: these are no kinds of pictures; '
            "leave the column out, or make it few groups"
        )
    return kinds


def _is_strange(text: str) -> bool:
    """In a column of yes and no; numbers may be kinds."""
    return not text.isdecimal() and text.lower() not in YES + NO


def _said(text: str, kinds: Sequence[str]) -> str:
    return BOTH[text.lower() in NO] if kinds == BOTH else text
