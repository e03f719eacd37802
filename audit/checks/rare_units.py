"""Units that hardly ever fire: share of pictures on which each unit is above zero -> findings."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from audit.checks.evidence import Check, Evidence, Need, Place
from audit.checks.firing import highest_share, how_often
from audit.checks.found import enough_pictures, share_of_layer
from audit.records import Finding, Judgement

FEWEST_CLASSES = 10


class RareUnits(Check):
    """Units of a rectified layer that fire, but on fewer pictures than a part of one class would have.

    A unit that knows one class of many fires rarely and is healthy. One that is proven to fire on less than
    `share_of_class` of one class's share of the pictures is found. Proven: the upper end of the exact one-sided 95 %
    interval of its share (Clopper and Pearson 1934) lies below that limit. Units that never fire are dead, not rare.
    """

    looks_at: ClassVar[Place] = "rectified layers"
    needs: ClassVar[tuple[Need, ...]] = ("activations",)
    measured_in: ClassVar[str] = "%"

    at_most: float = Field(default=0.0, ge=0, le=100, description="rare units allowed, in percent of the layer")
    share_of_class: float = Field(
        default=0.16, gt=0, le=1, description="a unit is rare below this share of the pictures that one class has"
    )
    min_images: int = Field(default=100, ge=1, description="with fewer pictures nothing is said of units like these")

    def judge(self, evidence: Evidence) -> Judgement:
        fires, images = evidence.column("share_of_images"), evidence.images
        limit = self.share_of_class / max(_classes(evidence), FEWEST_CLASSES)
        highest = highest_share(fires, images)
        findings = [
            Finding(evidence.place, int(unit), how_often(fires[unit], highest[unit], images), float(fires[unit]))
            for unit in np.flatnonzero(~(fires == 0) & ~(highest > limit))
        ]
        said = f"fire on some, but on less than {limit:.2%} of pictures like these ({images} were shown)"
        enough_pictures(evidence, self.min_images, findings, said)
        advice = "Look at their strongest images; prune them, or train again with a lower learning rate"
        return share_of_layer(findings, len(fires), self.at_most, said, advice)


def _classes(evidence: Evidence) -> int:
    return len(evidence.labels) or evidence.outline.layers[-1].units
