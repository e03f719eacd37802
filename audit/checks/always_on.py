"""Rectified units that are never off: share of positions above zero, mean and spread -> findings."""

from typing import ClassVar

import numpy as np
from jaxtyping import Bool
from pydantic import Field

from audit.checks.evidence import Check, Evidence, Need, Place
from audit.checks.found import enough_pictures, share_of_layer
from audit.records import Finding, Judgement


class AlwaysOn(Check):
    """Units that lie far above zero at every position of every picture, so that their ReLU does nothing.

    Units of brightness are hardly ever off either, and healthy: their values begin at zero and their mean is one to
    three standard deviations above it. A bias that saturates lifts the whole unit away from zero: `deviations`. After a
    sum (a residual block) and in vectors (means of maps) units like these are common, so more of them are allowed.
    """

    looks_at: ClassVar[Place] = "rectified layers"
    needs: ClassVar[tuple[Need, ...]] = ("activations",)
    measured_in: ClassVar[str] = "%"

    at_most: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="such units allowed where the maps of one layer are rectified, in percent",
    )
    at_most_elsewhere: float = Field(
        default=25.0, ge=0, le=100, description="allowed after a sum or a join of layers and in vectors, in percent"
    )
    min_share_of_positions: float = Field(
        default=0.9999, gt=0, le=1, description="a unit that is above zero at this share of the positions is always on"
    )
    deviations: float = Field(
        default=3.0, ge=0, description="and its mean is that many standard deviations above zero, or more"
    )
    min_images: int = Field(default=100, ge=1, description="with fewer pictures nothing is said of units like these")

    def judge(self, evidence: Evidence) -> Judgement:
        on = evidence.column("share_of_positions")
        findings = [
            Finding(evidence.place, int(unit), _said(evidence, int(unit)), float(on[unit]))
            for unit in np.flatnonzero(self._found(evidence))
        ]
        said = f"are on at every position of {evidence.images} pictures, {self.deviations:g} deviations above zero"
        enough_pictures(evidence, self.min_images, findings, said)
        advice = "Their ReLU does nothing: look for a bias that is far too large"
        return share_of_layer(findings, len(on), self._allowed(evidence), said, advice)

    def _found(self, evidence: Evidence) -> Bool[np.ndarray, " unit"]:
        """Whether each unit is always on; one whose numbers are no numbers counts."""
        on, mean, std = (evidence.column(name) for name in ("share_of_positions", "mean", "std"))
        changes = ~(std == 0)  # what never changes is the matter of constant-units
        return np.asarray(changes & ~(on < self.min_share_of_positions) & ~(mean < self.deviations * std))

    def _allowed(self, evidence: Evidence) -> float:
        return self.at_most if _rectifies_maps(evidence) else self.at_most_elsewhere


def _rectifies_maps(evidence: Evidence) -> bool:
    """Whether the layer rectifies the output of one layer, normalised or not, that has more than one position."""
    layer = evidence.layer
    if layer is None or layer.map_size == (1, 1):
        return False
    return any(other.activation == layer.name and other.name != layer.name for other in evidence.outline.layers)


def _said(evidence: Evidence, unit: int) -> str:
    on, mean, std = (evidence.column(name)[unit] for name in ("share_of_positions", "mean", "std"))
    return f"above zero at {on:.2%} of the positions: {mean:.4g} with a standard deviation of {std:.2g}"
