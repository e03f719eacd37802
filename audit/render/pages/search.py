"""Report -> what the page's script searches and filters: layers, all measured units, items, findings."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from audit.records import REFUSED, Layer, Report
from audit.render.pages.columns import COLUMNS, FLAGS, SHARES, UNITS, Columns
from audit.render.pages.layers import among_units
from audit.render.pages.selection import Flag, Place, units_of
from audit.render.pages.verdicts import ItemRow
from audit.render.templates import readable
from audit.render.wording import link, place


def searched(
    report: Report, columns: Mapping[str, Columns], rows: Sequence[ItemRow], flags: Mapping[Place, tuple[Flag, ...]]
) -> dict[str, Any]:
    """For JSON.

    columns: [heading, kind]; layers: name, kind, units, links, the units that are pictured, whether they are classes,
    and `values`, base64 of float32[column, unit], of the `columns` by their place. items: [task, layer, outcome,
    message, link]; flags: [layer's place, unit, text] of the findings that refuse the checkpoint.
    """
    names = list(dict.fromkeys(name for layer in report.outline.layers for name in columns.get(layer.name, {})))
    layers = list(report.outline.layers)
    names_of_layers = [layer.name for layer in layers]
    found: dict[str, Any] = _plain(
        {
            "columns": [[COLUMNS.get(name, name), _kind(name)] for name in names],
            "layers": [_layer(layer, report, columns.get(layer.name, {}), names) for layer in layers],
            "labels": list(report.labels),
            "items": [[row.task, row.layer, row.outcome, row.message, row.href] for row in rows],
            "flags": [
                [names_of_layers.index(layer), unit, f"{flag.task}: {flag.message}"]
                for (layer, unit), said in flags.items()
                if layer in names_of_layers
                for flag in said
                if flag.outcome in REFUSED
            ],
        }
    )
    return found


def _kind(name: str) -> str:
    if name in SHARES:
        return "share"
    if name in FLAGS:
        return "flag"
    return "unit" if name in UNITS else "number"


def _layer(layer: Layer, report: Report, columns: Columns, names: Sequence[str]) -> dict[str, Any]:
    shown = among_units(layer, report)
    pictured = list(units_of(shown))
    values = np.stack([np.asarray(column, "<f4") for column in columns.values()]) if columns else np.zeros(0, "<f4")
    return {
        "name": layer.name,
        "kind": layer.kind,
        "units": layer.units if columns else 0,
        "href": link(place("layer" if shown else "row", layer.name)),
        "unit": link(place("unit", layer.name)),
        "pictured": pictured,
        "classes": report.outline.has_classes(layer) and len(report.labels) == layer.units,
        "columns": [names.index(name) for name in columns],
        "values": base64.b64encode(values.tobytes()).decode("ascii"),
    }


def _plain(value: Any) -> Any:
    """The same, texts without characters that would garble the page."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return readable(value)
