"""Parameters and buffers -> a digest per unit of a module, which tells equal weights whatever order they are in."""

import hashlib
import math
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from audit.model.hooks import root_name
from audit.model.load import Model
from audit.records import Table
from audit.stream.weights import as_filters

SIZE = 16
"""Bytes of a digest."""

COUNTED = "num_batches_tracked"
"""A counter of training that says nothing of what a network computes."""

INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}

Bits = Shaped[np.ndarray, "unit *axes"]


def fingerprints(model: Model) -> Table:
    """The table "fingerprints": a row per unit of every module that has parameters or buffers of its own.

    `layer` is the module's path, `unit` the place along the first axis that its tensors share (the filter of a
    convolution, the channel of a normalisation). `digest` is of the unit's own numbers, bit for bit, with its inputs in
    ascending order: it stays the same when inputs, or units, change places. `module` is of all the module's numbers
    where they stand. Modules whose tensors share no axis have one unit.
    """
    rows = [row for name, module in model.network.named_modules() for row in _rows(name, module, model.network)]
    columns = zip(*rows, strict=True) if rows else ((), (), (), ())
    layer, unit, digest, whole = (list(column) for column in columns)
    texts = {"layer": layer, "digest": digest, "module": whole}
    arrays = {name: np.array(column, dtype=np.str_) for name, column in texts.items()}
    return Table("fingerprints", {"layer": arrays.pop("layer"), "unit": np.array(unit, dtype=np.int64), **arrays})


def _rows(name: str, module: nn.Module, network: nn.Module) -> Iterator[tuple[str, int, str, str]]:
    bits = {place: _bits(module, place, tensor) for place, tensor in _own(module)}
    if not bits:
        return
    whole = _digest(f"{place} {array.shape} {array.dtype}".encode() + array.tobytes() for place, array in bits.items())
    for unit, digest in enumerate(_of_units(bits)):
        yield name or root_name(network), unit, digest, whole


def _own(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """What the module holds itself, whether it is saved or not."""
    for place, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
        if place != COUNTED and tensor.numel():
            yield place, tensor


def _bits(module: nn.Module, place: str, tensor: Tensor) -> Shaped[np.ndarray, "*axes"]:
    """The numbers as integers of their size: equal bits are equal, those of a NaN too."""
    rows = as_filters(module, tensor) if place == "weight" and tensor.ndim > 1 else tensor
    plain = torch.view_as_real(rows) if rows.is_complex() else rows
    return np.asarray(plain.detach().cpu().contiguous().view(INTEGERS[plain.itemsize]).numpy())


def _of_units(bits: Mapping[str, np.ndarray]) -> Iterator[str]:
    """A digest per unit; what has no axes belongs to every unit."""
    lengths = {len(array) for array in bits.values() if array.ndim}
    units = lengths.pop() if len(lengths) == 1 else 1
    shared = {place: array if array.ndim and len(array) == units else array[None] for place, array in bits.items()}
    ordered = {place: _ordered(array) for place, array in shared.items()}
    for unit in range(units):
        yield _digest(place.encode() + rows[min(unit, len(rows) - 1)].tobytes() for place, rows in ordered.items())


def _ordered(array: Bits) -> np.ndarray:
    """Each unit's inputs in ascending order; the positions of a kernel stay where they are."""
    if array.ndim < 2:
        return array
    positions = math.prod(array.shape[2:])
    if positions == 1:
        return np.sort(array.reshape(len(array), -1), axis=1)
    kernels = np.ascontiguousarray(array).reshape(len(array), array.shape[1], positions)
    whole = kernels.view(np.dtype((np.void, positions * array.itemsize)))[..., 0]
    return np.sort(whole, axis=1)


def _digest(parts: Iterator[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=SIZE)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
