"""Units stuck at a bound of their activation function: minimum, maximum, how often at the maximum -> findings."""

from typing import ClassVar

import numpy as np
from jaxtyping import Bool
from pydantic import Field

from audit.checks.bounds import bounds
from audit.checks.evidence import Check, Evidence, Need, Place
from audit.checks.found import enough_pictures, share_of_layer
from audit.records import Finding, Judgement


class SaturatedUnits(Check):
    """Units that are exactly at their largest value at nearly every position, or never leave a bound.

    A unit that meets ReLU6's 6 or a sigmoid's 1 nearly everywhere says little, and passes no gradient there. `near` is
    part of the way from the lower to the upper bound: a unit that never leaves it is stuck, although not exactly. A
    rectified unit that never leaves 0 is dead, and one without bounds that never changes is constant: other checks.
    """

    looks_at: ClassVar[Place] = "activation layers"
    needs: ClassVar[tuple[Need, ...]] = ("activations", "distributions")
    measured_in: ClassVar[str] = "%"

    at_most: float = Field(default=10.0, ge=0, le=100, description="saturated units allowed, in percent of the layer")
    min_share_at_max: float = Field(
        default=0.9, gt=0, le=1, description="a unit at its largest value at this share of the positions is saturated"
    )
    near: float = Field(
        default=0.01, gt=0, lt=0.5, description="what counts as at a bound, as a part of the way between the bounds"
    )
    min_images: int = Field(default=100, ge=1, description="with fewer pictures nothing is said of units like these")

    def judge(self, evidence: Evidence) -> Judgement:
        at_max, low, high = (evidence.column(name) for name in ("share_at_max", "min", "max"))
        findings = [
            Finding(evidence.place, int(unit), _said(at_max[unit], low[unit], high[unit]), float(at_max[unit]))
            for unit in np.flatnonzero(self._stuck(evidence))
        ]
        said = f"are stuck at a bound on {evidence.images} pictures"
        enough_pictures(evidence, self.min_images, findings, said)
        advice = "Look at the size of their inputs: weights, biases or the normalisation before them"
        return share_of_layer(findings, len(at_max), self.at_most, said, advice)

    def _stuck(self, evidence: Evidence) -> Bool[np.ndarray, " unit"]:
        """Whether each unit is stuck; one whose numbers are no numbers counts."""
        at_max, low, high = (evidence.column(name) for name in ("share_at_max", "min", "max"))
        capped = ~(at_max < self.min_share_at_max)
        limits = bounds(evidence.layer)
        if limits is None:
            return np.asarray(capped & ~(low == high))
        near = self.near * (limits[1] - limits[0])
        stuck = (capped & ~(high < limits[1] - near)) | ~(low < limits[1] - near)
        rectified = evidence.layer is not None and evidence.layer.rectifier
        return np.asarray(stuck if rectified else stuck | ~(high > limits[0] + near))


def _said(at_max: float, low: float, high: float) -> str:
    return f"from {low:.4g} to {high:.4g}, and {high:.4g} at {at_max:.2%} of the positions"
