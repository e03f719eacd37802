"""Tiles of a unit -> one picture inside a page, as a data URI: sharp where small, JPEG where large."""

import base64
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from audit.store.sprites import LOSSLESS_SIDE, PAPER, encode, grid, places

SCREEN_SIDES = (200, 160, 128, 96, 72)
"""Sides in pixels to which large tiles are reduced on a page: the first with which the page stays small."""

SCREEN_BYTES = 24_000_000
"""What all pictures of a page may roughly take; browsers and mail programs begin to suffer above twice that."""

BYTES_PER_PIXEL = 0.45
"""Of a noisy JPEG of `QUALITY`, 4:4:4, measured on optimized images."""

QUALITY = 88
LOSSLESS_BYTES = 3_000_000
"""Of the pixels of a montage of small tiles; a mosaic of many is a JPEG."""

PRINT_SIDE = 112
"""Side in pixels of a tile on paper: 200 dots per inch at 14 mm."""

PAGE_SIDE = 2000
"""Side in pixels that all tiles of a montage share on paper: 300 dots per inch across a page."""


@dataclass(frozen=True)
class Embedded:
    """A picture as a data URI with its size in pixels; `sharp` if it should be enlarged without blur."""

    uri: str
    width: int
    height: int
    sharp: bool


Embed = Callable[[UInt8[np.ndarray, "tile y x 3"], int], Embedded]
"""(tiles, number of groups) -> their montage."""


def for_screen(pictures: int) -> Embed:
    """Montages without gaps (the page draws them), PNG up to 64 pixels, for a page with so many `pictures`."""
    affordable = [side for side in SCREEN_SIDES if pictures * side**2 * BYTES_PER_PIXEL <= SCREEN_BYTES]
    limit = (affordable or SCREEN_SIDES[-1:])[0]

    def embed(tiles: UInt8[np.ndarray, "tile y x 3"], groups: int) -> Embedded:
        small = max(tiles.shape[1:3]) <= LOSSLESS_SIDE
        picture = _montage(tiles if small else _resized(tiles, limit), groups, gap=0)
        return _embedded(picture, lossless=small and picture.nbytes <= LOSSLESS_BYTES)

    return embed


def for_print(tiles: UInt8[np.ndarray, "tile y x 3"], groups: int) -> Embedded:
    """A JPEG montage with white gaps; small tiles are enlarged by a whole number so that their pixels stay squares."""
    across = int(places(len(tiles), groups).max()) + 1
    side = min(PRINT_SIDE, max(1, PAGE_SIDE // across))
    factor = side // max(tiles.shape[1:3])
    if factor > 1:
        sized: UInt8[np.ndarray, "tile y x 3"] = tiles.repeat(factor, axis=1).repeat(factor, axis=2)
    else:
        sized = _resized(tiles, side)
    return _embedded(_montage(sized, groups, gap=max(2, max(sized.shape[1:3]) // 28)), lossless=False)


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


def _embedded(picture: UInt8[np.ndarray, "height width 3"], lossless: bool) -> Embedded:
    content = encode(picture, "PNG") if lossless else encode(picture, "JPEG", QUALITY)
    text = base64.b64encode(content).decode("ascii")
    height, width = picture.shape[:2]
    return Embedded(f"data:image/{'png' if lossless else 'jpeg'};base64,{text}", width, height, sharp=lossless)
