"""Units that never fire: share of images on which each unit is above zero -> findings."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from audit.checks.evidence import Check, Evidence, Need, Place
from audit.checks.firing import highest_share, how_often
from audit.checks.found import enough_pictures, share_of_layer
from audit.records import Finding, Judgement


class DeadUnits(Check):
    """Units of a rectified layer that fire on no more than `max_share_of_images` of the pictures.

    CS231n: a map that is all zero for many inputs is a symptom of too high a learning rate. A unit that fires nowhere
    passes no gradient either, so it stays dead in further training. Silence is proven only so far: each finding says on
    which share of such pictures the unit may still fire (upper end of the exact one-sided 95 % interval).
    """

    looks_at: ClassVar[Place] = "rectified layers"
    needs: ClassVar[tuple[Need, ...]] = ("activations",)
    measured_in: ClassVar[str] = "%"

    at_most: float = Field(default=0.0, ge=0, le=100, description="dead units allowed, in percent of the layer")
    max_share_of_images: float = Field(
        default=0.0, ge=0, le=1, description="a unit that fires on this share of the pictures, or fewer, is dead"
    )
    min_images: int = Field(
        default=100, ge=1, description="with fewer pictures nothing is said of units that do not fire"
    )

    def judge(self, evidence: Evidence) -> Judgement:
        fires, images = evidence.column("share_of_images"), evidence.images
        highest = highest_share(fires, images)
        findings = [
            Finding(evidence.place, int(unit), how_often(fires[unit], highest[unit], images), float(fires[unit]))
            for unit in np.flatnonzero(~(fires > self.max_share_of_images))
        ]
        rarely = f"fire on {self.max_share_of_images:.2%} or less of" if self.max_share_of_images else "never fire on"
        said = f"{rarely} {images} pictures"
        enough_pictures(evidence, self.min_images, findings, "did not fire")
        advice = "Prune them, or train again with a lower learning rate or another initialization"
        return share_of_layer(findings, len(fires), self.at_most, said, advice)
