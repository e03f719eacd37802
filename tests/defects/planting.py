"""Healthy weights -> the same weights with one defect. Every function returns a new state and leaves the given one."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from tests.defects.definitions import Place

State = Mapping[str, Tensor]
SUBNORMAL = 1e-40
"""Below the smallest normal float32, 1.2e-38."""


# Single units


def biased(state: State, place: Place, units: Sequence[int], by: Float[Tensor, " unit"]) -> State:
    """`by[i]` added to the bias of unit `units[i]`."""
    bias = state[f"{place.holder}.bias"].clone()
    bias[list(units)] += by.to(bias.dtype)
    return {**state, f"{place.holder}.bias": bias}


def zeroed(state: State, place: Place, units: Sequence[int]) -> State:
    """Weights, scale and bias of the units are zero."""
    names = {f"{place.layer}.weight", f"{place.layer}.bias", f"{place.holder}.weight", f"{place.holder}.bias"}
    return {**state, **{name: _with_rows(state[name], units, 0.0) for name in names if name in state}}


def constant(state: State, place: Place, units: Sequence[int], at: Float[Tensor, " unit"]) -> State:
    """The units' outputs are `at`, whatever their input: the scale is zero, and the bias what they say."""
    bias = state[f"{place.holder}.bias"].clone()
    bias[list(units)] = at.to(bias.dtype)
    scale = f"{place.holder}.weight"
    return {**state, scale: _with_rows(state[scale], units, 0.0), f"{place.holder}.bias": bias}


def duplicated(
    state: State, place: Place, source: int, copies: Sequence[int], *, noise: float, generator: Generator
) -> State:
    """Copies all that makes unit `source` over others; `noise`, in spreads of the filter, is added to their weights."""
    rows = {name: state[name].clone() for name in _of_units(state, place)}
    for row in rows.values():
        row[list(copies)] = row[source].clone()
    weight = rows[f"{place.layer}.weight"]
    for copy in copies:
        weight[copy] += noise * weight[source].std() * torch.randn(weight[source].shape, generator=generator)
    return {**state, **rows}


def louder(state: State, place: Place, units: Sequence[int], times: float) -> State:
    """The units' outputs are `times` as large, and their readers' weights to them as much smaller."""
    changed = {}
    for name in (f"{place.holder}.weight", f"{place.holder}.bias"):
        changed[name] = state[name].clone()
        changed[name][list(units)] *= times
    for reader in place.readers:
        changed[f"{reader}.weight"] = state[f"{reader}.weight"].clone()
        changed[f"{reader}.weight"][:, list(units)] /= times
    return {**state, **changed}


def reordered(state: State, place: Place, order: Sequence[int]) -> State:
    """Unit i is what unit `order[i]` was, and its readers know it."""
    rows = {name: state[name][list(order)] for name in _of_units(state, place)}
    readers = {f"{reader}.weight": state[f"{reader}.weight"][:, list(order)] for reader in place.readers}
    return {**state, **rows, **readers}


def broken(state: State, place: Place, units: Sequence[int], value: float) -> State:
    """The first weight of each of the units is `value`: NaN or infinity."""
    name = f"{place.layer}.weight"
    weight = state[name].clone()
    weight.flatten(1)[list(units), 0] = value
    return {**state, name: weight}


# Parts


def not_loaded(state: State, fresh: State, parts: Sequence[str], share: float, generator: Generator) -> State:
    """The modules `parts`, with all below them, have the values of `fresh`; or a share of each module's units has."""
    changed = {}
    chosen: dict[str, Tensor] = {}
    for name, value in state.items():
        module = name.rpartition(".")[0]
        if not value.ndim or not any(f"{name}.".startswith(f"{part}.") for part in parts):
            continue
        if module not in chosen:
            chosen[module] = torch.randperm(len(value), generator=generator)[: max(1, round(share * len(value)))]
        changed[name] = value.clone()
        changed[name][chosen[module]] = fresh[name][chosen[module]].to(value.dtype)
    return {**state, **changed}


def statistics_reset(state: State, norms: Sequence[str]) -> State:
    """Running means 0 and variances 1 in the normalisations of these names or globs."""
    means = {name: torch.zeros_like(state[name]) for name in _running(state, norms, "mean")}
    return {**state, **means, **{name: torch.ones_like(state[name]) for name in _running(state, norms, "var")}}


