"""Comparison -> the text of `comparison.json`."""

import json
import math
from collections.abc import Iterable
from typing import Any

from audit.compare.changes import Comparison, LayerChange, Pair

SCHEMA = 1
"""Version of `comparison.json`."""


def encode(comparison: Comparison) -> str:
    """JSON; a number that is not known is null, and units that are what they were are left out."""
    document = {
        "schema": SCHEMA,
        "outcome": comparison.outcome,
        "headline": comparison.headline,
        "a": vars(comparison.a),
        "b": vars(comparison.b),
        "drifted_below": comparison.drifted_below,
        "pictures": comparison.pictures,
        "other_pictures": comparison.other_pictures,
        "predictions": {"differ": comparison.differently, "pictures": comparison.answered},
        "items": [vars(item) for item in comparison.items],
        "items_alone": {"a": comparison.alone[0], "b": comparison.alone[1]},
        "numbers": [
            {"name": number.name, "a": _number(number.a), "b": _number(number.b)} for number in comparison.numbers
        ],
        "layers": [_layer(layer) for layer in comparison.layers],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _layer(layer: LayerChange) -> dict[str, Any]:
    return {
        "layer": layer.name,
        "weights": layer.status,
        "units": {"a": layer.units[0], "b": layer.units[1]},
        "new_weights": layer.new,
        "matched_by": layer.evidence,
        "reason": layer.reason,
        "unconfirmed": layer.unconfirmed,
        "fates": dict(layer.fates),
        "changed_units": list(_pairs(layer.pairs)),
    }


def _pairs(pairs: Iterable[Pair]) -> Iterable[dict[str, Any]]:
    for pair in pairs:
        if pair.fate != "same":
            yield {"a": pair.a, "b": pair.b, "fate": pair.fate, "correlation": _number(pair.correlation)}


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
