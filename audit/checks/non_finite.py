"""NaN and infinity in weights and activations -> findings."""

from typing import ClassVar

import numpy as np

from audit.checks.evidence import Check, Evidence, Need, Place
from audit.records import Finding, Judgement


class NonFinite(Check):
    """No parameter, buffer or activation may be NaN or infinite: one of them spoils everything after it."""

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("activations", "parameters")

    def judge(self, evidence: Evidence) -> Judgement:
        weights = evidence.number("non_finite_weights")
        findings = [Finding(None, None, f"{weights:.0f} weights are NaN or infinite", weights)] if weights else []
        for name, columns in evidence.layers.items():
            units = np.flatnonzero(~(columns["non_finite"] == 0))
            findings += [
                Finding(
                    name,
                    int(unit),
                    f"NaN or infinite on {columns['non_finite'][unit]:.0f} pictures",
                    float(columns["non_finite"][unit]),
                )
                for unit in units
            ]
        return Judgement(
            float(len(findings)), 0.0, "at most", "", _message(findings, weights, len(evidence.layers)), tuple(findings)
        )


def _message(findings: list[Finding], weights: float, layers: int) -> str:
    if not findings:
        measured = f"the activations of {layers} layers" if layers else "no layer was chosen to be measured"
        return f"all weights are finite; {measured}" + (" too" if layers else "")
    first = next((f"; first in {finding.layer}, unit {finding.unit}" for finding in findings if finding.layer), "")
    return f"{weights:.0f} weights and {sum(f.layer is not None for f in findings)} units are NaN or infinite{first}"
