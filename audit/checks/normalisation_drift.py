"""Running statistics of batch normalisations and what they make of these pictures -> how far the two are apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Shaped
from pydantic import Field

from audit.checks.evidence import Check, Columns, Evidence, Need, Place
from audit.errors import NotApplicable, Unavailable
from audit.records import Finding, Judgement
from audit.words import plural

NEARLY_NO_SCALE = 1e-3
"""A scale of this part of the layer's median, or less, hides what was before it."""

SHOWN = 5

Rows = dict[str, Shaped[np.ndarray, " unit"]]


class NormalisationDrift(Check):
    """Batch normalisations whose running statistics are not those of these pictures.

    A unit's drift is hypot(shift of the mean / running standard deviation, log(standard deviation / running one)), a
    layer's the median over its units, the model's that of the layer that drifts most. Both come from the layer's
    output, which is weight * (input - running mean) / running standard deviation + bias, so no pass is added.
    """

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("activations", "normalisations")
    measured_in: ClassVar[str] = ""

    at_most: float = Field(
        default=0.2, gt=0, description="drift of the layer that drifts most, in running standard deviations"
    )
    min_images: int = Field(
        default=100, ge=1, description="with fewer pictures the observed statistics are too uncertain to compare"
    )

    def judge(self, evidence: Evidence) -> Judgement:
        layers = list(_layers(evidence))
        _comparable(evidence, self.min_images, len(layers))
        drifts = [drift for rows in layers if (drift := _drift(evidence, rows)) is not None]
        if not drifts:
            raise Unavailable(_unmeasured(evidence, layers))
        worst = max(drifts, key=lambda drift: (np.isnan(drift.size), drift.size))
        far = [drift for drift in drifts if not drift.size <= self.at_most]
        findings = tuple(Finding(drift.layer, None, str(drift), drift.size) for drift in far)
        return Judgement(worst.size, self.at_most, "at most", "", _message(drifts, worst, len(layers), far), findings)


@dataclass(frozen=True)
class Drift:
    """How far the running statistics of a layer are from those observed: medians over `units` of its units."""

    layer: str
    size: float
    shift: float
    log_ratio: float
    units: int
    never_updated: bool

    def __str__(self) -> str:
        reset = "; running mean 0 and variance 1 everywhere: never updated, or reset" if self.never_updated else ""
        return (
            f"drift {self.size:.3g}: means are shifted by {self.shift:.3g} running standard deviations, standard "
            f"deviations are {np.exp(self.log_ratio):.3g} times the running ones (medians of {self.units} units){reset}"
        )


def _layers(evidence: Evidence) -> Iterator[Rows]:
    """The table's rows of each layer, in its order."""
    columns = evidence.table("normalisations").columns
    for name in dict.fromkeys(columns["layer"].tolist()):
        yield {key: column[columns["layer"] == name] for key, column in columns.items()}


def _comparable(evidence: Evidence, needed: int, layers: int) -> None:
    if not layers:
        raise NotApplicable("the model has no batch normalisation with running statistics")
    if evidence.images < needed:
        raise Unavailable(
            f"{evidence.images} pictures say too little of means and spreads; show at least {needed} (data.limit), or "
            "set min_images"
        )


def _drift(evidence: Evidence, rows: Rows) -> Drift | None:
    """None where the layer was not measured, or where no unit has a scale."""
    name, weight = str(rows["layer"][0]), np.abs(rows["weight"])
    judged = ~(weight <= NEARLY_NO_SCALE * np.median(weight))
    if name not in evidence.layers or not judged.any():
        return None
    shift, log_ratio = _unit_drifts(evidence.layers[name], rows, judged)
    size = float(np.median(np.hypot(shift, log_ratio)))
    reset = bool((rows["running_mean"] == 0).all() and (rows["running_var"] == 1).all())
    return Drift(name, size, float(np.median(np.abs(shift))), float(np.median(log_ratio)), len(shift), reset)


def _unit_drifts(
    columns: Columns, rows: Rows, judged: Shaped[np.ndarray, " unit"]
) -> tuple[Float[np.ndarray, " judged"], Float[np.ndarray, " judged"]]:
    """(observed mean - running mean) / running standard deviation, log(observed / running standard deviation)."""
    weight, variance = rows["weight"][judged], (rows["running_var"] + rows["eps"])[judged]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # what is no number must stay none
        shift = (columns["mean"] - rows["bias"])[judged] / weight
        observed = (columns["std"][judged] / weight) ** 2 * variance + rows["eps"][judged]
        return shift, np.log(observed / variance) / 2


def _unmeasured(evidence: Evidence, layers: list[Rows]) -> str:
    names = [str(rows["layer"][0]) for rows in layers]
    if any(name in evidence.layers for name in names):
        return "no unit of the normalisations that were measured has a scale to judge by"
    more = ", ..." if len(names) > SHOWN else ""
    return f"no normalisation was measured; choose them in [[layers]]: {', '.join(names[:SHOWN])}{more}"


def _message(drifts: list[Drift], worst: Drift, layers: int, far: list[Drift]) -> str:
    typical = float(np.median([drift.size for drift in drifts]))
    message = (
        f"{worst.layer} drifts most of {plural(len(drifts), 'normalisation')}, median of all {typical:.2g}; {worst}"
    )
    if len(drifts) < layers:
        message += f"; {layers - len(drifts)} more normalisations were not measured or have no scale"
    if not far:
        return message
    return message + (
        f". {len(far)} drift too far, the first of them {far[0].layer}: these pictures are not what the statistics "
        "were taken from (another preprocessing, other data), or the statistics are stale or were reset. Compare mean, "
        "std and the pictures' quality with the training's; if these pictures are right, take the statistics again"
    )
