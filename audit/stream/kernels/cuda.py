"""Activations on a CUDA device -> their summary, by one Triton kernel a layer, which the host does not wait for."""

from functools import cache
from importlib.util import find_spec

import torch
from jaxtyping import Float
from torch import Tensor

from audit.stream.summary import Summary

TYPES = (torch.float32, torch.float16, torch.bfloat16)

TILE = 4096
"""Activations that a program holds at a time: enough to be read while others are computed."""

_FIELDS = (torch.float64, torch.float64, torch.float32, torch.float32, torch.int32, torch.int32, torch.int32)


def takes(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the CUDA kernel takes such activations: float32 and shorter, where Triton is installed."""
    return device.type == "cuda" and dtype in TYPES and _installed()


def summarize(maps: Float[Tensor, "image unit y x"]) -> Summary:
    """The summary; spans are single positions. Memory is read as it lies, channels_last or not."""
    from audit.stream.kernels import tiles

    rows = maps.detach().flatten(2)
    images, units, positions = rows.shape
    fields = [torch.empty(images, units, dtype=kind, device=maps.device) for kind in _FIELDS]
    tall, wide = tile(positions, units, rows.stride(1) == 1)
    with torch.cuda.device_of(maps):  # type: ignore[no-untyped-call]
        tiles.summarize[images, -(-units // wide)](rows, *fields, positions, units, *rows.stride(), tall, wide)
    return Summary(*fields)


def tile(positions: int, units: int, channels_last: bool) -> tuple[int, int]:
    """(positions, units) of a tile, powers of two: along the axis that lies together in memory, 64 bytes at least."""
    if channels_last:
        tall = min(_power_of_two(positions), TILE // 16)
        return tall, min(_power_of_two(units), TILE // tall, 64)
    tall = min(_power_of_two(positions), TILE // 4)
    return tall, min(_power_of_two(units), TILE // tall, 64)


def _power_of_two(number: int) -> int:
    """The smallest that is not below."""
    return 1 << (number - 1).bit_length()


@cache
def _installed() -> bool:
    return find_spec("triton") is not None
