"""Units that never fire: share of images on which each unit is above zero -> findings."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from audit.checks.evidence import Check, Evidence, Need, Place
from audit.errors import Unavailable
from audit.records import Finding, Judgement


class DeadUnits(Check):
    """Units of a rectified layer that fire on no more than `max_share_of_images` of the pictures.

    CS231n: a map that is all zero for many inputs is a symptom of too high a learning rate. A unit that fires nowhere
    passes no gradient either, so it stays dead in further training.
    """

    looks_at: ClassVar[Place] = "rectified layers"
    needs: ClassVar[tuple[Need, ...]] = ("activations",)

    at_most: float = Field(default=0.0, ge=0, le=100, description="dead units allowed, in percent of the layer")
    max_share_of_images: float = Field(
        default=0.0, ge=0, le=1, description="a unit that fires on this share of the pictures, or fewer, is dead"
    )
    min_images: int = Field(
        default=100, ge=1, description="with fewer pictures nothing is said of units that do not fire"
    )

    def judge(self, evidence: Evidence) -> Judgement:
        fires = evidence.column("share_of_images")
        dead = np.flatnonzero(~(fires > self.max_share_of_images))
        if evidence.images < self.min_images and len(dead):
            raise _too_few(evidence.images, self.min_images, len(dead))
        layer = evidence.layer.name if evidence.layer else None
        findings = tuple(
            Finding(
                layer,
                int(unit),
                "never fires" if fires[unit] == 0 else f"fires on {fires[unit]:.2%} of the pictures",
                float(fires[unit]),
            )
            for unit in dead
        )
        share = 100 * len(dead) / len(fires)
        rarely = f"fire on {self.max_share_of_images:.2%} or less of" if self.max_share_of_images else "never fire on"
        message = f"{len(dead)} of {len(fires)} units {rarely} {evidence.images} pictures"
        if len(dead):
            listed = ", ".join(map(str, dead[:20])) + (f" and {len(dead) - 20} more" if len(dead) > 20 else "")
            message += f": {listed}. Prune them, or train again with a lower learning rate or another initialization"
        return Judgement(share, self.at_most, "at most", "%", message, findings)


def _too_few(images: int, needed: int, dead: int) -> Unavailable:
    """Silent units among few pictures prove nothing: neither passed nor failed."""
    return Unavailable(
        f"{dead} units did not fire, but on only {images} pictures; "
        f"show at least {needed} (data.limit), or set min_images"
    )
