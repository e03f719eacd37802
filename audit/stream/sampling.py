"""Activations -> those at a few positions of each picture, the same ones however the pictures are batched."""

from functools import lru_cache
from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.data.compiled import compilable, compiled
from audit.stream.reducer import Activations


def sampled(batch: Activations, count: int) -> Float[Tensor, "image sample unit"]:
    """The activations at `count` positions of each picture, or at all of them where there are no more.

    The map, row after row, is cut into `count` equal stretches, and a hash of the picture's index chooses a position in
    each: every position is as likely as any other. float32, or float64 for activations of float64; contiguous.
    """
    rows = batch.maps.detach().permute(0, 2, 3, 1).flatten(1, 2)
    if batch.positions > count:
        rows = _gathered(rows, torch.from_numpy(positions(tuple(batch.images.tolist()), batch.positions, count)))
    return rows.to(torch.promote_types(rows.dtype, torch.float32)).contiguous()


@lru_cache(maxsize=16)  # the layers of a batch have maps of few sizes
def positions(images: tuple[int, ...], available: int, count: int) -> Int[np.ndarray, "image sample"]:
    """`count` of `available` flat positions for each picture, in ascending order."""
    stretch = np.arange(count)
    jitter = hashed(np.array(images, dtype=np.int64)[:, None] * count + stretch)
    return np.asarray(((stretch << 32) + jitter) * available // (count << 32))


def hashed(number: Int[np.ndarray, "*axes"]) -> Int[np.ndarray, "*axes"]:
    """32 well mixed bits of each number's lower 32 (the last step of MurmurHash3, Appleby 2011), as int64."""
    lower = number.astype(np.uint32)
    mixed = np.multiply(lower ^ (lower >> 16), np.uint32(0x85EBCA6B))
    mixed = np.multiply(mixed ^ (mixed >> 13), np.uint32(0xC2B2AE35))
    return np.asarray(mixed ^ (mixed >> 16), dtype=np.int64)


def _gathered(
    rows: Float[Tensor, "image position unit"], chosen: Int[Tensor, "image sample"]
) -> Float[Tensor, "image sample unit"]:
    if not compilable(rows):
        images = torch.arange(len(rows), device=rows.device)[:, None]
        return rows[images, chosen.to(rows.device, non_blocking=True)]
    found = torch.empty(*chosen.shape, rows.shape[2], dtype=rows.dtype)
    compiled(_gather)(rows.numpy(), chosen.numpy(), found.numpy())
    return found


@no_type_check
def _gather(rows, chosen, found):
    images, samples, units = found.shape
    for image in range(images):
        for sample in range(samples):
            for unit in range(units):
                found[image, sample, unit] = rows[image, chosen[image, sample], unit]
