"""First-layer filters and their shuffled nulls -> how many are noise."""

import math
from typing import ClassVar

import numpy as np
from pydantic import Field

from audit.checks.evidence import Check, Evidence, Need, Place
from audit.checks.parameters import filter_rows
from audit.errors import NotApplicable, Unavailable
from audit.records import Finding, Judgement

ENOUGH = 25
"""Positions of a filter below which smooth and shuffled can hardly be told apart: a trained 3 x 3 layer fails."""


class NoisyFilters(Check):
    """Filters of the first convolution that are arranged like noise.

    CS231n: well-trained first filters are smooth; noisy ones tell of too short a training, or too weak regularization.
    A filter is noisy if it is neither smoother nor rougher than `confidence` of random arrangements of its own weights;
    rougher ones are fine stripes, a pattern too. Of pure noise 2 * `confidence` - 1 is noisy (90 %).
    """

    looks_at: ClassVar[Place] = "first convolution"
    needs: ClassVar[tuple[Need, ...]] = ("parameters",)
    measured_in: ClassVar[str] = "%"

    at_most: float = Field(default=40.0, ge=0, le=100, description="noisy filters allowed, in percent")
    confidence: float = Field(
        default=0.95, gt=0.5, lt=1, description="share of random arrangements that a pattern must outdo"
    )
    min_filters: int = Field(default=8, ge=1, description="with fewer filters there is no share to speak of")

    def judge(self, evidence: Evidence) -> Judgement:
        _refuse(evidence)
        smoother = evidence.column("smoother_than_null")
        patterned = np.isfinite(smoother)
        if patterned.sum() < self.min_filters:
            raise NotApplicable(
                f"{patterned.sum()} of {len(smoother)} first filters are not constant; it takes {self.min_filters}"
            )
        noisy = np.flatnonzero(patterned & (smoother > 1 - self.confidence) & (smoother <= self.confidence))
        share = 100 * len(noisy) / int(patterned.sum())
        findings = tuple(
            Finding(
                evidence.place, int(unit), f"smoother than {smoother[unit]:.1%} of its shuffles", float(smoother[unit])
            )
            for unit in noisy
        )
        message = (
            f"{len(noisy)} of {patterned.sum()} filters are arranged like noise "
            f"({100 * (2 * self.confidence - 1):.3g} % of untrained ones are)"
        )
        if share > self.at_most:
            message += ". Train longer, or with more weight decay, or see whether the layer was loaded"
        return Judgement(share, self.at_most, "at most", "%", message, findings if share > self.at_most else ())


def _refuse(evidence: Evidence) -> None:
    """Small kernels have no pattern to speak of, and broken ones none that could be measured."""
    place = str(evidence.place).partition("#")[0]
    for row in filter_rows(evidence):
        if row["layer"] == place:
            positions = [int(size) for size in str(row["shape"]).split(" x ")[2:]]
            if math.prod(positions) < ENOUGH:
                raise NotApplicable(
                    f"filters of {' x '.join(map(str, positions))} have too few positions to tell a pattern from "
                    "noise; reinitialised-layers judges all of their weights"
                )
            if row["not_finite"]:
                raise Unavailable(f"weights of {place} are NaN or infinite; see non-finite")
