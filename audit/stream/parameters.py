"""Every floating-point entry of a model's state dict -> a row: what its values are, and whether training made them."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from audit.model.hooks import root_name
from audit.model.load import Model
from audit.records import Table
from audit.stream import chance, values
from audit.stream.initialization import recognised
from audit.stream.weights import as_filters
from audit.words import listed

TEXT = ("layer", "name", "shape", "kind", "zero_units", "equal_units", "initialization")
COUNTS = ("count", "zeros", "ones", "distinct", "repeated", "not_finite", "subnormal", "vanishing")
SPREAD = ("mean", "std", "largest", "kurtosis", "uniform_p", "normal_p")
OF_FILTERS = (
    *("filters", "zero_filters", "equal_filters", "fresh_filters"),
    *("spectral_excess", "structure_p", "default_bound", "he_std"),
)

Row = Mapping[str, float | str]


def parameters(model: Model, seed: int = 0) -> Table:
    """The table "parameters": a row per floating-point entry, in the state dict's order.

    `layer` is the module's path, `name` the entry's own, `kind` what it is: "convolution weight", "linear weight",
    "attention weight", "bias", "normalisation weight", "normalisation bias", "running mean", "running variance" or
    "other". Of each: `count`, exact `zeros` and `ones`, `distinct` values, `repeated` (share of the most frequent
    non-zero value), `not_finite`, `subnormal`, `vanishing` (become 0 in float16), `mean`, `std`, `largest` magnitude,
    `kurtosis`, `uniform_p` and `normal_p` (of at most 10,000 values; NaN for constants and where not all are finite).

    Of weights that are filters, those with `filters` above 0: `zero_filters` and `equal_filters`, how many are zero or
    equal to an earlier one (`zero_units`, `equal_units`: the first 20, as text), `spectral_excess` and `structure_p`
    (see chance.py; small says trained), `fresh_filters` (as a uniform initialization left them; NaN where filters are
    too short to be judged), `default_bound` (largest magnitude over 1/sqrt(fan_in), the bound of PyTorch's default),
    `he_std` (standard deviation over sqrt(2/fan_in)), and `initialization`, the usual recipe that gives such values.
    """
    rows = list(_rows(model.network, seed))
    text = {name: np.array([str(row[name]) for row in rows], dtype=np.str_) for name in TEXT}
    numbers = {
        name: np.array([row[name] for row in rows], dtype=np.float64) for name in (*COUNTS, *SPREAD, *OF_FILTERS)
    }
    return Table("parameters", text | numbers)


def _rows(network: nn.Module, seed: int) -> Iterator[Row]:
    modules = dict(network.named_modules())
    for path, tensor in network.state_dict().items():
        if isinstance(tensor, Tensor) and tensor.is_floating_point() and tensor.numel():
            place, _, name = path.rpartition(".")
            yield {"layer": place or root_name(network), "name": name, **_row(modules.get(place), name, tensor, seed)}


def _row(module: nn.Module | None, name: str, tensor: Tensor, seed: int) -> Row:
    numbers = _numpy(tensor)
    kind = _kind(module, name)
    sampled = chance.sample(numbers, seed)
    finite = bool(np.isfinite(numbers).all())
    row: dict[str, float | str] = {"shape": " x ".join(map(str, tensor.shape)), "kind": kind}
    row |= values.counts(numbers.reshape(-1)) | values.spread(numbers.reshape(-1), sampled)
    row["uniform_p"] = chance.uniform_p(sampled) if finite else math.nan
    row["normal_p"] = chance.normal_p(sampled) if finite else math.nan
    if numbers.ndim < 2 or kind not in ("convolution weight", "linear weight", "attention weight"):
        return row | dict.fromkeys(OF_FILTERS, math.nan) | {"filters": 0.0} | dict.fromkeys(TEXT[-3:], "")
    return row | _of_filters(_numpy(as_filters(module, tensor)), numbers.shape, row, seed, finite)


def _of_filters(
    filters: Float[np.ndarray, "filter channel *position"],
    shape: tuple[int, ...],
    row: Mapping[str, float | str],
    seed: int,
    finite: bool,
) -> dict[str, float | str]:
    zero, equal = np.flatnonzero(values.zero_filters(filters)), values.equal_filters(filters)
    positions = math.prod(shape[2:])
    inputs, outputs = shape[1] * positions, shape[0] * positions
    largest, std = float(row["largest"]), float(row["std"])
    part = chance.part_of(filters) if finite else None
    return {
        "filters": float(len(filters)),
        "zero_filters": float(len(zero)),
        "equal_filters": float(len(equal)),
        "zero_units": listed(zero.tolist()),
        "equal_units": listed([f"{unit} = {other}" for unit, other in equal.items()]),
        "fresh_filters": math.nan if part is None else chance.fresh_filters(filters, seed),
        "spectral_excess": math.nan if part is None else chance.spectral_excess(part.reshape(len(part), -1)),
        "structure_p": math.nan if part is None else chance.exchangeable_p(part),
        "default_bound": largest * math.sqrt(inputs),
        "he_std": std * math.sqrt(inputs / 2),
        "initialization": recognised(
            inputs,
            outputs,
            int(row["count"]),
            largest=largest,
            std=std,
            uniform_p=float(row["uniform_p"]),
            normal_p=float(row["normal_p"]),
        ),
    }


def _kind(module: nn.Module | None, name: str) -> str:
    """What an entry is to its module."""
    if name in ("running_mean", "running_var"):
        return {"running_mean": "running mean", "running_var": "running variance"}[name]
    ending = "bias" if "bias" in name else "weight" if "weight" in name else ""
    if ending and "Norm" in type(module).__name__:
        return f"normalisation {ending}"
    if ending != "weight":
        return ending or "other"
    if isinstance(module, nn.MultiheadAttention):
        return "attention weight"
    if isinstance(module, nn.Linear):
        return "linear weight"
    return "convolution weight" if isinstance(module, _ConvNd) else "other"


def _numpy(tensor: Float[Tensor, "..."]) -> Float[np.ndarray, "..."]:
    """float32 or float64, on the CPU."""
    tensor = tensor.detach()
    return np.asarray((tensor if tensor.itemsize >= 4 else tensor.float()).cpu().numpy())