def statistics_stale(state: State, norms: Sequence[str], by: float, generator: Generator) -> State:
    """Running means moved by `by` standard deviations and log variances by `by`, each unit up or down at random."""
    changed = {}
    for name in _running(state, norms, "var"):
        mean, variance = name.removesuffix("var") + "mean", state[name]
        up_mean, up_variance = torch.randint(0, 2, (2, len(variance)), generator=generator) * 2 - 1
        changed[mean] = state[mean] + by * up_mean * variance.sqrt()
        changed[name] = variance * torch.exp(by * up_variance)
    return {**state, **changed}


# The whole checkpoint


def outputs_reordered(state: State, classifier: str, order: Sequence[int]) -> State:
    """Output i is what output `order[i]` was: a checkpoint of a training with its classes in another order."""
    names = [name for name in (f"{classifier}.weight", f"{classifier}.bias") if name in state]
    return {**state, **{name: state[name][list(order)] for name in names}}


def channels_reversed(state: State, first: str) -> State:
    """The first convolution takes blue, green, red."""
    return {**state, f"{first}.weight": state[f"{first}.weight"].flip(1)}


def pruned(state: State, share: float) -> State:
    """That share of each layer's weights, the smallest, is zero."""
    return {**state, **{name: _smallest(state[name], share, 0.0) for name in _weights(state)}}


def subnormal(state: State, share: float) -> State:
    """That share of each layer's weights, the smallest, has the magnitude 1e-40."""
    return {**state, **{name: _smallest(state[name], share, SUBNORMAL) for name in _weights(state)}}


def quantised(state: State, bits: int) -> State:
    """Each layer's weights are rounded to 2**bits - 1 evenly spaced values, symmetric about zero."""
    return {**state, **{name: _few_values(state[name], 2 ** (bits - 1) - 1) for name in _weights(state)}}


def rounded(state: State) -> State:
    """Every number went through float16."""
    return {name: value.half().to(value.dtype) if value.is_floating_point() else value for name, value in state.items()}


def mixed(state: State, fresh: State, share: float) -> State:
    """(1 - share) of every number and `share` of the fresh one."""
    return {
        name: torch.lerp(value, fresh[name].to(value.dtype), share) if value.is_floating_point() else value
        for name, value in state.items()
    }


def noisy(state: State, sigma: float, generator: Generator) -> State:
    """Gaussian noise on every weight, `sigma` times the standard deviation of its layer's weights."""
    changed = {}
    for name in _weights(state):
        weight = state[name]
        changed[name] = weight + sigma * weight.std() * torch.randn(weight.shape, generator=generator)
    return {**state, **changed}


# Helpers


def _weights(state: State) -> list[str]:
    """Of convolutions and linear layers."""
    return [name for name, value in state.items() if name.endswith("weight") and value.ndim >= 2]


def _of_units(state: State, place: Place) -> list[str]:
    """Everything that has one row per unit of the place."""
    modules = {place.layer, place.holder}
    return [name for name, value in state.items() if name.rpartition(".")[0] in modules and value.ndim]


def _running(state: State, norms: Sequence[str], what: str) -> list[str]:
    ending = f".running_{what}"
    named = [name for name in state if name.endswith(ending)]
    return [name for name in named if any(fnmatchcase(name.removesuffix(ending), norm) for norm in norms)]


def _with_rows(value: Tensor, rows: Sequence[int], to: float) -> Tensor:
    changed = value.clone()
    changed[list(rows)] = to
    return changed


def _smallest(weight: Tensor, share: float, magnitude: float) -> Tensor:
    """The smallest numbers, as many as the share, with that magnitude and their own sign."""
    changed = weight.clone().flatten()
    smallest = changed.abs().argsort(stable=True)[: round(share * len(changed))]
    changed[smallest] = torch.copysign(torch.tensor(magnitude, dtype=changed.dtype), changed[smallest])
    return changed.reshape(weight.shape)


def _few_values(weight: Tensor, steps: int) -> Tensor:
    step = weight.abs().max() / steps
    return torch.round(weight / step) * step
