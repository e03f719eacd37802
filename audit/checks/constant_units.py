"""Units that say the same of every picture: mean and spread -> findings."""

from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from audit.checks.bounds import bounds
from audit.checks.evidence import Check, Evidence, Need, Place
from audit.checks.found import enough_pictures, share_of_layer
from audit.records import Finding, Judgement

NOTHING = 1e-6
"""Of the layer's typical size: what no reader of the layer can tell from rounding."""


class ConstantUnits(Check):
    """Units that are not dead, and yet hardly change from position to position and from picture to picture.

    Such a unit is a bias of the layer after it. It hardly changes if its standard deviation is at most `max_variation`
    of its own mean and of the layer's typical size, or a millionth of the latter. The typical size is the median over
    the units of the root of the mean square. A unit at a bound of its activation function is the matter of
    saturated-units, one of zeros after a ReLU that of dead-units.
    """

    looks_at: ClassVar[Place] = "activation layers"
    needs: ClassVar[tuple[Need, ...]] = ("activations",)
    measured_in: ClassVar[str] = "%"

    at_most: float = Field(default=0.0, ge=0, le=100, description="constant units allowed, in percent of the layer")
    max_variation: float = Field(
        default=1e-3, ge=0, lt=1, description="standard deviation of a constant unit, as a part of its mean"
    )
    min_images: int = Field(default=100, ge=1, description="with fewer pictures nothing is said of units like these")

    def judge(self, evidence: Evidence) -> Judgement:
        mean, std = evidence.column("mean"), evidence.column("std")
        findings = [
            Finding(evidence.place, int(unit), f"{mean[unit]:.4g}, give or take {std[unit]:.2g}", float(std[unit]))
            for unit in np.flatnonzero(self._constant(mean, std) & ~_otherwise_known(evidence))
        ]
        said = f"hardly change over {evidence.images} pictures"
        enough_pictures(evidence, self.min_images, findings, said)
        advice = "Look for weights of zero or a scale of zero; prune them, their value belongs to the next layer's bias"
        return share_of_layer(findings, len(mean), self.at_most, said, advice)

    def _constant(self, mean: Float[np.ndarray, " unit"], std: Float[np.ndarray, " unit"]) -> Bool[np.ndarray, " unit"]:
        """Whether each unit hardly changes; one whose numbers are no numbers counts."""
        typical = _typical(mean, std)
        changes = (std > self.max_variation * np.abs(mean)) | (std > self.max_variation * typical)
        return np.asarray(~(changes & (std > NOTHING * typical)))


def _typical(mean: Float[np.ndarray, " unit"], std: Float[np.ndarray, " unit"]) -> float:
    """The size that units of the layer have, dead ones and those that are not finite aside."""
    size = np.hypot(mean, std)
    those = size[np.isfinite(size) & (size > 0)]
    return float(np.median(those)) if len(those) else 0.0


def _otherwise_known(evidence: Evidence) -> Bool[np.ndarray, " unit"]:
    """Units that are dead, or stuck at a bound."""
    low, high = evidence.column("min"), evidence.column("max")
    dead = (high <= 0) if evidence.layer is not None and evidence.layer.rectifier else np.zeros(len(high), dtype=bool)
    limits = bounds(evidence.layer)
    if limits is None:
        return np.asarray(dead)
    near = 0.01 * (limits[1] - limits[0])
    return np.asarray(dead | (low >= limits[1] - near) | (high <= limits[0] + near))
