"""Records of a report -> pandas, with the columns that were stored, indexed by what a row is of."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from audit.records import Claim, Pictures, Report, Table, Verdict
from audit.render.pages.columns import FLAGS, UNITS, Columns
from audit.render.pages.layers import among_units, outcome_of

if TYPE_CHECKING:
    import pandas as pd


def items(verdicts: Sequence[Verdict]) -> "pd.DataFrame":
    """By id; `findings` is how many there are, `waiver` what it says."""
    rows = [
        {
            "id": verdict.item.id,
            "layer": verdict.item.layer,
            "task": verdict.item.task,
            "outcome": verdict.outcome,
            "message": verdict.message,
            **{name: getattr(verdict, name) for name in ("measured", "limit", "asked", "good", "unit")},
            "findings": len(verdict.findings),
            "waiver": verdict.waiver.said if verdict.waiver else None,
            "file": verdict.item.file,
            "line": verdict.line,
        }
        for verdict in verdicts
    ]
    texts = ("id", "layer", "task", "outcome", "message", "good", "unit", "waiver", "file")
    numbers = dict.fromkeys(("measured", "limit", "asked"), "float64")
    kinds = {**dict.fromkeys(texts, "str"), **numbers, "findings": "int64", "line": "int64"}
    return _frame(rows, kinds).set_index("id")


def findings(verdicts: Sequence[Verdict]) -> "pd.DataFrame":
    """`layer` and `unit` are missing where a finding is of the whole model or layer."""
    rows = [
        {"item": verdict.item.id, "task": verdict.item.task, "outcome": verdict.outcome, **asdict(finding)}
        for verdict in verdicts
        for finding in verdict.findings
    ]
    texts = dict.fromkeys(("item", "task", "outcome", "layer", "message"), "str")
    columns = ("item", "task", "outcome", "layer", "unit", "message", "measured")
    return _frame(rows, {**texts, "unit": "Int64", "measured": "float64"})[list(columns)]


def layers(report: Report, columns: Mapping[str, Columns]) -> "pd.DataFrame":
    """By name; `shape`, `field` and `stride` are tuples, and None where a unit sees the whole input."""
    rows = [
        {
            "layer": layer.name,
            "kind": layer.kind,
            "shape": layer.shape,
            "units": layer.units,
            "parameters": layer.parameters,
            "field": layer.field and layer.field.size,
            "stride": layer.field and layer.field.stride,
            "rectifier": layer.rectifier,
            "activation": layer.activation,
            "same_as": layer.same_as,
            "measured": bool(columns.get(layer.name)),
            "pictures": sum(made.tiles.shape[0] * made.tiles.shape[1] for made in among_units(layer, report)),
            "outcome": outcome_of(report, layer.name),
        }
        for layer in report.outline.layers
    ]
    kinds = {
        **dict.fromkeys(("layer", "kind", "activation", "same_as", "outcome"), "str"),
        **dict.fromkeys(("units", "parameters", "pictures"), "int64"),
        **dict.fromkeys(("rectifier", "measured"), "bool"),
        **dict.fromkeys(("shape", "field", "stride"), "object"),
    }
    return _frame(rows, kinds).set_index("layer")


def units(report: Report, columns: Mapping[str, Columns]) -> "pd.DataFrame":
    """By layer and unit; where units are classes, `label` is their name."""
    import pandas as pd

    names = [layer.name for layer in report.outline.layers if layer.name in columns]
    parts = [_units(report, name, columns[name]) for name in names]
    frame = pd.concat(parts) if parts else pd.DataFrame({"layer": [], "unit": []})
    kinds = {name: "Int64" if name in UNITS else "boolean" for name in frame.columns if name in UNITS | FLAGS}
    if "label" in frame.columns:
        frame.insert(2, "label", frame.pop("label").astype("str"))
    return _indexed(frame.astype({"unit": "int64", **kinds}), ["layer", "unit"], report)


def label_of(report: Report, layer: str) -> tuple[str, ...]:
    """The names of a layer's units; none where they are no classes."""
    found = report.outline.layer(layer)
    return report.labels if report.outline.has_classes(found) and len(report.labels) == found.units else ()


def pictures(report: Report) -> "pd.DataFrame":
    """By layer, kind, unit, group and tile; NaN where a kind or layer does not have a number.

    `name` is what a row of pictures is called that is of no unit.
    """
    import pandas as pd

    keys = ["layer", "kind", "unit", "group", "tile"]
    parts = [_pictures(record) for record in report.pictures if 0 not in record.tiles.shape[:2]]
    frame = pd.concat(parts) if parts else pd.DataFrame({name: [] for name in (*keys, "name", "caption")})
    kinds = {"name": "str", "caption": "str", "unit": "int64", "tile": "int64"}
    return _indexed(frame.astype(kinds), keys, report)


