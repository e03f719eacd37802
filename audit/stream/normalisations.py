"""A network's batch normalisations -> what they expect of their inputs and make of them, a row per unit."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from audit.model.load import Model
from audit.records import Layer, Table

NUMBERS = ("weight", "bias", "running_mean", "running_var", "eps")


def normalisations(model: Model) -> Table:
    """A row per unit of each batch normalisation that is executed, in the order of execution; no rows without any.

    Columns: layer (text, its name in the outline), unit, weight (scale), bias (shift), running_mean, running_var and
    eps: output = weight * (input - running_mean) / sqrt(running_var + eps) + bias (Ioffe and Szegedy 2015). Without
    scale and shift of their own weight is 1 and bias 0. Normalisations that keep no running statistics are left out:
    they take those of the batch. One whose output stands under another name in the outline is left out too.
    """
    found = list(_executed(model))
    numbers = [_numbers(module) for _, module in found]
    units = [len(columns["weight"]) for columns in numbers]
    columns: dict[str, Shaped[np.ndarray, " row"]] = {
        "layer": np.array([layer.name for layer, _ in found], dtype=np.str_).repeat(units),
        "unit": np.concatenate([np.arange(count) for count in [0, *units]]),
    }
    columns |= {name: np.concatenate([np.zeros(0), *(those[name] for those in numbers)]) for name in NUMBERS}
    return Table("normalisations", columns)


def _executed(model: Model) -> Iterator[tuple[Layer, nn.Module]]:
    modules = dict(model.network.named_modules())
    for layer in model.outline.layers:
        module = modules.get(layer.name.partition("#")[0])
        if module is not None and _normalises(module):
            yield layer, module


def _normalises(module: nn.Module) -> bool:
    """By running statistics; torchvision's frozen normalisation by its name: importing it costs seconds."""
    frozen = type(module).__name__ == "FrozenBatchNorm2d"
    return (frozen or isinstance(module, _BatchNorm)) and getattr(module, "running_mean", None) is not None


def _numbers(module: Any) -> Mapping[str, Float[np.ndarray, " unit"]]:
    mean = _plain(module.running_mean)
    return {
        "weight": np.ones(len(mean)) if module.weight is None else _plain(module.weight),
        "bias": np.zeros(len(mean)) if module.bias is None else _plain(module.bias),
        "running_mean": mean,
        "running_var": _plain(module.running_var),
        "eps": np.full(len(mean), float(module.eps)),
    }


def _plain(numbers: Tensor) -> Float[np.ndarray, " unit"]:
    return numbers.detach().cpu().double().numpy()
