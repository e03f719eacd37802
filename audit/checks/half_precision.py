"""Largest activations and weights, and the smallest -> what float16 could not hold."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pydantic import Field

from audit.checks.evidence import Check, Columns, Evidence, Need, Place
from audit.checks.parameters import Row, parameter_rows
from audit.errors import Unavailable
from audit.records import Finding, Judgement
from audit.words import plural


class HalfPrecision(Check):
    """Whether the model would survive float16: nothing beyond 65504, few weights that would become 0.

    float16 holds magnitudes up to 65504 and, from 2**-24 = 6e-8 on, down to 0. A model that overflows there was scaled
    oddly: something made a layer loud, and something after it undoes that.
    """

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("activations", "parameters")
    measured_in: ClassVar[str] = "layers"

    largest: float = Field(default=65504.0, gt=0, le=65504, description="largest magnitude allowed")
    vanishing: float = Field(
        default=10.0, ge=0, le=100, description="non-zero weights that may become 0, in percent of a layer's"
    )

    def judge(self, evidence: Evidence) -> Judgement:
        rows = parameter_rows(evidence)
        findings = [finding for row in rows for finding in self._of_weights(row)]
        findings += [found for name, columns in evidence.layers.items() for found in self._of_units(name, columns)]
        message = self._message(findings, rows, evidence)
        places = {finding.layer for finding in findings}
        return Judgement(float(len(places)), 0.0, "at most", "layers", message, tuple(findings))

    def _of_weights(self, row: Row) -> Iterator[Finding]:
        layer, name, largest = str(row["layer"]), row["name"], float(row["largest"])
        if not largest <= self.largest:
            yield Finding(layer, None, f"{name} reaches {largest:.4g}, {_beyond(largest)}", largest)
        alive = float(row["count"] - row["zeros"])
        percent = 100 * float(row["vanishing"]) / alive if alive else 0.0
        if row["filters"] > 0 and percent > self.vanishing:
            yield Finding(layer, None, f"{percent:.3g} % of {name} that are not zero would become 0", percent)

    def _of_units(self, layer: str, columns: Columns) -> Iterator[Finding]:
        largest = _largest(columns)
        for unit in np.flatnonzero(~(largest <= self.largest)):
            text = f"activation reaches {largest[unit]:.4g}, {_beyond(float(largest[unit]))}"
            yield Finding(layer, int(unit), text, float(largest[unit]))

    def _message(self, findings: list[Finding], rows: list[Row], evidence: Evidence) -> str:
        if not findings:
            loudest = max((float(_largest(columns).max()) for columns in evidence.layers.values()), default=None)
            activations = "no layer was chosen" if loudest is None else f"activations reach {loudest:.4g}"
            weights = max((float(row["largest"]) for row in rows), default=0.0)
            return f"float16 holds everything: {activations}, parameters reach {weights:.4g}"
        places = len({finding.layer for finding in findings})
        return (
            f"float16 does not hold the numbers of {plural(places, 'layer')}: {findings[0]}. "
            "Keep float32 or bfloat16, or scale these layers down and what reads them up"
        )


def _largest(columns: Columns) -> np.ndarray:
    """Magnitude per unit; NaN or infinite where an activation was."""
    if not {"min", "max", "non_finite"} <= columns.keys():
        raise Unavailable('"min", "max" and "non_finite" of the activations were not measured')
    largest = np.maximum(np.abs(columns["min"]), np.abs(columns["max"]))
    return np.where(columns["non_finite"] == 0, largest, np.nan)


def _beyond(largest: float) -> str:
    if np.isnan(largest):
        return "so nobody knows"
    return "beyond float16's 65504" if largest > 65504 else "beyond the limit"
