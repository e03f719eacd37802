"""Pictures -> a batch of the model's input, in values of 0..1 before mean and std."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Shaped, UInt8
from PIL import Image
from torch import Tensor

from audit.config import ModelSection
from audit.data.attributes import Attributes, attributes
from audit.data.damage import Damaged, Damages, PictureError
from audit.data.decode import largest
from audit.data.modes import pixels_of
from audit.data.source import Images, Picture

DECODERS = max(2, min(16, os.cpu_count() or 1))
"""Threads that decode pictures."""


@dataclass(frozen=True)
class Shown:
    """A picture as the model is shown it, and its attributes where they were asked for."""

    index: int
    pixels: Shaped[Tensor, "channel y x"]
    attributes: Float32[np.ndarray, " attribute"] | None = None


def load(images: Images, index: int, section: ModelSection) -> Shaped[Tensor, "channel y x"]:
    """Picture `index` as the model is shown it: uint8, or floats in 0..1. PictureError if damaged."""
    return _shown(images, index, section, measured=False).pixels


def fit(picture: Picture, section: ModelSection) -> Shaped[Tensor, "channel y x"]:
    """Channels, size and crop as the model wants them; ValueError where they cannot be had.

    Resizing is bilinear with antialiasing (Pillow); `resize` sets the short side, then the centre is cropped; without
    it the picture is resized straight to the input.
    """
    channels, height, width = section.input
    if isinstance(picture, Tensor):
        return _fit_tensor(picture, section)
    pixels = pixels_of(picture, channels)
    if section.resize is None:
        return _tensor(_resized(pixels, height, width))
    tall, wide = pixels.shape[:2]
    short = min(tall, wide)
    tall, wide = section.resize * tall // short, section.resize * wide // short  # rounded down, as torchvision does
    top, left = round((tall - height) / 2), round((wide - width) / 2)
    if tall * wide > largest():
        return _tensor(_cropped(pixels, (tall, wide), (top, left), (height, width)))
    return _tensor(_resized(pixels, tall, wide)[top : top + height, left : left + width])


def batches(
    images: Images,
    indices: Sequence[int],
    section: ModelSection,
    size: int,
    *,
    damages: Damages | None = None,
    attributes: Attributes | None = None,
) -> Iterator[tuple[Float[Tensor, "image channel y x"], Sequence[int]]]:
    """Batches of pictures in 0..1 with their indices, in order; the next batch is decoded while one is used.

    A damaged picture is noted in `damages` and left out: its index is not among those of its batch, and the other
    batches stay as they are. Without `damages`, and where there are too many, it ends the pass with a DataError.
    `attributes` notes those of every picture that is shown.
    """
    parts = [indices[start : start + size] for start in range(0, len(indices), size)]
    with ThreadPoolExecutor(max_workers=DECODERS) as pool:

        def decoding(part: Sequence[int]) -> list[Future[Shown | Damaged]]:
            return [pool.submit(_tried, images, index, section, attributes is not None) for index in part]

        ahead = [decoding(part) for part in parts[:1]]
        for number in range(len(parts)):
            ahead += [decoding(part) for part in parts[number + 1 : number + 2]]
            shown = _readable([future.result() for future in ahead.pop(0)], damages, attributes)
            if shown:
                yield _stacked([one.pixels for one in shown]), [one.index for one in shown]
    if damages is not None:
        damages.settle()


def unit_range(pixels: Shaped[Tensor, "*batch channel y x"]) -> Float[Tensor, "*batch channel y x"]:
    """float32 values in 0..1 of uint8 ones; float ones stay."""
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float()


def normalized(
    pixels: Float[Tensor, "image channel y x"], mean: Tensor, std: Tensor
) -> Float[Tensor, "image channel y x"]:
    """(pixels - mean) / std, per channel: what the network itself sees."""
    return (pixels.to(mean.device, non_blocking=True) - mean) / std


def _shown(images: Images, index: int, section: ModelSection, *, measured: bool) -> Shown:
    picture = images.picture(index)
    try:
        pixels = fit(picture, section)
        return Shown(index, pixels, attributes(pixels, _size(picture)) if measured else None)
    except Exception as error:  # whatever a user's own picture class does
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise PictureError(images.name(index), reason) from error


def _tried(images: Images, index: int, section: ModelSection, measured: bool) -> Shown | Damaged:
    try:
        return _shown(images, index, section, measured=measured)
    except PictureError as error:
        return Damaged(index, error.name, error.reason)


def _readable(tried: Sequence[Shown | Damaged], damages: Damages | None, measured: Attributes | None) -> list[Shown]:
    shown = []
    for one in tried:
        if isinstance(one, Damaged):
            if damages is None:
                raise PictureError(one.name, one.reason)
            damages.note(one)
        else:
            shown.append(one)
            if measured is not None and one.attributes is not None:
                measured.note(one.index, one.attributes)
    return shown


def _stacked(pixels: Sequence[Shaped[Tensor, "channel y x"]]) -> Float[Tensor, "image channel y x"]:
    if len({one.dtype for one in pixels}) == 1:
        return unit_range(torch.stack(list(pixels)))
    return torch.stack([unit_range(one) for one in pixels])


def _size(picture: Picture) -> tuple[int, int]:
    """Height and width."""
    if isinstance(picture, Image.Image):
        return picture.height, picture.width
    height, width = picture.shape[-2:] if isinstance(picture, Tensor) else np.shape(picture)[:2]
    return int(height), int(width)


def _cropped(
    pixels: UInt8[np.ndarray, "y x channel"], whole: tuple[int, int], corner: tuple[int, int], size: tuple[int, int]
) -> UInt8[np.ndarray, "height width channel"]:
    """The crop alone of a picture so long that all of it, resized, would fill the memory; rounds on its own."""
    (tall, wide), (top, left), (height, width) = whole, corner, size
    y, x = pixels.shape[0] / tall, pixels.shape[1] / wide
    box = (left * x, top * y, (left + width) * x, (top + height) * y)
    return _resized(pixels, height, width, box)


def _resized(
    pixels: UInt8[np.ndarray, "y x channel"],
    height: int,
    width: int,
    box: tuple[float, float, float, float] | None = None,
) -> UInt8[np.ndarray, "height width channel"]:
    if pixels.shape[:2] == (height, width) and box is None:
        return pixels
    if pixels.shape[2] == 3:
        return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR, box))
    planes = [
        np.asarray(Image.fromarray(pixels[:, :, channel]).resize((width, height), Image.Resampling.BILINEAR, box))
        for channel in range(pixels.shape[2])
    ]
    return np.stack(planes, axis=2)


def _tensor(pixels: UInt8[np.ndarray, "y x channel"]) -> UInt8[Tensor, "channel y x"]:
    return torch.from_numpy(np.array(pixels.transpose(2, 0, 1), order="C"))


def _fit_tensor(picture: Tensor, section: ModelSection) -> Shaped[Tensor, "channel y x"]:
    """Tensors (channel, y, x) come ready: only their shape, type and range are checked."""
    if tuple(picture.shape) != tuple(section.input):
        raise ValueError(f"a tensor of shape {tuple(picture.shape)}; the model's input is {tuple(section.input)}")
    if picture.dtype == torch.uint8:
        return picture
    if not picture.is_floating_point():
        raise ValueError(f"a tensor of {picture.dtype}; needed is uint8 (0..255) or floating point (0..1)")
    if not bool(((picture >= 0) & (picture <= 1)).all()):
        raise ValueError(
            f"a tensor with values from {picture.min():.4g} to {picture.max():.4g}; needed are pixels of 0..1, "
            "before the model's mean and std"
        )
    return picture
