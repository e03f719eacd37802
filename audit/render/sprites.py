"""Tiles of a unit -> one picture of a page: inside it, or a part of a file beside it; sharp where small."""

import base64
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.parse import quote

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from audit.records import Pictures
from audit.store.replacing import replace
from audit.store.sprites import LOSSLESS_SIDE, PAPER, encode, grid, places
from audit.store.tiles import SheetTiles

SCREEN_SIDES = (200, 160, 128, 96, 72)
"""Sides in pixels to which large tiles are reduced on a page: the first with which the page stays small."""

SCREEN_BYTES = 24_000_000
"""What all pictures of a page may roughly take; browsers and mail programs begin to suffer above twice that."""

BYTES_PER_PIXEL = 0.45
"""Of a noisy JPEG of `QUALITY`, 4:4:4, measured on optimized images."""

QUALITY = 88
LOSSLESS_BYTES = 3_000_000
"""Of the pixels of a montage of small tiles; a mosaic of many is a JPEG."""

DOTS = 200 / 25.4
"""Pixels of a millimetre on paper."""

PRINT_SIDE = 112
"""Side in pixels of a tile on paper: 200 dots per inch at 14 mm."""

PAGE_SIDE = 2000
"""Side in pixels that all tiles of a montage share on paper: 300 dots per inch across a page."""


@dataclass(frozen=True)
class Crop:
    """The part of a larger picture that is shown: all lengths in widths (x) and heights (y) of the part.

    `across` and `down` are the size of the whole picture, `left` and `top` where the part begins in it; `gutter` is the
    share of each tile's (x, y) room that the tile does not fill.
    """

    across: float
    down: float
    left: float
    top: float
    gutter: tuple[float, float]


@dataclass(frozen=True)
class Embedded:
    """A picture by its address, a data URI or a file, with its size in pixels.

    `sharp` if it should be enlarged without blur; `crop` if it is a part of the picture that is there.
    """

    uri: str
    width: int
    height: int
    sharp: bool
    crop: Crop | None = None


@runtime_checkable
class Embed(Protocol):
    """How pictures come into a page."""

    def __call__(self, tiles: UInt8[np.ndarray, "tile y x 3"], groups: int) -> Embedded:
        """The montage of tiles in a number of groups."""

    def block(self, pictures: Pictures, row: int, group: int) -> Embedded:
        """The montage of one group of tiles of one unit."""


@dataclass(frozen=True)
class Inline:
    """Pictures inside the page; montages without gaps, which the page draws, larger tiles reduced to `limit` pixels."""

    limit: int

    def __call__(self, tiles: UInt8[np.ndarray, "tile y x 3"], groups: int) -> Embedded:
        return _embedded(*_for_screen(tiles, groups, self.limit))

    def block(self, pictures: Pictures, row: int, group: int) -> Embedded:
        return self(_group(pictures, row, group), 1)


@dataclass(frozen=True)
class Beside:
    """Pictures as files: blocks are parts of the sheets that are stored, other montages are written into `folder`.

    Addresses are relative to `start`. `written` collects the names of the files that are in use.
    """

    folder: Path
    start: Path
    written: set[str] = field(default_factory=set)

    def __call__(self, tiles: UInt8[np.ndarray, "tile y x 3"], groups: int) -> Embedded:
        pixels, lossless = _for_screen(tiles, groups, SCREEN_SIDES[0])
        name = f"{hashlib.sha256(pixels.tobytes()).hexdigest()[:20]}.{'png' if lossless else 'jpg'}"
        if name not in self.written:
            self.written.add(name)
            if not (self.folder / name).exists():
                replace(self.folder / name, _file(pixels, lossless))
        height, width = pixels.shape[:2]
        return Embedded(self._address(self.folder / name), width, height, sharp=lossless)

    def block(self, pictures: Pictures, row: int, group: int) -> Embedded:
        if not isinstance(pictures.tiles, SheetTiles):
            return self(_group(pictures, row, group), 1)
        part = pictures.tiles.part(row, group)
        (height, width), (cell_y, cell_x) = part.sheet, part.cell
        down, across = part.rows * cell_y, part.columns * cell_x
        gutter = 1 - pictures.size[1] / cell_x, 1 - pictures.size[0] / cell_y
        crop = Crop(width / across, height / down, part.left / across, part.top / down, gutter)
        return Embedded(self._address(part.file), across, down, part.file.suffix == ".png", crop)

    def _address(self, file: Path) -> str:
        return quote(os.path.relpath(file, self.start).replace(os.sep, "/"))


