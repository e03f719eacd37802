"""Pictures <-> sprite sheets: a montage per unit, montages side by side on sheets of a bounded size.

Groups of tiles keep together: four groups of nine tiles become a 2 x 2 of 3 x 3, group by group from the top left.
"""

import hashlib
import io
import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image, ImageFile

from audit.errors import StoreError
from audit.records import Pictures

LOSSLESS_SIDE = 64
"""Tiles with a longer side (pixels) are stored as JPEG, the others as PNG."""

SHEET_PIXELS = 4_000_000
"""A sheet that would be larger is split into several: pages show parts of sheets, and a browser decodes whole ones."""

JPEG_SIDE = 65_500
"""Longest side that a JPEG may have."""

BLOCK = 8
"""JPEG codes 8 x 8 blocks: tiles that start and end on one do not bleed into their neighbours."""

PAPER = 255
"""Gray level of places that no tile takes."""


@dataclass(frozen=True)
class Sheet:
    """One picture file: `units` montages from unit `first` on, in `columns` columns, tiles on (y, x) cells."""

    file: str
    sha256: str
    first: int
    units: int
    columns: int
    cell: tuple[int, int]


def grid(count: int) -> tuple[int, int]:
    """(rows, columns) of the squarest grid with at least `count` places, never taller than wide; (0, 0) for none."""
    columns = math.isqrt(max(count - 1, 0)) + 1 if count else 0
    return (-(-count // columns), columns) if count else (0, 0)


def places(tiles: int, groups: int) -> Int[np.ndarray, "tile 2"]:
    """(row, column) of each tile of a montage of `groups` equal blocks; ValueError if the blocks are not equal."""
    if groups < 1 or tiles % groups:
        raise ValueError(f"{tiles} tiles cannot be divided into {groups} equal groups")
    block = tiles // groups
    rows, columns = grid(block)
    _, group_columns = grid(groups)
    index = np.arange(tiles)
    group, inner = index // max(block, 1), index % max(block, 1)
    row = group // group_columns * rows + inner // max(columns, 1)
    column = group % group_columns * columns + inner % max(columns, 1)
    return np.stack([row, column], axis=1).astype(np.int64)


def montage(
    tiles: UInt8[np.ndarray, "tile y x 3"], groups: int = 1, cell: tuple[int, int] | None = None
) -> UInt8[np.ndarray, "height width 3"]:
    """The tiles of one unit as one picture; a cell larger than a tile is filled with the tile's last row and column."""
    where, (height, width) = places(len(tiles), groups), cell or tiles.shape[1:3]
    shape = where.max(axis=0) + 1
    picture = np.full((shape[0] * height, shape[1] * width, 3), PAPER, dtype=np.uint8)
    pad = ((0, height - tiles.shape[1]), (0, width - tiles.shape[2]), (0, 0))
    for tile, (row, column) in zip(tiles, where, strict=True):
        top, left = row * height, column * width
        picture[top : top + height, left : left + width] = np.pad(tile, pad, mode="edge")
    return picture


def file_stem(layer: str, kind: str) -> str:
    """A file name for an untrusted layer name: letters, digits, `.`, `_`, `-`, never hidden, with a short hash."""
    digest = hashlib.sha256(f"{layer}\0{kind}".encode("utf-8", "surrogatepass")).hexdigest()[:10]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", f"{layer[:48]}-{kind[:24]}").lstrip("._-")
    return f"{plain}-{digest}" if plain else digest


def write_sheets(pictures: Pictures) -> list[tuple[Sheet, bytes]]:
    """The sheets of `pictures` with their bytes; none if there is no pixel. StoreError for wrong shapes."""
    _check(pictures)
    units, tiles, height, width = pictures.tiles.shape[:4]
    if 0 in (units, tiles, height, width):
        return []
    groups = max(1, len(pictures.groups))
    rows, columns = places(tiles, groups).max(axis=0) + 1
    lossless = max(height, width) <= LOSSLESS_SIDE or max(rows * height, columns * width) > JPEG_SIDE
    cell = (height, width) if lossless else (-(-height // BLOCK) * BLOCK, -(-width // BLOCK) * BLOCK)
    per_sheet = max(1, SHEET_PIXELS // int(rows * columns * cell[0] * cell[1]))
    form: Literal["PNG", "JPEG"] = "PNG" if lossless else "JPEG"
    stem, suffix = file_stem(pictures.layer, pictures.kind), "png" if lossless else "jpg"
    sheets = []
    for first in range(0, units, per_sheet):
        montages = [montage(unit, groups, cell) for unit in pictures.tiles[first : first + per_sheet]]
        content = encode(_side_by_side(montages), form)
        name = f"{stem}{f'-{first}' if first else ''}.{suffix}"
        digest = hashlib.sha256(content).hexdigest()
        sheets.append((Sheet(name, digest, first, len(montages), grid(len(montages))[1], cell), content))
    return sheets


def encode(pixels: UInt8[np.ndarray, "height width 3"], form: Literal["PNG", "JPEG"], quality: int = 92) -> bytes:
    """The file of a picture: PNG without loss, or JPEG without chroma subsampling (4:4:4)."""
    buffer = io.BytesIO()
    ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, 2 * pixels.nbytes)  # a JPEG of noise is larger than Pillow's guess
    if form == "PNG":
        Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    else:
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
    return buffer.getvalue()


def _side_by_side(montages: list[UInt8[np.ndarray, "y x 3"]]) -> UInt8[np.ndarray, "height width 3"]:
    rows, columns = grid(len(montages))
    height, width = montages[0].shape[:2]
    sheet = np.full((rows * height, columns * width, 3), PAPER, dtype=np.uint8)
    for index, picture in enumerate(montages):
        top, left = index // columns * height, index % columns * width
        sheet[top : top + height, left : left + width] = picture
    return sheet


def _check(pictures: Pictures) -> None:
    where = f"pictures {pictures.kind!r} of layer {pictures.layer!r}"
    shape, groups = pictures.tiles.shape, max(1, len(pictures.groups))
    if pictures.tiles.dtype != np.uint8 or len(shape) != 5 or shape[4] != 3:
        raise StoreError(f"{where}: tiles are {pictures.tiles.dtype}{list(shape)}, not uint8[unit, tile, y, x, 3]")
    if len(pictures.units) != shape[0] or [len(row) for row in pictures.captions] != [shape[1]] * shape[0]:
        raise StoreError(f"{where}: {shape[0]} x {shape[1]} tiles, but other numbers of units or captions")
    if shape[1] % groups:
        raise StoreError(f"{where}: {shape[1]} tiles cannot be divided into {groups} equal groups")
