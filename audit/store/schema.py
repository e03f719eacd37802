"""The JSON Schema of `results.json`, and which structure belongs to which version of it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, get_args

from audit.records import Outcome
from audit.store.document import AXES, SCHEMA

Schema = dict[str, Any]

DIGESTS: Mapping[int, str] = {4: "57cedd291a7779b370384b1d8237194d41b3158f1f0f3afef7c5b9298cafac6d"}
"""The digest of each version's structure: who changes what results.json holds gives it a new version."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> Schema:
    """Of a file as it is stored: a number that is not finite is null there, and listed in `not_finite`."""
    return {
        "$schema": DIALECT,
        "title": "results.json",
        "description": "What a run of deepvis-audit found of one model.",
        **_object(
            schema={"const": SCHEMA, "description": "Version of this structure."},
            audit=_described(TEXT, "Name of the audit."),
            model=_described(TEXT, "Name of the model."),
            outcome=_described(_one_of(*get_args(Outcome)), "The worst of all items; failed where nothing passed."),
            provenance=_described(_map(TEXT), "What made the report: digests, seed, device, versions."),
            numbers=_described(_map(NUMBER), "Numbers of the whole model."),
            items=_list(_item()),
            outline=_object(input_shape=_list(COUNT), layers=_list(_layer())),
            scalars=_list(_object(layer=TEXT, units=COUNT, columns=_map(TEXT))),
            pictures=_list(_pictures()),
            strongest=_list(_strongest()),
            histograms=_list(_object(layer=TEXT, units=COUNT)),
            tables=_list(_object(name=TEXT, rows=COUNT, columns=_map(TEXT))),
            claims=_list(_claim()),
            image_names=_described(_map(TEXT), "Names of pictures by their index."),
            labels=_list(TEXT),
            files=_described(_map(DIGEST), "SHA-256 of the files beside this one."),
            not_finite=_described(
                _map(_one_of("nan", "inf", "-inf")), "By JSON pointer, the numbers that JSON has no word for."
            ),
        ),
    }


def schema_text() -> str:
    """`schema()` as it stands in docs/results.schema.json."""
    return json.dumps(schema(), indent=2) + "\n"


def structure_digest() -> str:
    """SHA-256 of the schema without its descriptions, which may be put in other words."""
    return hashlib.sha256(json.dumps(_structure(schema()), sort_keys=True).encode()).hexdigest()


def _item() -> Schema:
    finding = _object(layer=_or_null(TEXT), unit=_or_null(COUNT), message=TEXT, measured=NUMBER)
    waiver = _object(
        items=_described(TEXT, "An id, or a glob of ids."),
        reason=TEXT,
        owner=TEXT,
        expires=TEXT,
        place=TEXT,
        units=_or_null(_list(COUNT)),
        checkpoint=_or_null(TEXT),
    )
    return _object(
        id=_described(TEXT, "FILE::MODEL::LAYER::TASK, or FILE::MODEL::TASK."),
        file=TEXT,
        model=TEXT,
        layer=_or_null(TEXT),
        task=TEXT,
        outcome=_one_of(*get_args(Outcome)),
        message=TEXT,
        measured=_described(NUMBER, "null, and not in `not_finite`, where nothing was measured."),
        limit=NUMBER,
        asked=_described(NUMBER, "The limit as somebody wrote it; `limit` is what chance makes of it."),
        good=_one_of("at most", "at least", None),
        unit=_described(TEXT, "Of both numbers."),
        findings=_list(finding),
        line=_described(LINE, "Where the audit's file asks for the item; 1 where it is asked for by default."),
        waiver=_or_null(waiver),
    )


def _layer() -> Schema:
    pair = {**_list({"type": "integer"}), "minItems": 2, "maxItems": 2}
    return _object(
        name=TEXT,
        kind=TEXT,
        shape=_list(COUNT),
        parameters=COUNT,
        rectifier=TRUTH,
        activation=_or_null(TEXT),
        field=_or_null(_object(start=pair, stride=pair, size=pair)),
        layout=_or_null(TEXT),
        same_as=_or_null(TEXT),
    )


def _pictures() -> Schema:
    sheet = _object(file=TEXT, first=COUNT, units=COUNT, cell=_list(COUNT), columns=COUNT, sha256=DIGEST)
    return _object(
        layer=TEXT,
        kind=TEXT,
        units=_list(COUNT),
        groups=_list(TEXT),
        names=_list(TEXT),
        note=TEXT,
        tiles=COUNT,
        numbers=_list(TEXT),
        size=_list(COUNT),
        sheets=_list(sheet),
        captions=_list(_list(TEXT)),
    )


def _strongest() -> Schema:
    """Per axis an array [unit, k]; -1 where there are fewer pictures."""
    arrays = {axis: _list(_list(NUMBER if axis == "value" else {"type": "integer"})) for axis in AXES}
    dtypes = _object(**dict.fromkeys(AXES, TEXT))
    return _object(layer=TEXT, end=_one_of("strongest", "weakest"), shape=_list(COUNT), dtypes=dtypes, **arrays)


def _claim() -> Schema:
    return _object(
        text=TEXT,
        outcome=_one_of("holds", "contradicted", "inconclusive"),
        statistic=TEXT,
        measured=NUMBER,
        low=NUMBER,
        high=NUMBER,
        count=COUNT,
        source=TEXT,
    )


TEXT: Schema = {"type": "string"}
TRUTH: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
LINE: Schema = {"type": "integer", "minimum": 1}
NUMBER: Schema = {"type": ["number", "null"]}
DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def _object(**properties: Schema) -> Schema:
    """An object with exactly these keys."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _map(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _one_of(*values: str | None) -> Schema:
    return {"enum": list(values)}


def _or_null(of: Schema) -> Schema:
    return {"anyOf": [of, {"type": "null"}]}


def _described(of: Schema, description: str) -> Schema:
    return {**of, "description": description}


def _structure(node: Any) -> Any:
    """The node without descriptions; a key of a file that is called so has a schema there, not a text."""
    if isinstance(node, list):
        return [_structure(child) for child in node]
    if not isinstance(node, dict):
        return node
    return {key: _structure(child) for key, child in node.items() if key != "description" or not isinstance(child, str)}
