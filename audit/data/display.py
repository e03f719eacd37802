"""Model inputs -> RGB pictures that people can look at."""

import numpy as np
from jaxtyping import Float, UInt8


def rgb(pixels: Float[np.ndarray, "*batch channel y x"]) -> UInt8[np.ndarray, "*batch y x 3"]:
    """Values of 0..1 (clipped) as 8-bit RGB; NaN is gray.

    One channel is gray; of more than three the first three are shown, of two a zero is the third.
    """
    channels = pixels.shape[-3]
    if channels == 1:
        pixels = np.repeat(pixels, 3, axis=-3)
    elif channels == 2:
        pixels = np.concatenate([pixels, np.zeros_like(pixels[..., :1, :, :])], axis=-3)
    shown = np.nan_to_num(np.moveaxis(pixels[..., :3, :, :], -3, -1), nan=0.5)
    return np.asarray(np.clip(shown, 0, 1) * 255 + 0.5).astype(np.uint8)


def centred(values: Float[np.ndarray, "*batch channel y x"]) -> Float[np.ndarray, "*batch channel y x"]:
    """Signed values as 0..1 around 0.5, each picture scaled by its largest magnitude; all zero becomes 0.5."""
    scale = np.abs(values).max(axis=(-3, -2, -1), keepdims=True)
    return np.asarray(0.5 + values / (2 * np.where(scale > 0, scale, 1)))
