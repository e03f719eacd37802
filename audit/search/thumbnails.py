"""Pictures of any size -> pictures that fit on a contact sheet."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

SIDE = 144
"""Longest side of a picture on a sheet, in pixels; what is larger is kept in that size."""


def thumbnail(tiles: UInt8[np.ndarray, "tile y x 3"]) -> UInt8[np.ndarray, "tile height width 3"]:
    """Pictures no larger than `SIDE`; small ones stay as they are."""
    height, width = tiles.shape[1:3]
    if max(height, width) <= SIDE:
        return tiles
    size = max(1, round(width * SIDE / max(height, width))), max(1, round(height * SIDE / max(height, width)))
    return np.stack([np.asarray(Image.fromarray(tile).resize(size, Image.Resampling.LANCZOS)) for tile in tiles])


def enlarged(tile: UInt8[np.ndarray, "y x 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """A small picture, each of its pixels a square: as large as fits into `SIDE`."""
    factor = max(1, SIDE // max(tile.shape[:2]))
    return np.asarray(tile.repeat(factor, axis=0).repeat(factor, axis=1))
