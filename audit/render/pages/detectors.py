"""Columns and tables of detectors -> the units that find a class or a concept best, with their strongest patches."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audit.records import Report
from audit.render.charts.detectors import WORDS, versus
from audit.render.charts.drawing import Chart
from audit.render.pages.columns import Columns
from audit.render.pages.sections import Column, Grid
from audit.render.rows import rows_of
from audit.render.sprites import Embed, Embedded
from audit.render.wording import DASH, link, percent, place
from audit.words import plural

Row = Mapping[str, Any]

SHOWN = 20
"""Detectors of classes, and of concepts, on a page; all are in units.parquet."""


@dataclass(frozen=True)
class Detector:
    """A unit that surely finds something; `href` leads to its pictures, or is empty."""

    layer: str
    unit: str
    href: str
    finds: str
    auc: str
    interval: str
    purity: str
    patches: Embedded | None


@dataclass(frozen=True)
class Ranking:
    """The best detectors of classes or of concepts, of all hidden layers together."""

    title: str
    rows: tuple[Detector, ...]
    left_out: str


@dataclass(frozen=True)
class Detectors:
    """The rankings, how layers compare with random directions, and their numbers."""

    rankings: tuple[Ranking, ...]
    chart: Chart | None
    layers: Grid


def detectors_section(
    report: Report, columns: Mapping[str, Columns], embed: Embed, known: Container[tuple[str, int]] = ()
) -> Detectors | None:
    """None if detectors were not asked for. Layers that a measured one rectifies are left out of rankings.

    Rows lead to units that are `known` to have a place on the page.
    """
    table = report.table("detectors")
    if table is None or not table.rows:
        return None
    concepts = report.table("concepts")
    named = {"class": list(report.labels), "concept": [row["name"] for row in rows_of(concepts, "name")]}
    rankings = (_ranking(report, columns, embed, known, of, names) for of, names in named.items())
    layers = _layers(rows_of(table, *table.columns))
    return Detectors(tuple(one for one in rankings if one is not None), versus(table), layers)


def _ranking(  # noqa: PLR0917  # what its rows are made of
    report: Report,
    columns: Mapping[str, Columns],
    embed: Embed,
    known: Container[tuple[str, int]],
    of: str,
    names: list[str],
) -> Ranking | None:
    """The surest first: those with the highest lower end."""
    measured = {layer: found for layer, found in columns.items() if f"detected_{of}" in found}
    hidden = [
        layer.name
        for layer in report.outline.layers
        if layer.name in measured and not report.outline.has_classes(layer)
        if layer.activation in (None, layer.name) or layer.activation not in measured
    ]
    found = [(layer, int(unit)) for layer in hidden for unit in np.flatnonzero(measured[layer][f"detected_{of}"] >= 0)]
    if not hidden:
        return None
    found.sort(key=lambda place: -measured[place[0]][f"{of}_auc_low"][place[1]])
    more = len(found) - SHOWN
    said = plural(len(found), "unit")
    return Ranking(
        f"{said} of hidden layers surely {'finds' if len(found) == 1 else 'find'} one of the {WORDS[of]}",
        tuple(_detector(report, measured[at], at, unit, of, names, embed, known) for at, unit in found[:SHOWN]),
        f"{plural(more, 'more unit')} in units.parquet." if more > 0 else "",
    )


def _detector(  # noqa: PLR0917  # what a row is made of
    report: Report,
    columns: Columns,
    layer: str,
    unit: int,
    of: str,
    names: list[str],
    embed: Embed,
    known: Container[tuple[str, int]],
) -> Detector:
    target = int(columns[f"detected_{of}"][unit])
    auc, low, high = (columns[f"{of}_auc{end}"][unit] for end in ("", "_low", "_high"))
    share = columns["label_purity" if of == "class" else "concept_purity"][unit]
    kinds = {p.kind: p for p in report.pictures if p.layer == layer and unit in p.units and not p.names}
    patches = kinds.get("max-patches")
    tiles = None if patches is None else patches.tiles[patches.units.index(unit)]
    return Detector(
        layer=layer,
        unit=str(unit),
        href=link(place("unit", layer, unit)) if (layer, unit) in known else "",
        finds=names[target] if target < len(names) else f"output {target}",
        auc=f"{auc:.3f}",
        interval=f"{low:.3f} to {high:.3f}",
        purity=_purity(columns, unit, of, float(share)),
        patches=None if tiles is None or not tiles.size else embed(tiles, 1),
    )


def _purity(columns: Columns, unit: int, of: str, share: float) -> str:
    if np.isnan(share):
        return DASH
    word = "label" if of == "class" else "concept"
    low, high = (columns[f"{word}_purity_{end}"][unit] for end in ("low", "high"))
    labels = f", {plural(int(columns['label_count'][unit]), 'label')}" if of == "class" else ""
    return f"{percent(share)} ({percent(low)} to {percent(high)}){labels}"


def _layers(rows: Sequence[Row]) -> Grid:
    unmeasured = [f"{row['layer']}: {row['unmeasured']}" for row in rows if row["unmeasured"]]
    return Grid(
        "Detectors by layer",
        "Units, and for comparison random directions of the layer (sums of its units with random weights), that surely "
        "find a target; the median of their best AUC; and how many of the nine strongest pictures share one label, or "
        "have the concept."
        + (f" Not measured, for they were not finite: {'; '.join(dict.fromkeys(unmeasured))}." if unmeasured else ""),
        (
            *(Column(name) for name in ("layer", "of")),
            *(Column(name, True) for name in ("targets", "detectors", "of directions", "AUC", "of directions")),
            *(Column(name, True) for name in ("strongest alike", "of directions")),
        ),
        tuple(_cells(row) for row in rows),
        folded=len(rows) > 20,
    )


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row["layer"],
        WORDS[row["of"]],
        str(row["targets"]),
        f"{row['detectors']} of {row['units']}",
        *(_known(row["random_detectors"], percent), _known(row["auc"]), _known(row["random_auc"])),
        *(_known(row[name], percent) for name in ("purity", "random_purity")),
    )


def _three(value: float) -> str:
    return f"{value:.3f}"


def _known(value: float, text: Callable[[float], str] = _three) -> str:
    return DASH if np.isnan(value) else text(value)
