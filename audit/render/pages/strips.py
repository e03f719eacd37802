"""Pictured units of a layer -> sheets for paper: several units side by side in one picture, their captions in a line.

Of each unit, one picture of each of the three views: what was made for it, what it saw, what in that it answered to.
One picture per row, and no box per thumbnail, is what keeps a page of hundreds of them cheap to lay out.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from audit.records import Pictures
from audit.render.pages.columns import Columns, cell
from audit.render.pages.sections import NOTHING
from audit.render.pages.true_size import PREFERRED
from audit.render.sprites import DOTS, Embedded, Print
from audit.render.wording import place
from audit.store.sprites import PAPER, grid
from audit.store.tiles import SheetTiles

VIEWS = (
    ("optimized", "filters"),
    ("max-patches", "max-images"),
    ("deconv", "guided", "gradient", "occlusion"),
)
"""Of each view, the kinds that stand for it: the first that there is."""

ACROSS = {1: 8, 2: 5, 3: 4}
"""Units in a row, by how many pictures each has."""

WIDTH, HEIGHT = 180, 232
"""Millimetres of a page that the sheets of a layer may fill, below its heading."""

GAP, GUTTER, LINE = 3.0, 0.8, 5.5
"""Millimetres between units, between pictures of a unit, and of a line of captions with the space below it."""

PAGES = 3
"""Of sheets of a layer."""

LETTERS = 60
"""Of a label, more than there is ever room for."""

NONE = 240
"""Gray level of a picture that there is not."""


@dataclass(frozen=True)
class Caption:
    """What stands under a unit."""

    anchor: str
    unit: str
    text: str
    flagged: bool


@dataclass(frozen=True)
class UnitRow:
    """A row of units as one picture; the captions stand in columns of the same width."""

    image: Embedded
    alt: str
    captions: tuple[Caption, ...]


@dataclass(frozen=True)
class Strips:
    """Rows of units, `column` millimetres wide each; `text` says what is seen, `left_out` units had no room."""

    text: str
    column: float
    rows: tuple[UnitRow, ...]
    left_out: int


@dataclass(frozen=True)
class Column:
    """One view of every unit: a record, and which of its tiles are shown."""

    title: str
    pictures: Pictures
    tiles: tuple[int, ...]


def room(pictures: Sequence[Pictures]) -> int:
    """How many units there is room for, given what they are pictured by."""
    views = len(_chosen(pictures))
    if not views:
        return 0
    return PAGES * int(HEIGHT // (_side(views) + LINE)) * ACROSS[views]


def strips_of(  # noqa: PLR0917  # what a caption is made of
    pictures: Sequence[Pictures],
    units: Sequence[int],
    left_out: int,
    titles: Mapping[str, str],
    labels: Sequence[str],
    columns: Columns,
    flagged: Sequence[int],
    embed: Print,
) -> Strips | None:
    """The sheets of these units; None if there are none, or no picture of them."""
    chosen = [_column(record, titles) for record in _chosen(pictures)]
    if not units or not chosen:
        return None
    if len(chosen) == 1:
        chosen = [_column(chosen[0].pictures, titles, most=9)]
    layer, across, side = chosen[0].pictures.layer, ACROSS[len(chosen)], round(_side(len(chosen)) * DOTS)
    with ThreadPoolExecutor(2) as pool:  # sheets are decoded without Python's lock
        seen = list(pool.map(lambda column: _squares(column, units, side), chosen))
    text = "; ".join(_said(column) for column in chosen)
    rows = []
    for first in range(0, len(units), across):
        some = units[first : first + across]
        picture = _strip([[squares[unit] for squares in seen] for unit in some], across)
        captions = tuple(_caption(layer, unit, labels, columns, unit in flagged) for unit in some)
        numbers = ", ".join(map(str, some))
        rows.append(UnitRow(embed.picture(picture), f"Units {numbers} of {layer}: {text}", captions))
    return Strips(text, WIDTH / across, tuple(rows), left_out)


def _chosen(pictures: Sequence[Pictures]) -> list[Pictures]:
    """One record per view; of other kinds the first, where there are none of these."""
    known = {record.kind: record for record in pictures if not record.names and 0 not in record.tiles.shape}
    of_views = (next((known[kind] for kind in view if kind in known), None) for view in VIEWS)
    return [record for record in of_views if record is not None] or [*known.values()][:1]


def _column(record: Pictures, titles: Mapping[str, str], most: int = 4) -> Column:
    """Of optimized images the first of one preset; of others the first four, or of a lone view nine."""
    count = record.tiles.shape[1] // max(len(record.groups), 1)
    first = count * (record.groups.index(PREFERRED) if PREFERRED in record.groups else 0)
    most = min(count, 1 if record.kind in VIEWS[0] and most < 9 else most)
    return Column(titles.get(record.kind, record.kind).lower(), record, tuple(range(first, first + most)))


def _said(column: Column) -> str:
    """`optimized images (yosinski-3), the first`."""
    groups = column.pictures.groups
    count = column.pictures.tiles.shape[1] // max(len(groups), 1)
    preset = f" ({groups[column.tiles[0] // count]})" if len(groups) > 1 else ""
    some = "" if len(column.tiles) == 1 else f" {len(column.tiles)}"
    return f"{column.title}{preset}" + ("" if len(column.tiles) == count else f", the first{some}")


def _side(views: int) -> float:
    """Millimetres of a square with the pictures of one view."""
    return (WIDTH / ACROSS[views] - GAP - (views - 1) * GUTTER) / views


def _squares(column: Column, units: Sequence[int], side: int) -> dict[int, UInt8[np.ndarray, "side side 3"]]:
    """Of each unit the tiles of a view in a square; unit by unit, so that each sheet is read once."""
    record = column.pictures
    columns = grid(len(column.tiles))[1]
    inner = (side - (columns - 1) * 2) // columns
    tiles = record.tiles.reduced(round(0.85 * inner)) if isinstance(record.tiles, SheetTiles) else record.tiles
    row_of = {unit: row for row, unit in enumerate(record.units)}
    found = {}
    for unit in sorted(units, key=lambda unit: row_of.get(unit, -1)):
        square = np.full((side, side, 3), NONE, np.uint8)
        row = row_of.get(unit)
        captions = record.captions[row] if row is not None else ()
        shown = [tile for tile in column.tiles if captions and not captions[tile].lower().startswith(NOTHING)]
        if shown and row is not None:
            square[:] = PAPER
            some = tiles[row, column.tiles[0] : column.tiles[-1] + 1]
            for index, tile in enumerate(column.tiles):
                if tile in shown:
                    top, left = (inner + 2) * (index // columns), (inner + 2) * (index % columns)
                    picture = _fitted(some[index], inner)
                    square[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        found[unit] = square
    return found


def _fitted(tile: UInt8[np.ndarray, "y x 3"], side: int) -> UInt8[np.ndarray, "height width 3"]:
    """As large as fits; pixels of small tiles stay squares."""
    scale = side / max(tile.shape[:2])
    height, width = (max(1, round(length * scale)) for length in tile.shape[:2])
    way = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(tile).resize((width, height), way))


def _strip(units: Sequence[Sequence[UInt8[np.ndarray, "side side 3"]]], across: int) -> UInt8[np.ndarray, "y x 3"]:
    side = len(units[0][0])
    strip = np.full((side, round(WIDTH * DOTS), 3), PAPER, np.uint8)
    for column, squares in enumerate(units):
        for index, square in enumerate(squares):
            left = round(column * WIDTH / across * DOTS) + index * (side + round(GUTTER * DOTS))
            strip[:, left : left + side] = square
    return strip


def _caption(  # what it is made of
    layer: str, unit: int, labels: Sequence[str], columns: Columns, flagged: bool
) -> Caption:
    share = columns.get("share_of_images")
    says = labels[unit] if labels else ""
    if not labels and share is not None and unit < len(share):
        says = f"fires on {cell('share_of_images', float(share[unit]))}"
    return Caption(place("unit", layer, unit), str(unit), says[:LETTERS], flagged)