def strongest(report: Report, end: Literal["strongest", "weakest"]) -> "pd.DataFrame":
    """By layer, unit and rank; without places that no picture took."""
    import pandas as pd

    parts = []
    for record in report.strongest:
        if record.end == end:
            unit, rank = np.nonzero(record.image >= 0)
            numbers = {name: getattr(record, name)[unit, rank] for name in ("value", "image", "y", "x")}
            parts.append(pd.DataFrame({"layer": record.layer, "unit": unit, "rank": rank + 1, **numbers}))
    keys = ["layer", "unit", "rank"]
    frame = pd.concat(parts) if parts else pd.DataFrame({name: [] for name in (*keys, "value", "image", "y", "x")})
    frame.insert(5, "name", frame["image"].map(lambda image: report.image_names.get(int(image))).astype("str"))
    return _indexed(frame.astype(dict.fromkeys(("unit", "rank", "image", "y", "x"), "int64")), keys, report)


def histograms(report: Report) -> "pd.DataFrame":
    """By layer, unit and bin."""
    import pandas as pd

    keys = ["layer", "unit", "bin"]
    parts = []
    for record in report.histograms:
        unit, place = np.indices(record.counts.shape).reshape(2, -1)
        low, high = record.edges[:, :-1].ravel(), record.edges[:, 1:].ravel()
        numbers = {"unit": unit, "bin": place, "low": low, "high": high, "count": record.counts.ravel()}
        parts.append(pd.DataFrame({"layer": record.layer, **numbers}))
    frame = pd.concat(parts) if parts else pd.DataFrame({name: [] for name in (*keys, "low", "high", "count")})
    return _indexed(frame, keys, report)


def claims(records: Sequence[Claim]) -> "pd.DataFrame":
    """In the order of the report."""
    texts = dict.fromkeys(("text", "outcome", "statistic", "source"), "str")
    numbers = {**dict.fromkeys(("measured", "low", "high"), "float64"), "count": "int64"}
    return _frame([asdict(claim) for claim in records], {**texts, **numbers})[list(Claim.__dataclass_fields__)]


def table(record: Table) -> "pd.DataFrame":
    """The columns as they were stored."""
    import pandas as pd

    return pd.DataFrame({name: _texts(column) for name, column in record.columns.items()})


def series(values: Mapping[str, Any], name: str, dtype: str) -> "pd.Series[Any]":
    """By name."""
    import pandas as pd

    return pd.Series(dict(values), name=name, dtype=dtype)


def labels(names: Sequence[str]) -> "pd.Series[str]":
    """By output."""
    import pandas as pd

    return pd.Series(list(names), index=pd.RangeIndex(len(names), name="output"), name="label", dtype="str")


def _frame(rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]) -> "pd.DataFrame":
    """A column per kind, in the order of the rows' names; also where there is no row."""
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(rows[0]) if rows else list(kinds))
    return frame.astype(dict(kinds))


def _indexed(frame: "pd.DataFrame", keys: list[str], report: Report) -> "pd.DataFrame":
    """Sorted by the keys, so that parts of them find rows fast; layers are in the order of execution."""
    import pandas as pd

    orders = {name: frame[name].unique().tolist() for name in keys if name in ("kind", "group")}
    kinds = {name: pd.CategoricalDtype(order) for name, order in orders.items()}
    layers = pd.CategoricalDtype([layer.name for layer in report.outline.layers])
    return frame.astype({"layer": layers, **kinds}).set_index(keys).sort_index()


def _units(report: Report, layer: str, columns: Columns) -> "pd.DataFrame":
    import pandas as pd

    count, names = len(next(iter(columns.values()))), label_of(report, layer)
    own: dict[str, Any] = {"layer": [layer] * count, "unit": range(count)}
    return pd.DataFrame({**own, **({"label": list(names)} if names else {}), **columns})


def _pictures(record: Pictures) -> "pd.DataFrame":
    import pandas as pd

    rows, tiles = record.tiles.shape[:2]
    groups = record.groups or ("",)
    size = max(1, tiles // len(groups))
    return pd.DataFrame(
        {
            "layer": record.layer,
            "kind": record.kind,
            "unit": np.repeat(record.units, tiles),
            "group": [groups[tile // size] for tile in range(tiles)] * rows,
            "tile": np.tile(np.arange(tiles) % size, rows),
            "name": [name for name in record.names or [None] * rows for _ in range(tiles)],
            "caption": [caption for captions in record.captions for caption in captions],
            **{name: column.ravel() for name, column in record.numbers.items()},
        }
    )


def _texts(column: np.ndarray) -> Any:
    import pandas as pd

    return pd.array(column.tolist(), dtype="str") if column.dtype.kind == "U" else column
