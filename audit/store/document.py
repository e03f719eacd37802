"""Report <-> `results.json`: what the file says, in which words, and how numbers that JSON cannot say are kept.

JSON knows neither NaN nor infinity: such numbers are `null`, and `not_finite` maps the JSON pointer (RFC 6901) of each
to "nan", "inf" or "-inf". A `null` that is not listed there is a value that does not exist.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np

from audit.errors import StoreError
from audit.records import (
    Claim,
    Field,
    Finding,
    Item,
    Layer,
    Numbers,
    Outcome,
    Outline,
    Pictures,
    Report,
    Scalars,
    TopK,
    Verdict,
    Waiver,
)
from audit.store.sprites import Sheet

SCHEMA = 4
"""Version of `results.json`; a file with another is refused."""

AXES = ("value", "image", "y", "x")


def encode(
    report: Report,
    sheets: Sequence[Sequence[Sheet]],
    tables: Sequence[Mapping[str, Any]],
    files: Mapping[str, str],
) -> str:
    """The text of `results.json`.

    `sheets[i]` belong to `report.pictures[i]`, `tables` say what the tables hold, `files` maps file names to SHA-256.
    """
    document = {
        "schema": SCHEMA,
        "audit": report.audit,
        "model": report.model,
        "outcome": report.outcome,
        "provenance": dict(report.provenance),
        "numbers": {name: float(value) for name, value in report.numbers.values.items()},
        "items": [_verdict(verdict) for verdict in report.verdicts],
        "outline": {
            "input_shape": list(report.outline.input_shape),
            "layers": [_layer(layer) for layer in report.outline.layers],
        },
        "scalars": [_scalars(scalars) for scalars in report.scalars],
        "pictures": [_pictures(*pair) for pair in zip(report.pictures, sheets, strict=True)],
        "strongest": [_strongest(strongest) for strongest in report.strongest],
        "histograms": [{"layer": some.layer, "units": len(some.counts)} for some in report.histograms],
        "tables": list(tables),
        "claims": [vars(claim) for claim in report.claims],
        "image_names": {str(int(index)): name for index, name in report.image_names.items()},
        "labels": list(report.labels),
        "files": dict(files),
    }
    not_finite: dict[str, str] = {}
    finite = _without_non_finite(document, "", not_finite)
    return _text({**finite, "not_finite": not_finite})


def parse(text: str) -> dict[str, Any]:
    """The document with every non-finite number in its place. StoreError if it is of another version."""
    document = json.loads(text, parse_constant=_refuse_constant)
    version = document.get("schema") if isinstance(document, dict) else None
    if version != SCHEMA:
        raise StoreError(
            f"results.json has schema {version!r}, this version reads {SCHEMA}: "
            "run the audit again, or use the version that wrote it"
        )
    for pointer, word in document["not_finite"].items():
        if word not in ("nan", "inf", "-inf"):
            raise ValueError(f"{word!r} at {pointer} is not nan, inf or -inf")
        _put(document, pointer, float(word))
    return document  # type: ignore[no-any-return]


def decode(document: Mapping[str, Any], scalars: tuple[Scalars, ...], pictures: tuple[Pictures, ...]) -> Report:
    """The report of a parsed document, given what is stored in the other files."""
    outline = document["outline"]
    return Report(
        audit=document["audit"],
        model=document["model"],
        outline=Outline(_tuple(outline["input_shape"]), tuple(_read_layer(layer) for layer in outline["layers"])),
        verdicts=tuple(_read_verdict(item) for item in document["items"]),
        scalars=scalars,
        strongest=tuple(_read_strongest(strongest) for strongest in document["strongest"]),
        numbers=Numbers(dict(document["numbers"])),
        claims=tuple(Claim(**claim) for claim in document["claims"]),
        pictures=pictures,
        image_names={int(index): name for index, name in document["image_names"].items()},
        labels=tuple(document["labels"]),
        provenance=dict(document["provenance"]),
    )


def _verdict(verdict: Verdict) -> dict[str, Any]:
    item = verdict.item
    return {
        "id": item.id,
        "file": item.file,
        "model": item.model,
        "layer": item.layer,
        "task": item.task,
        "outcome": verdict.outcome,
        "message": verdict.message,
        "measured": _number(verdict.measured),
        "limit": _number(verdict.limit),
        "asked": _number(verdict.asked),
        "good": verdict.good,
        "unit": verdict.unit,
        "findings": [
            {
                "layer": finding.layer,
                "unit": None if finding.unit is None else int(finding.unit),
                "message": finding.message,
                "measured": float(finding.measured),
            }
            for finding in verdict.findings
        ],
        "line": int(verdict.line),
        "waiver": verdict.waiver and vars(verdict.waiver),
    }


def _read_verdict(item: Mapping[str, Any]) -> Verdict:
    if item["outcome"] not in get_args(Outcome):
        raise ValueError(f"unknown outcome {item['outcome']!r}")
    if item["good"] not in ("at most", "at least", None):
        raise ValueError(f"unknown side {item['good']!r}")
    return Verdict(
        item=Item(item["file"], item["model"], item["layer"], item["task"]),
        outcome=item["outcome"],
        message=item["message"],
        measured=item["measured"],
        limit=item["limit"],
        asked=item["asked"],
        good=item["good"],
        unit=item["unit"],
        findings=tuple(Finding(**finding) for finding in item["findings"]),
        line=item["line"],
        waiver=item["waiver"] and Waiver(**_with_units(item["waiver"])),
    )


def _with_units(waiver: Mapping[str, Any]) -> dict[str, Any]:
    return {**waiver, "units": None if waiver["units"] is None else tuple(waiver["units"])}


def _layer(layer: Layer) -> dict[str, Any]:
    field = layer.field
    return {
        "name": layer.name,
        "kind": layer.kind,
        "shape": list(layer.shape),
        "parameters": int(layer.parameters),
        "rectifier": layer.rectifier,
        "activation": layer.activation,
        "field": field and {"start": list(field.start), "stride": list(field.stride), "size": list(field.size)},
        "layout": layer.layout,
        "same_as": layer.same_as,
    }


def _read_layer(layer: Mapping[str, Any]) -> Layer:
    field = layer["field"]
    return Layer(
        name=layer["name"],
        kind=layer["kind"],
        shape=_tuple(layer["shape"]),
        parameters=layer["parameters"],
        rectifier=layer["rectifier"],
        activation=layer["activation"],
        field=field and Field(**{name: _tuple(pair) for name, pair in field.items()}),
        layout=layer.get("layout"),
        same_as=layer.get("same_as"),
    )


def _scalars(scalars: Scalars) -> dict[str, Any]:
    units = {len(column) for column in scalars.columns.values()}
    return {
        "layer": scalars.layer,
        "units": max(units, default=0),
        "columns": {name: str(np.asarray(column).dtype) for name, column in scalars.columns.items()},
    }


def _strongest(strongest: TopK) -> dict[str, Any]:
    arrays = {axis: np.asarray(getattr(strongest, axis)) for axis in AXES}
    return {
        "layer": strongest.layer,
        "end": strongest.end,
        "shape": list(arrays["value"].shape),
        "dtypes": {axis: str(array.dtype) for axis, array in arrays.items()},
        **{axis: array.tolist() for axis, array in arrays.items()},
    }


def _read_strongest(strongest: Mapping[str, Any]) -> TopK:
    shape, dtypes = _tuple(strongest["shape"]), strongest["dtypes"]
    arrays = {axis: np.array(strongest[axis], dtype=numeric(dtypes[axis])).reshape(shape) for axis in AXES}
    if strongest["end"] not in ("strongest", "weakest"):
        raise ValueError(f"unknown end {strongest['end']!r}")
    return TopK(strongest["layer"], arrays["value"], arrays["image"], arrays["y"], arrays["x"], strongest["end"])


def _pictures(pictures: Pictures, sheets: Sequence[Sheet]) -> dict[str, Any]:
    return {
        "layer": pictures.layer,
        "kind": pictures.kind,
        "units": [int(unit) for unit in pictures.units],
        "groups": list(pictures.groups),
        "names": list(pictures.names),
        "note": pictures.note,
        "tiles": pictures.tiles.shape[1],
        "numbers": list(pictures.numbers),
        "size": list(pictures.size),
        "sheets": [{**vars(sheet), "cell": list(sheet.cell)} for sheet in sheets],
        "captions": [list(row) for row in pictures.captions],
    }


def numeric(name: str) -> np.dtype[Any]:
    """The dtype of that name; ValueError unless it is a plain number or truth value."""
    dtype = np.dtype(name)
    if dtype.kind not in "fiub":
        raise ValueError(f"{name!r} is not a type of numbers")
    return dtype


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _tuple(values: Sequence[int]) -> tuple[Any, ...]:
    return tuple(int(value) for value in values)


def _without_non_finite(value: Any, pointer: str, found: dict[str, str]) -> Any:
    """`value` with null for each non-finite number, whose pointer is put into `found`."""
    if isinstance(value, float) and not math.isfinite(value):
        found[pointer] = str(value)
        return None
    if isinstance(value, dict):
        return {key: _without_non_finite(each, f"{pointer}/{_escape(key)}", found) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_non_finite(each, f"{pointer}/{index}", found) for index, each in enumerate(value)]
    return value


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _put(document: Any, pointer: str, number: float) -> None:
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for part in parents:
        document = document[int(part)] if isinstance(document, list) else document[part]
    key = int(last) if isinstance(document, list) else last
    if document[key] is not None:
        raise ValueError(f"{pointer} is listed as not finite but is {document[key]!r}")
    document[key] = number


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is not JSON")


def _text(document: Mapping[str, Any]) -> str:
    """JSON with one line per key, and per member of a list of objects: short, and good to read in a diff."""
    lines = [f"{json.dumps(key)}: {_member(value)}" for key, value in document.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _member(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"  {_dumps(each)}" for each in value) + "\n]"
    if isinstance(value, dict) and value:
        return "{\n" + ",\n".join(f"  {json.dumps(key)}: {_member(each)}" for key, each in value.items()) + "\n}"
    return _dumps(value)


def _dumps(value: Any) -> str:
    return json.dumps(value, allow_nan=False)
