"""Weights -> how many are not finite, and what the filters of the first convolution look like."""

from typing import cast

from torch import nn

from audit.model import filters
from audit.model.load import Model
from audit.records import Layer, Numbers, Scalars


def weights(model: Model) -> Numbers:
    """Number of parameters, and of parameters and buffers that are NaN or infinite."""
    state = [tensor for tensor in model.network.state_dict().values() if tensor.is_floating_point()]
    return Numbers(
        {
            "parameters": float(sum(parameter.numel() for parameter in model.network.parameters())),
            "non_finite_weights": float(sum(int((~tensor.isfinite()).sum()) for tensor in state)),
        }
    )


def first_filters(model: Model, layer: Layer, seed: int) -> Scalars:
    """Frequency, orientation, colour and smoothness of each filter of the convolution `layer`."""
    convolution = cast(nn.Conv2d, model.network.get_submodule(layer.name.partition("#")[0]))
    return Scalars(layer.name, filters.describe(convolution.weight.detach().float().cpu().numpy(), seed))
