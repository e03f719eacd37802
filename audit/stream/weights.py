"""Weights -> how many are not finite, how strong and how alike filters are, and how those of the first layer look."""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from audit.errors import Unavailable
from audit.model import filters
from audit.model.load import Model
from audit.model.parts import path_of
from audit.records import Layer, Numbers, Scalars

COSTLY = 1e11
"""Multiplications beyond which filters are not compared with one another."""


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


def filter_columns(model: Model, layer: Layer) -> Scalars:
    """What the weights say of each unit of a convolution or a linear layer, float64.

    `weight_norm`: Euclidean norm of its filter, without the bias. `zero_weights`: share of its weights that are exactly
    zero. `nearest_cosine`: cosine of its filter and the one of the layer that is nearest to it or to its negative,
    signed, 1 for a copy; NaN for a filter of zeros, for a lone one, and where comparing them all would take more than
    `COSTLY` multiplications. Everything is NaN for a filter with a weight that is not finite.

    Unavailable for a layer without filters of its own.
    """
    filters = layer_filters(model, layer).flatten(1)
    finite = filters.isfinite().all(dim=1)
    norm = torch.where(finite, torch.linalg.vector_norm(filters.double(), dim=1), torch.nan)
    zeros = torch.where(finite, (filters == 0).double().mean(dim=1), torch.nan)
    columns = {"weight_norm": norm, "zero_weights": zeros, "nearest_cosine": _nearest_cosines(filters, norm)}
    return Scalars(layer.name, {name: values.double().cpu().numpy() for name, values in columns.items()})


def layer_filters(model: Model, layer: Layer) -> Float[Tensor, "unit channel *position"]:
    """The filters of a convolution, or the rows of a linear layer, float32 or float64; Unavailable for other layers."""
    modules = dict(model.network.named_modules())
    module = modules.get(path_of(layer.name, modules.keys()))
    if not isinstance(module, (_ConvNd, nn.Linear)) or len(module.weight) == 0:
        raise Unavailable(f'"{layer.name}" ({layer.kind}) has no filters: it is no convolution and no linear layer')
    weight = as_filters(module, module.weight.detach())
    return weight if weight.itemsize >= 4 else weight.float()


def as_filters(
    module: nn.Module | None, weight: Float[Tensor, "a b *position"]
) -> Float[Tensor, "filter channel *position"]:
    """The weight, one filter after the other: a transposed convolution holds the inputs of a group first."""
    if not isinstance(module, _ConvNd) or not module.transposed:
        return weight
    grouped = weight.reshape(module.groups, len(weight) // module.groups, *weight.shape[1:])
    return grouped.transpose(1, 2).flatten(0, 1)


def _nearest_cosines(filters: Float[Tensor, "unit weight"], norm: Float[Tensor, " unit"]) -> Float[Tensor, " unit"]:
    """Of each filter and the most parallel of the others."""
    if len(filters) < 2 or len(filters) ** 2 * filters.shape[1] > COSTLY:
        return torch.full_like(norm, torch.nan)
    known = norm > 0
    scaled = torch.where(known[:, None], filters / norm[:, None], 0.0).to(filters.dtype)
    cosines = scaled @ scaled.T
    cosines.fill_diagonal_(0)
    nearest = cosines.gather(1, cosines.abs().argmax(dim=1, keepdim=True))[:, 0].double()
    return torch.where(known & (known.sum() > 1), nearest.clamp(-1, 1), torch.nan)
