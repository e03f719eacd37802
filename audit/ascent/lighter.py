"""A network -> the one that is climbed: normalisations folded away, in bfloat16 where that is asked for."""

from collections.abc import Collection
from copy import deepcopy
from typing import Literal

import torch
from torch import nn

from audit.errors import AuditError
from audit.model.folding import folded
from audit.model.memory import fast_order
from audit.model.precision import precision

Precision = Literal["float32", "bf16"]


def lighter(
    network: nn.Module, input_shape: tuple[int, int, int], kept: Collection[str], numbers: Precision = "float32"
) -> nn.Module:
    """A copy for the ascent, or the network itself where it cannot be copied or does not run at `input_shape`.

    The layers named in `kept` are what they were but for rounding. "float32" leaves the type of the numbers as it is.
    """
    weight = next(network.parameters(), torch.zeros(()))
    try:
        copied = folded(network, weight.new_zeros((1, *input_shape), dtype=precision(network)), kept)
    except Exception:  # whatever a network raises that was made for other things
        copied = network
    return rounded(copied) if numbers == "bf16" else copied


def rounded(network: nn.Module) -> nn.Module:
    """A copy in bfloat16 (8 significant bits), its weights in the order in which convolutions are fast."""
    try:
        copied = deepcopy(network).bfloat16()
    except Exception as error:
        name = type(network).__name__
        raise AuditError(f'{name} cannot be copied ({error}); leave it at precision = "float32"') from error
    return copied.to(memory_format=fast_order(copied))
