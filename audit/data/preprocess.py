"""Pictures -> a batch of the model's input, in values of 0..1 before mean and std."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from audit.config import ModelSection
from audit.data.images import Images, Picture
from audit.errors import DataError


def load(images: Images, index: int, section: ModelSection) -> Tensor:
    """Picture `index` as the model is shown it: (channel, y, x), uint8, or float32 in 0..1 for float pictures."""
    try:
        return fit(images.picture(index), section)
    except ValueError as error:
        raise DataError(f'"{images.name(index)}": {error}') from error


def fit(picture: Picture, section: ModelSection) -> Tensor:
    """Channels, size and crop as the model wants them; ValueError where they cannot be had.

    Resizing is bilinear with antialiasing (Pillow); `resize` sets the short side, then the centre is cropped; without
    it the picture is resized straight to the input.
    """
    channels, height, width = section.input
    if isinstance(picture, Tensor):
        return _fit_tensor(picture, section)
    pixels = _with_channels(_plain(picture, channels), channels)
    if section.resize is None:
        return _tensor(_resized(pixels, height, width))
    tall, wide = pixels.shape[:2]
    short = min(tall, wide)
    tall, wide = section.resize * tall // short, section.resize * wide // short  # rounded down, as torchvision does
    top, left = round((tall - height) / 2), round((wide - width) / 2)
    return _tensor(_resized(pixels, tall, wide)[top : top + height, left : left + width])


def batches(
    images: Images, indices: Sequence[int], section: ModelSection, size: int
) -> Iterator[tuple[Float[Tensor, "image channel y x"], Sequence[int]]]:
    """Batches of pictures in 0..1 with their indices, in order; the next batch is decoded while one is used."""
    parts = [indices[start : start + size] for start in range(0, len(indices), size)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        ahead = [[pool.submit(load, images, index, section) for index in part] for part in parts[:1]]
        for number, part in enumerate(parts):
            ahead += [
                [pool.submit(load, images, index, section) for index in more] for more in parts[number + 1 : number + 2]
            ]
            yield torch.stack([unit_range(future.result()) for future in ahead.pop(0)]), part


def unit_range(pixels: Tensor) -> Tensor:
    """float32 values in 0..1 of uint8 ones; float ones stay."""
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float()


def normalized(
    pixels: Float[Tensor, "image channel y x"], mean: Tensor, std: Tensor
) -> Float[Tensor, "image channel y x"]:
    """(pixels - mean) / std, per channel: what the network itself sees."""
    return (pixels.to(mean.device, non_blocking=True) - mean) / std


def _plain(picture: Picture, channels: int) -> np.ndarray:
    """Gray, RGB, or the picture's own channels where they are as many as the model's."""
    if not isinstance(picture, Image.Image):
        return np.asarray(picture)
    if picture.mode.startswith("I;16"):
        return (np.asarray(picture) >> 8).astype(np.uint8)
    if picture.mode in ("I", "F"):
        raise ValueError(f'a picture of mode "{picture.mode}" has no known range; save it with 8 or 16 bits a channel')
    if picture.mode in ("L", "RGB") or (picture.mode in ("LA", "RGBA", "CMYK") and len(picture.mode) == channels):
        return np.asarray(picture)
    return np.asarray(picture.convert("RGB"))


def _with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """(y, x, channel) uint8 with that many channels: gray is repeated, RGB is weighed to gray (ITU-R 601)."""
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"a picture is {pixels.dtype} of shape {pixels.shape}; needed is uint8 (y, x[, channel])")
    there = pixels.shape[2]
    if there == channels:
        return pixels
    if there == 1:
        return pixels.repeat(channels, axis=2)
    if there == 3 and channels == 1:
        return np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]
    raise ValueError(f"a picture has {there} channels; the model's input has {channels}")


def _resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    if pixels.shape[:2] == (height, width):
        return pixels
    if pixels.shape[2] == 3:
        return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
    planes = [
        np.asarray(Image.fromarray(pixels[:, :, channel]).resize((width, height), Image.Resampling.BILINEAR))
        for channel in range(pixels.shape[2])
    ]
    return np.stack(planes, axis=2)


def _tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(pixels.transpose(2, 0, 1), order="C"))


def _fit_tensor(picture: Tensor, section: ModelSection) -> Tensor:
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