def for_screen(pictures: int) -> Inline:
    """For a page that holds so many large pictures: PNG up to 64 pixels, others reduced so that it stays small."""
    affordable = [side for side in SCREEN_SIDES if pictures * side**2 * BYTES_PER_PIXEL <= SCREEN_BYTES]
    return Inline((affordable or SCREEN_SIDES[-1:])[0])


@dataclass(frozen=True)
class Print:
    """For paper, JPEG: inside the page, or as files in `folder`, which are named by what is in them.

    Montages have white gaps; small tiles are enlarged so that their pixels stay squares.
    """

    folder: Path | None = None

    def __call__(self, tiles: UInt8[np.ndarray, "tile y x 3"], groups: int) -> Embedded:
        across = int(places(len(tiles), groups).max()) + 1
        side = min(PRINT_SIDE, max(1, PAGE_SIDE // across))
        factor = side // max(tiles.shape[1:3])
        if factor > 1:
            sized: UInt8[np.ndarray, "tile y x 3"] = tiles.repeat(factor, axis=1).repeat(factor, axis=2)
        else:
            sized = _resized(tiles, side)
        return self.picture(_montage(sized, groups, gap=max(2, max(sized.shape[1:3]) // 28)))

    def picture(self, pixels: UInt8[np.ndarray, "height width 3"]) -> Embedded:
        """The picture as it is."""
        if self.folder is None:
            return _embedded(pixels, lossless=False)
        content = _file(pixels, lossless=False)
        name = f"{hashlib.sha256(content).hexdigest()[:20]}.jpg"
        (self.folder / name).write_bytes(content)
        return Embedded(name, pixels.shape[1], pixels.shape[0], sharp=False)

    def block(self, pictures: Pictures, row: int, group: int) -> Embedded:
        return self(_group(pictures, row, group), 1)


for_print = Print()


def true_size(tiles: UInt8[np.ndarray, "tile y x 3"]) -> Embedded:
    """A montage in which every pixel of a tile is one, with gaps of one; PNG if the tiles are small."""
    return _embedded(_montage(tiles, 1, gap=1), lossless=max(tiles.shape[1:3]) <= LOSSLESS_SIDE)


def _resized(tiles: UInt8[np.ndarray, "tile y x 3"], side: int) -> UInt8[np.ndarray, "tile height width 3"]:
    """Tiles whose longer side is at most `side` pixels."""
    height, width = tiles.shape[1:3]
    scale = side / max(height, width)
    if scale >= 1:
        return tiles
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.stack([np.asarray(Image.fromarray(tile).resize(size, Image.Resampling.LANCZOS)) for tile in tiles])


def _montage(tiles: UInt8[np.ndarray, "tile y x 3"], groups: int, gap: int) -> UInt8[np.ndarray, "height width 3"]:
    """Tiles at their places, `gap` pixels of paper between tiles and four times that between groups."""
    where = places(len(tiles), groups)
    block = np.maximum(grid(len(tiles) // groups), 1)
    size = np.array(tiles.shape[1:3])
    corners = where * (size + gap) + where // block * 3 * gap
    picture = np.full((*(corners.max(axis=0) + size), 3), PAPER, dtype=np.uint8)
    for tile, (top, left) in zip(tiles, corners, strict=True):
        picture[top : top + size[0], left : left + size[1]] = tile
    return picture


def _group(pictures: Pictures, row: int, group: int) -> UInt8[np.ndarray, "tile y x 3"]:
    size = pictures.tiles.shape[1] // max(len(pictures.groups), 1)
    return pictures.tiles[row, group * size : (group + 1) * size]


def _for_screen(
    tiles: UInt8[np.ndarray, "tile y x 3"], groups: int, limit: int
) -> tuple[UInt8[np.ndarray, "height width 3"], bool]:
    """A montage without gaps, and whether it is to be stored without loss."""
    small = max(tiles.shape[1:3]) <= LOSSLESS_SIDE
    pixels = _montage(tiles if small else _resized(tiles, limit), groups, gap=0)
    return pixels, small and pixels.nbytes <= LOSSLESS_BYTES


def _file(pixels: UInt8[np.ndarray, "height width 3"], lossless: bool) -> bytes:
    return encode(pixels, "PNG") if lossless else encode(pixels, "JPEG", QUALITY)


def _embedded(pixels: UInt8[np.ndarray, "height width 3"], lossless: bool) -> Embedded:
    text = base64.b64encode(_file(pixels, lossless)).decode("ascii")
    height, width = pixels.shape[:2]
    return Embedded(f"data:image/{'png' if lossless else 'jpeg'};base64,{text}", width, height, sharp=lossless)
