"""Columns of units -> their headings and order, and numbers as text."""

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from audit.records import Report
from audit.render.wording import DASH, number, percent

COLUMNS = {
    "mean": "mean",
    "std": "std",
    "min": "min",
    "p01": "1 %",
    "p25": "25 %",
    "median": "median",
    "p75": "75 %",
    "p99": "99 %",
    "max": "max",
    "share_of_images": "fires on images",
    "share_of_positions": "fires at positions",
    "non_finite": "not finite",
    "frequency": "frequency (cycles/px)",
    "orientation": "orientation (°)",
    "colourfulness": "colourfulness",
    "is_colour": "colour filter",
    "smoothness": "smoothness",
    "smoother_than_null": "smoother than null",
    "mean_activated": "mean after ReLU",
    "weight_norm": "norm of its weights",
    "zero_weights": "zero weights",
    "nearest_cosine": "nearest weights (cosine)",
    "next_weight": "next layer's weights",
    "gradient_energy": "gradient energy",
    "share_at_max": "at its maximum",
    "nearest": "most like unit",
    "correlation": "correlation with it",
    "preferred_class": "preferred output",
    "selectivity": "selectivity",
    "class_information": "explained by classes",
    "detected_class": "finds output",
    "class_auc": "AUC of its best output",
    "class_auc_low": "AUC at least",
    "class_auc_high": "AUC at most",
    "label_purity": "strongest 9 with one label",
    "label_purity_low": "at least so many",
    "label_purity_high": "at most so many",
    "label_count": "labels among them",
    "detected_concept": "finds concept",
    "concept_auc": "AUC of its best concept",
    "concept_auc_low": "concept's AUC at least",
    "concept_auc_high": "concept's AUC at most",
    "concept_purity": "strongest 9 with the concept",
    "concept_purity_low": "at least so many with it",
    "concept_purity_high": "at most so many with it",
    "map_norm": "norm of the map",
    "map_norm_std": "std of that norm",
    "share_when_firing": "fires at, when firing",
    "sparseness": "sparseness",
    "spread": "spread in the map",
}
"""Columns in the order in which they are shown, with their headings; others follow under their own names."""

SHARES = {
    *("share_of_images", "share_of_positions", "share_at_max", "share_when_firing", "class_information"),
    *("smoother_than_null", "colourfulness", "zero_weights"),
    *(f"{name}_purity{end}" for name in ("label", "concept") for end in ("", "_low", "_high")),
}
FLAGS, UNITS = {"is_colour"}, {"nearest", "preferred_class", "detected_class", "detected_concept"}

Columns = Mapping[str, Float[np.ndarray, " unit"]]


def columns_of(report: Report) -> dict[str, dict[str, Float[np.ndarray, " unit"]]]:
    """layer -> name -> column of everything measured there, known columns first."""
    found: dict[str, dict[str, Float[np.ndarray, " unit"]]] = {}
    for scalars in report.scalars:
        found.setdefault(scalars.layer, {}).update(scalars.columns)
    rank = {name: index for index, name in enumerate(COLUMNS)}
    return {
        layer: dict(sorted(columns.items(), key=lambda pair: rank.get(pair[0], len(rank))))
        for layer, columns in found.items()
        if columns
    }


def cell(name: str, value: float) -> str:
    """A number of a unit as it is shown in the column of that name."""
    if name in UNITS and value < 0:
        return DASH
    if name in FLAGS:
        return number(value) if math.isnan(value) else ("yes" if value else "no")
    return percent(value) if name in SHARES else number(value)
