"""NaN and infinity in weights and activations -> findings."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from audit.checks.evidence import Check, Evidence, Need, Place
from audit.checks.parameters import parameter_rows
from audit.records import Finding, Judgement
from audit.words import plural


class NonFinite(Check):
    """No parameter, buffer or activation may be NaN or infinite: one of them spoils everything after it."""

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("activations", "parameters")
    measured_in: ClassVar[str] = ""

    def judge(self, evidence: Evidence) -> Judgement:
        findings = [*_of_weights(evidence), *_of_units(evidence)]
        weights = sum((finding.measured for finding in findings if finding.unit is None), 0.0)
        message = _message(findings, weights, len(evidence.layers))
        return Judgement(float(len(findings)), 0.0, "at most", "", message, tuple(findings))


def _of_weights(evidence: Evidence) -> list[Finding]:
    """One for each parameter or buffer."""
    return [
        Finding(
            str(row["layer"]),
            None,
            f"{row['not_finite']:.0f} of {row['count']:.0f} numbers of {row['name']} are NaN or infinite",
            float(row["not_finite"]),
        )
        for row in parameter_rows(evidence)
        if row["not_finite"]
    ]


def _of_units(evidence: Evidence) -> Iterator[Finding]:
    """One for each unit of the layers that were measured."""
    for name, columns in evidence.layers.items():
        for unit in np.flatnonzero(~(columns["non_finite"] == 0)):
            pictures = float(columns["non_finite"][unit])
            yield Finding(name, int(unit), f"NaN or infinite on {plural(pictures, 'picture')}", pictures)


def _message(findings: list[Finding], weights: float, layers: int) -> str:
    if not findings:
        measured = f"the activations of {plural(layers, 'layer')}" if layers else "no layer was chosen to be measured"
        return f"all weights are finite; {measured}" + (" too" if layers else "")
    units = [finding for finding in findings if finding.unit is not None]
    of = next((f" (of {finding.layer})" for finding in findings if finding.layer and finding.unit is None), "")
    first = f"; first in {units[0].layer}, unit {units[0].unit}" if units else ""
    return f"{plural(weights, 'weight')}{of} and {plural(len(units), 'unit')} are NaN or infinite{first}"
