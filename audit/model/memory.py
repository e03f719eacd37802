"""The order of a network's weights and pictures in memory: the one in which its convolutions are fast."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


def fast_order(network: nn.Module) -> torch.memory_format:
    """channels_last for convolutional networks on a CPU and in half precision; else the usual order.

    A network with a single weight of four axes is a transformer: that one cuts the picture into patches. On CUDA
    channels_last is what tensor cores read, and exact float32 does not use them.
    """
    weights = [weight for weight in network.parameters() if weight.dim() == 4]
    worth_it = [weight.device.type == "cpu" or weight.dtype in (torch.float16, torch.bfloat16) for weight in weights]
    return torch.channels_last if len(weights) > 1 and all(worth_it) else torch.contiguous_format


@contextmanager
def in_order(network: nn.Module, order: torch.memory_format) -> Iterator[None]:
    """Inside, every weight of four axes lies in memory as `order` says; afterwards the weights are the old tensors."""
    weights = [weight for weight in network.parameters() if weight.dim() == 4]
    before = [weight.data for weight in weights]
    try:
        for weight in weights:
            weight.data = weight.data.contiguous(memory_format=order)
        yield
    finally:
        for weight, old in zip(weights, before, strict=True):
            weight.data = old
