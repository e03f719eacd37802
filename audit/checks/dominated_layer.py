"""Layers in which few units are far louder than all others: spread of each unit -> the share of the loudest."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from audit.checks.bounds import bounds
from audit.checks.evidence import Check, Evidence, Need, Place
from audit.errors import NotApplicable
from audit.records import Finding, Judgement


class DominatedLayer(Check):
    """Share of an activation layer's variance that its loudest units carry.

    The units are the loudest 1 % (at least one), the variance is summed over the units. A unit a hundred times louder
    than the others drowns them in every norm and every distance, and takes the range of low-precision numbers from
    them. Some units are always louder: in the healthy networks that this was tried on the loudest have up to 22 %.
    """

    looks_at: ClassVar[Place] = "activation layers"
    needs: ClassVar[tuple[Need, ...]] = ("activations",)
    measured_in: ClassVar[str] = "%"

    at_most: float = Field(
        default=50.0, gt=0, le=100, description="variance that the loudest units may carry, in percent of the layer's"
    )
    loudest: float = Field(default=1.0, gt=0, lt=100, description="how many units are the loudest, in percent")
    min_units: int = Field(default=16, ge=2, description="in a layer of fewer units a single one carries much anyhow")

    def judge(self, evidence: Evidence) -> Judgement:
        variance = np.square(evidence.column("std"))
        _judgeable(evidence, len(variance), self.min_units)
        if not (variance != 0).any():
            raise NotApplicable("no unit of the layer changes at all; see dead-units and constant-units")
        count = max(1, round(self.loudest / 100 * len(variance)))
        loudest = np.argsort(-variance, kind="stable")[:count]
        with np.errstate(invalid="ignore"):  # infinite or no numbers: the share is none either, and never good
            shares = 100 * variance / variance.sum()
        share = float(shares[loudest].sum())
        findings = tuple(_loud(evidence, int(unit), float(shares[unit])) for unit in loudest)
        message = f"the loudest {count} of {len(variance)} units carry {share:.3g} % of the layer's variance"
        passed = share <= self.at_most
        if not passed:
            message += ". Look for one filter with weights far larger than the others', or a normalisation that is off"
        return Judgement(share, self.at_most, "at most", "%", message, () if passed else findings)


def _judgeable(evidence: Evidence, units: int, needed: int) -> None:
    if bounds(evidence.layer) is not None:
        raise NotApplicable("the activation function bounds every unit, so none can be far louder than the others")
    if units < needed:
        raise NotApplicable(f"{units} units; of fewer than {needed} a single one carries much of the variance anyhow")


def _loud(evidence: Evidence, unit: int, share: float) -> Finding:
    std = evidence.column("std")
    return Finding(
        evidence.place,
        unit,
        f"{share:.3g} % of the variance: standard deviation {std[unit]:.3g}, of the median unit {np.median(std):.3g}",
        share,
    )
