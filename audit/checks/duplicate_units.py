"""Units that say what another unit says: correlation with the nearest unit -> groups, findings."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int
from pydantic import Field

from audit.checks.evidence import Check, Evidence, Need, Place
from audit.checks.found import enough_pictures, share_of_layer
from audit.records import Finding, Judgement

SAMPLED = 4
"""Positions of a picture between which correlations are taken (stream.correlation)."""


class DuplicateUnits(Check):
    """Units of an activation layer that rise and fall with another one, but for scale and shift.

    Healthy layers hold similar units, up to a correlation of 0.99; copies have 1. One unit of a group of alike ones
    counts as the original, the others as duplicates. Units that never change have no correlation and are no
    duplicates, and two that are hardly ever on are not compared: `min_samples`.
    """

    looks_at: ClassVar[Place] = "activation layers"
    needs: ClassVar[tuple[Need, ...]] = ("activations", "correlations")
    measured_in: ClassVar[str] = "%"

    at_most: float = Field(default=0.0, ge=0, le=100, description="duplicates allowed, in percent of the layer")
    min_correlation: float = Field(
        default=0.995, gt=0, le=1, description="two units are alike if their correlation is this far from zero, or more"
    )
    min_samples: int = Field(
        default=30, ge=1, description="samples on which a rectified unit must be on before it is compared"
    )
    min_images: int = Field(default=100, ge=1, description="with fewer pictures nothing is said of units like these")

    def judge(self, evidence: Evidence) -> Judgement:
        nearest, correlation = evidence.column("nearest"), evidence.column("correlation")
        originals = _originals(nearest.astype(int), self._alike(evidence))
        findings = [_copied(evidence, unit, original, correlation[unit]) for unit, original in originals.items()]
        findings += [_no_number(evidence, int(unit)) for unit in np.flatnonzero(~np.isfinite(evidence.column("std")))]
        said = f"say what another unit says (correlation {self.min_correlation:g} or more)"
        enough_pictures(evidence, self.min_images, findings, said)
        advice = "Compare their weights; prune them, adding their outgoing weights to those of the unit that stays"
        return share_of_layer(findings, len(nearest), self.at_most, said, advice)

    def _alike(self, evidence: Evidence) -> Bool[np.ndarray, " unit"]:
        """Whether each unit is like its nearest."""
        judged = self._judged(evidence)
        near = np.abs(evidence.column("correlation")) >= self.min_correlation
        return np.asarray(near & judged & judged[evidence.column("nearest").astype(int)])

    def _judged(self, evidence: Evidence) -> Bool[np.ndarray, " unit"]:
        """Whether each unit was on in enough samples; one that is no ReLU's is never off."""
        on = evidence.column("share_of_positions")
        layer = evidence.layer
        if layer is None or not layer.rectifier:
            return np.ones(len(on), dtype=bool)
        samples = evidence.images * min(SAMPLED, layer.map_size[0] * layer.map_size[1])
        return np.asarray(on * samples >= self.min_samples)


def _originals(nearest: Int[np.ndarray, " unit"], alike: Bool[np.ndarray, " unit"]) -> Mapping[int, int]:
    """Duplicate -> the lowest unit of its group, the units that are connected by being alike."""
    group = np.arange(len(nearest))
    for unit in np.flatnonzero(alike):
        mine, other = group[unit], group[nearest[unit]]
        group[group == max(mine, other)] = min(mine, other)
    return {int(unit): int(group[unit]) for unit in np.flatnonzero(group != np.arange(len(group)))}


def _copied(evidence: Evidence, unit: int, original: int, correlation: float) -> Finding:
    return Finding(evidence.place, unit, f"alike unit {original} (correlation {correlation:+.4f})", float(correlation))


def _no_number(evidence: Evidence, unit: int) -> Finding:
    return Finding(evidence.place, unit, "not a finite number, so it cannot be compared", float("nan"))
