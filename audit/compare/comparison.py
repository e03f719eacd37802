"""Report x Report -> Comparison."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from audit.compare.changes import Comparison, Evidence, ItemChange, LayerChange, NumberChange, Side
from audit.compare.matching import Answers
from audit.compare.units import DRIFTED_BELOW, Units, paired, with_places
from audit.compare.weights import Weights, new_units, status, weights_of
from audit.records import Layer, Report, Table

CLAIMED = frozenset({"claimed_top1"})
"""Numbers that a checkpoint says of itself: copies of the same weights may say it or not."""

PROFILE = ("mean", "std", "max", "share_of_images")
"""Numbers by which a unit is told from others that answer to too few of the pictures."""


@dataclass(frozen=True)
class _Run:
    """A report, taken apart; `answers` are to the pictures that both runs have."""

    report: Report
    weights: Mapping[str, Weights]
    answers: Mapping[str, Answers]

    @property
    def names(self) -> list[str]:
        """Layers that something is known of: in the order of execution, then modules that are never executed alone."""
        executed = [layer.name for layer in self.report.outline.layers]
        return [*(name for name in executed if name in self.answers or name in self.weights)] + [
            name for name in self.weights if name not in executed
        ]

    def units(self, name: str) -> Units | None:
        """What is known of the units of a layer; None where there is no such layer."""
        weights, answers = self.weights.get(name), self.answers.get(name)
        if weights is None and answers is None:
            return None
        count = len(answers) if answers is not None else len(weights.units) if weights else 0
        columns = _columns(self.report, name)
        digests = weights.units if weights is not None and len(weights.units) == count else None
        return Units(count, digests, answers, _silent(self._layer(name), columns, count), _profile(columns, count))

    def _layer(self, name: str) -> Layer | None:
        return next((layer for layer in self.report.outline.layers if layer.name == name), None)


def compare(
    a: Report, b: Report, places: tuple[str, str] = ("A", "B"), drifted_below: float = DRIFTED_BELOW
) -> Comparison:
    """What changed from A to B; `places` say where the reports are. StoreError where their weights were not noted.

    Units are matched by what they answer to the same pictures; where the runs saw other pictures, or measured none, by
    equal weights and by index.
    """
    weights = [weights_of(report, place) for report, place in zip((a, b), places, strict=True)]
    answers, images, reason = _answers(a, b)
    one, other = _Run(a, weights[0], answers[0]), _Run(b, weights[1], answers[1])
    differently, answered = (0, 0) if reason else _predictions(a, b)
    names = list(dict.fromkeys((*one.names, *other.names)))
    layers = [_layer(name, one, other, reason, drifted_below) for name in names]
    return Comparison(
        a=_side(a, places[0]),
        b=_side(b, places[1]),
        layers=tuple(_confirmed(layers, a, answered > 0)),
        items=tuple(_items(a, b)),
        numbers=tuple(_numbers(a, b)),
        alone=_alone(a, b),
        pictures=images,
        other_pictures=reason,
        differently=differently,
        answered=answered,
        drifted_below=drifted_below,
    )


def _layer(name: str, a: _Run, b: _Run, reason: str, drifted_below: float) -> LayerChange:
    before, after = a.units(name), b.units(name)
    weights = a.weights.get(name), b.weights.get(name)
    pairs = () if before is None or after is None else with_places(paired(before, after, drifted_below))
    counts = (0 if before is None else before.count), (0 if after is None else after.count)
    evidence, why = _evidence(before, after, reason)
    return LayerChange(name, status(*weights), counts, new_units(*weights), pairs, evidence, why)


def _evidence(a: Units | None, b: Units | None, reason: str) -> tuple[Evidence, str]:
    """What the units are matched by, and why not by activations."""
    if a is None or b is None:
        return "none", f"there is no such layer in {'A' if a is None else 'B'}"
    if a.answers is not None and b.answers is not None:
        return "activations", ""
    by: Evidence = "weights" if a.digests is not None and b.digests is not None else "none"
    lacking = [side for side, units in (("A", a), ("B", b)) if units.answers is None]
    return by, reason or f"{' and '.join(lacking)} did not measure its activations"


def _answers(a: Report, b: Report) -> tuple[list[dict[str, Answers]], int, str]:
    """Of each layer of each run to the pictures of both, how many these are, and why there are none."""
    tables = [_table(report, "responses") for report in (a, b)]
    if lacking := [side for side, table in zip("AB", tables, strict=True) if table is None]:
        return [{}, {}], 0, f"{' and '.join(lacking)} measured no activations"
    digests = [report.provenance.get("data digest", "") for report in (a, b)]
    if digests[0] != digests[1]:
        return [{}, {}], 0, f"A and B saw other pictures (digests {digests[0][:12]} and {digests[1][:12]})"
    found = [table for table in tables if table is not None]
    images = [name for name in found[0].columns if name.isdecimal() and name in found[1].columns]
    if len(images) < 3:
        return [{}, {}], 0, f"A and B have {len(images)} pictures in common, too few to tell units apart"
    return [_by_layer(table, images) for table in found], len(images), ""


def _by_layer(table: Table, images: Sequence[str]) -> dict[str, Answers]:
    answers = np.stack([table.columns[name] for name in images], axis=1)
    layers = table.columns["layer"]
    starts = np.flatnonzero(np.r_[True, layers[1:] != layers[:-1]]) if len(layers) else np.zeros(0, np.int64)
    return {str(layers[start]): part for start, part in zip(starts, np.split(answers, starts[1:]), strict=True)}


def _confirmed(layers: Sequence[LayerChange], a: Report, by_outputs: bool) -> Iterator[LayerChange]:
    """Weights in another order mean nothing only where something behind them was measured in both runs."""
    order = {layer.name: place for place, layer in enumerate(a.outline.layers)}
    seen = [order[layer.name] for layer in layers if layer.evidence == "activations" and layer.name in order]
    last = len(order) if by_outputs else max(seen, default=-1)
    for layer in layers:
        behind = by_outputs or order.get(layer.name, len(order)) <= last
        yield replace(layer, unconfirmed=layer.status == "permuted" and not behind)


def _predictions(a: Report, b: Report) -> tuple[int, int]:
    """To how many pictures the first answers differ, and how many both answered."""
    tables = [_table(report, "predictions") for report in (a, b)]
    if tables[0] is None or tables[1] is None:
        return 0, 0
    said, says = (
        dict(zip(table.columns["image"].tolist(), table.columns["predicted"].tolist(), strict=True))
        for table in tables
        if table is not None
    )
    both = said.keys() & says.keys()
    return sum(said[image] != says[image] for image in both), len(both)


def _items(a: Report, b: Report) -> Iterator[ItemChange]:
    before = {(verdict.item.layer, verdict.item.task): verdict for verdict in a.verdicts}
    for verdict in b.verdicts:
        known = before.get((verdict.item.layer, verdict.item.task))
        if known is not None and known.outcome != verdict.outcome:
            yield ItemChange(verdict.item.layer, verdict.item.task, known.outcome, verdict.outcome, verdict.message)


def _alone(a: Report, b: Report) -> tuple[int, int]:
    """How many items only A has, and only B."""
    one, other = ({(verdict.item.layer, verdict.item.task) for verdict in report.verdicts} for report in (a, b))
    return len(one - other), len(other - one)


def _numbers(a: Report, b: Report) -> Iterator[NumberChange]:
    before, after = (dict(report.numbers.values) | _silent_units(report) for report in (a, b))
    for name in dict.fromkeys(name for name in (*before, *after) if name not in CLAIMED):
        one, other = before.get(name), after.get(name)
        if one is None or other is None or not _equal(one, other):
            yield NumberChange(name, one, other)


def _equal(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9) or (math.isnan(one) and math.isnan(other))


def _silent_units(report: Report) -> dict[str, float]:
    """How many units of rectified layers never fire, where any was measured."""
    rectified = {layer.name for layer in report.outline.layers if layer.rectifier}
    shares = [record.columns["share_of_images"] for record in report.scalars if record.layer in rectified]
    return {"dead_units": float(sum((share == 0).sum() for share in shares))} if shares else {}


def _silent(layer: Layer | None, columns: Mapping[str, np.ndarray], count: int) -> Bool[np.ndarray, " unit"]:
    """Units that never fire; of a layer without a rectifier those that say the same of all pictures."""
    name = "share_of_images" if layer is not None and layer.rectifier else "std"
    column = columns.get(name)
    return np.zeros(count, bool) if column is None or len(column) != count else np.asarray(column == 0)


def _profile(columns: Mapping[str, np.ndarray], count: int) -> Float[np.ndarray, "unit number"]:
    """NaN, which is like nothing, where a number was not measured."""
    unknown = np.full(count, np.nan)
    known = [columns.get(name, unknown) for name in PROFILE]
    return np.stack([column if len(column) == count else unknown for column in known], axis=1)


def _columns(report: Report, layer: str) -> Mapping[str, np.ndarray]:
    return {
        name: column for record in report.scalars if record.layer == layer for name, column in record.columns.items()
    }


def _table(report: Report, name: str) -> Table | None:
    """One that has any rows."""
    table = report.table(name)
    return table if table is not None and table.rows else None


def _side(report: Report, place: str) -> Side:
    said = report.provenance
    return Side(
        place,
        report.model,
        report.audit,
        said.get("weights digest", ""),
        said.get("data digest", ""),
        said.get("started", ""),
    )
