"""Fingerprints of two runs -> which layers have equal weights, which the same in another order, which others."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from audit.compare.changes import Status
from audit.errors import StoreError
from audit.records import Report


@dataclass(frozen=True)
class Weights:
    """A digest of each unit's own numbers, and one of all of them where they stand."""

    units: tuple[str, ...]
    module: str


def weights_of(report: Report, place: str) -> Mapping[str, Weights]:
    """Of every module that has any, in their order; StoreError for a run that did not note them."""
    table = report.table("fingerprints")
    if table is None or not {"layer", "digest", "module"} <= table.columns.keys():
        raise StoreError(
            f"the run in {place} holds no fingerprints of its weights, so they cannot be compared: "
            "it was made by an earlier version; run the audit again"
        )
    layers, digests, modules = (table.columns[name].tolist() for name in ("layer", "digest", "module"))
    units: dict[str, list[str]] = {}
    for layer, digest in zip(layers, digests, strict=True):
        units.setdefault(layer, []).append(digest)
    whole = dict(zip(layers, modules, strict=True))
    return {layer: Weights(tuple(those), whole[layer]) for layer, those in units.items()}


def status(a: Weights | None, b: Weights | None) -> Status | None:
    """What became of the weights of a module; None where there are none."""
    if a is None or b is None:
        return "only in A" if a else "only in B" if b else None
    if a.module == b.module:
        return "equal"
    if len(a.units) != len(b.units):
        return "resized"
    return "permuted" if Counter(a.units) == Counter(b.units) else "re-trained"


def new_units(a: Weights | None, b: Weights | None) -> int:
    """How many units of B have numbers that no unit of A has."""
    return (Counter(b.units) - Counter(a.units if a else ())).total() if b else 0
