"""Sprite sheets in a folder -> the tiles in them, read from their files when somebody looks at them."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from audit.errors import StoreError
from audit.store.sprites import Sheet, places

FORMS = ("PNG", "JPEG")

SCALES = (1, 2, 4, 8)
"""By which JPEG can be read smaller; the cells of its tiles are multiples of the last one."""


@dataclass(frozen=True)
class Part:
    """Where a block of tiles is: a box of a picture file, in pixels; `cell` is the (y, x) room of each tile."""

    file: Path
    sheet: tuple[int, int]
    top: int
    left: int
    rows: int
    columns: int
    cell: tuple[int, int]


@dataclass(frozen=True)
class SheetTiles:
    """The tiles of `units` units, `tiles` each in `groups` blocks, (y, x) = `size` pixels large, as an array.

    An index that begins with a unit or a slice of units reads only their sheets, any other all. StoreError if a sheet
    is no longer there. They are shown at 1 / `scale` of their size, which saves the time of decoding the rest.
    """

    folder: Path
    sheets: tuple[Sheet, ...]
    units: int
    tiles: int
    groups: int
    size: tuple[int, int]
    scale: int = 1

    def reduced(self, side: int) -> "SheetTiles":
        """The same tiles, as small as JPEG can be read whose longer side keeps `side` pixels; PNG stays as it is."""
        jpeg = self.scale == 1 and all(sheet.file.endswith(".jpg") for sheet in self.sheets)
        scale = max((scale for scale in SCALES if max(self.size) // scale >= side), default=1) if jpeg else self.scale
        height, width = self.size
        return replace(self, size=(max(1, height // scale), max(1, width // scale)), scale=scale)

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """(units, tiles, height, width, 3)."""
        return (self.units, self.tiles, *self.size, 3)

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8."""
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return self.units

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "tile y x 3"]]:
        return (self[unit] for unit in range(self.units))

    def __getitem__(self, key: Any) -> UInt8[np.ndarray, "..."]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, int | np.integer):
            unit = range(self.units)[first]
            one = range(unit, unit + 1)
            if rest and isinstance(rest[0], slice):
                picked: np.ndarray = self._read(one, rest[0])[(0, slice(None), *rest[1:])]
            else:
                picked = self._read(one)[(0, *rest)]
        elif isinstance(first, slice) and first.step in (None, 1):
            picked = self._read(range(self.units)[first])[(slice(None), *rest)]
        else:
            picked = np.asarray(self)[key]
        return picked

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> UInt8[np.ndarray, "unit tile y x 3"]:
        return np.asarray(self._read(range(self.units)), dtype)

    def part(self, unit: int, group: int) -> Part:
        """Where the tiles of a group of a unit are. IndexError if there is no such unit."""
        sheet = next(each for each in self.sheets if each.first <= unit < each.first + each.units)
        block = self.tiles // self.groups
        where = places(self.tiles, self.groups)[group * block : (group + 1) * block]
        (top, left), (bottom, right) = where[0], where.max(axis=0) + 1
        height, width = self._montage(sheet)
        place = unit - sheet.first
        return Part(
            self.folder / sheet.file,
            (-(-sheet.units // sheet.columns) * height, sheet.columns * width),
            place // sheet.columns * height + int(top) * sheet.cell[0],
            place % sheet.columns * width + int(left) * sheet.cell[1],
            int(bottom - top),
            int(right - left),
            sheet.cell,
        )

    def check(self, sheet: Sheet, content: bytes) -> None:
        """ValueError if the bytes are not a picture as large as the sheet; its pixels are not looked at."""
        height, width = self._montage(sheet)
        expected = (sheet.columns * width, -(-sheet.units // sheet.columns) * height)
        with Image.open(io.BytesIO(content), formats=FORMS) as image:
            if image.size != expected:
                raise ValueError(f"{sheet.file} is {image.size} pixels large instead of {expected}")

    def _read(self, units: range, tiles: slice = slice(None)) -> UInt8[np.ndarray, "unit tile y x 3"]:
        out = np.empty((len(units), len(range(self.tiles)[tiles]), *self.size, 3), np.uint8)
        for sheet in self.sheets:
            here = range(max(units.start, sheet.first), min(units.stop, sheet.first + sheet.units))
            if here:
                picture = _picture(self.folder / sheet.file, sheet.sha256, self.scale)
                for unit in here:
                    out[unit - units.start] = self._cut(picture, sheet, unit - sheet.first, tiles)
        return out

    def _cut(self, picture: Image.Image, sheet: Sheet, place: int, tiles: slice) -> UInt8[np.ndarray, "tile y x 3"]:
        height, width, cell_y, cell_x = (side // self.scale for side in (*self._montage(sheet), *sheet.cell))
        corner = np.array([place // sheet.columns * height, place % sheet.columns * width])
        corners = corner + places(self.tiles, self.groups)[tiles] * (cell_y, cell_x)
        if not len(corners):
            return np.empty((0, *self.size, 3), np.uint8)
        (top, left), (bottom, right) = corners.min(axis=0), corners.max(axis=0) + self.size
        part = np.asarray(picture.crop((int(left), int(top), int(right), int(bottom))))
        return np.stack([part[y : y + self.size[0], x : x + self.size[1]] for y, x in (corners - (top, left)).tolist()])

    def _montage(self, sheet: Sheet) -> tuple[int, int]:
        """(height, width) of what one unit takes."""
        rows, columns = places(self.tiles, self.groups).max(axis=0) + 1
        return int(rows) * sheet.cell[0], int(columns) * sheet.cell[1]


@lru_cache(maxsize=2)  # units of a sheet are looked at one after another, of two kinds at a time
def _picture(file: Path, digest: str, scale: int) -> Image.Image:
    try:
        with Image.open(file, formats=FORMS) as image:
            image.draft("RGB", (image.width // scale, image.height // scale))
            image.load()
            return image if image.mode == "RGB" else image.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise StoreError(f"cannot read the sprites {file}, which were there before: {error}") from error


def sheet_tiles(folder: Path, sheets: Sequence[Sheet], shape: tuple[int, int], groups: int, size: Any) -> SheetTiles:
    """The tiles of (units, tiles) = `shape` on these sheets. ValueError if the sheets do not show these units."""
    found = SheetTiles(folder, tuple(sheets), *shape, max(1, groups), tuple(size))
    if sum(sheet.units for sheet in sheets) != (shape[0] if 0 not in found.shape else 0):
        raise ValueError("the sprites do not show the units")
    return found
