"""In which numbers a network computes: its own floating point type, and float32 that is float32."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


def precision(network: nn.Module) -> torch.dtype:
    """The floating point type of the network's weights; float32 if it has none."""
    return next((weight.dtype for weight in network.parameters() if weight.is_floating_point()), torch.float32)


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """float32 that is float32, and kernels that repeat themselves: on CUDA convolutions are TF32 by default."""
    # Any: torch makes these attributes at run time
    places: list[Any] = [torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul]  # type: ignore[attr-defined]
    precisions = [place.fp32_precision for place in places]
    deterministic = torch.backends.cudnn.deterministic
    try:
        for place in places:
            place.fp32_precision = "ieee"
        torch.backends.cudnn.deterministic = True
        yield
    finally:
        for place, before in zip(places, precisions, strict=True):
            place.fp32_precision = before
        torch.backends.cudnn.deterministic = deterministic
