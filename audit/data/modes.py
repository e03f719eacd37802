"""Pictures of every mode -> uint8 (y, x, channel) with the channels that the model takes."""

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from audit.data.source import Picture

OWN = {1: ("L",), 2: ("LA",), 3: ("RGB",), 4: ("RGBA", "CMYK")}
"""Modes that are shown as they are, by the number of the model's channels."""


def pixels_of(picture: Picture, channels: int) -> UInt8[np.ndarray, "y x channel"]:
    """Gray is repeated, colour is weighed to gray (ITU-R 601) for one channel; ValueError where nothing fits.

    Alpha is dropped and CMYK converted, as torchvision's own loader does, unless the model has four channels: then CMYK
    stays and anything else becomes RGBA.
    """
    plain = _array(picture, channels) if isinstance(picture, Image.Image) else np.asarray(picture)
    return _with_channels(plain, channels)


def _array(picture: Image.Image, channels: int) -> Shaped[np.ndarray, "y x *channel"]:
    if picture.mode.startswith("I;16"):
        return _of_sixteen_bits(np.asarray(picture))
    if picture.mode == "I":
        return _of_integers(np.asarray(picture))
    if picture.mode == "F":
        return _of_fractions(np.asarray(picture))
    if picture.mode in ("L", *OWN.get(channels, ())) and channels != 4:
        return np.asarray(picture)
    if picture.mode in OWN[4] and channels == 4:
        return np.asarray(picture)
    return np.asarray(_converted(picture, "RGBA" if channels == 4 else "RGB"))


def _converted(picture: Image.Image, mode: str) -> Image.Image:
    """Over RGBA where alpha is premultiplied or part of the palette: Pillow has no direct way."""
    if picture.mode == "La":
        picture = picture.convert("LA")
    elif picture.mode == "RGBa" or (picture.mode == "P" and "transparency" in picture.info):
        picture = picture.convert("RGBA")
    return picture if picture.mode == mode else picture.convert(mode)


def _of_sixteen_bits(values: Shaped[np.ndarray, "y x"]) -> UInt8[np.ndarray, "y x"]:
    """0..65535 -> 0..255, rounded to the nearest."""
    return np.asarray((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _of_integers(values: Shaped[np.ndarray, "y x"]) -> UInt8[np.ndarray, "y x"]:
    """Pillow reads gray pictures of 16 bits as 32-bit integers in some formats."""
    if values.size and not (values.min() >= 0 and values.max() <= 65535):
        raise ValueError(
            f'a picture of mode "I" with values from {values.min()} to {values.max()} has no known range; save it with '
            "8 or 16 bits a channel"
        )
    return _of_sixteen_bits(values)


def _of_fractions(values: Shaped[np.ndarray, "y x"]) -> UInt8[np.ndarray, "y x"]:
    if values.size and not (values.min() >= 0 and values.max() <= 1):  # NaN is neither
        raise ValueError(
            f'a picture of mode "F" with values from {values.min():.4g} to {values.max():.4g} has no known range; '
            "scale it to 0..1, or save it with 8 or 16 bits a channel"
        )
    return np.asarray(values * 255 + 0.5).astype(np.uint8)


def _with_channels(pixels: Shaped[np.ndarray, "*shape"], channels: int) -> UInt8[np.ndarray, "y x channel"]:
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"a picture is {pixels.dtype} of shape {pixels.shape}; needed is uint8 (y, x[, channel])")
    if not pixels.size:
        raise ValueError(f"a picture of shape {pixels.shape} has no pixels")
    there = pixels.shape[2]
    if there == channels:
        return pixels
    if there == 1:
        return pixels.repeat(channels, axis=2)
    if there == 3 and channels == 1:
        return np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]
    raise ValueError(f"a picture has {there} channels; the model's input has {channels}")
