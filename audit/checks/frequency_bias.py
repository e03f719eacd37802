"""First convolution: filters' dominant frequencies and mean activations -> how much louder the low frequencies are."""

from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from audit.checks.evidence import Check, Evidence, Need, Place
from audit.errors import NotApplicable
from audit.records import Finding, Judgement

SILENT = 1e-12


class FrequencyBias(Check):
    """Edge filters of the first convolution: mean rectified activation of the lowest against the highest frequency.

    Yosinski et al. 2015 (supplement) see low-frequency filters fire far more than high-frequency ones, later layers
    make up for it with larger weights, and so gradients are dominated by high frequencies. Some bias is what natural
    pictures (spectrum 1/f) give; a model beyond `at_most` hardly hears fine detail at all. Colour filters are told
    apart and left out.
    """

    looks_at: ClassVar[Place] = "first convolution"
    needs: ClassVar[tuple[Need, ...]] = ("activations",)
    measured_in: ClassVar[str] = "times"

    at_most: float = Field(
        default=20.0,
        gt=0,
        description="mean activation of the lowest frequencies allowed, in times that of the highest",
    )
    filters: int = Field(default=5, ge=1, description="how many filters at each end are compared")

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.layer is not None and evidence.layer.activation is None:
            raise NotApplicable(f"no ReLU follows {evidence.layer.name}, so its filters have no mean activation")
        frequency, activation = evidence.column("frequency"), evidence.column("mean_activated")
        edges = _edges(frequency, evidence.column("is_colour"))
        if edges.sum() < 2 * self.filters:
            raise NotApplicable(
                f"{edges.sum()} edge filters with a frequency of their own; comparing {self.filters} of the lowest "
                f"with {self.filters} of the highest needs {2 * self.filters}"
            )
        order = np.flatnonzero(edges)[np.argsort(frequency[edges], kind="stable")]
        low, high = order[: self.filters], order[-self.filters :]
        ratio = _ratio(activation[low].mean(), activation[high].mean())
        rank = _rank_correlation(frequency[edges], activation[edges])
        message = (
            f"the {self.filters} lowest-frequency edge filters ({_band(frequency[low])}) are {ratio:.3g} times as "
            f"active as the {self.filters} highest ({_band(frequency[high])}); {rank} over {edges.sum()} edge filters"
        )
        layer = evidence.layer.name if evidence.layer else None
        findings = tuple(
            Finding(
                layer,
                int(unit),
                f"{frequency[unit]:.3f} cycles per pixel, mean activation {activation[unit]:.4g}",
                float(activation[unit]),
            )
            for unit in high
        )
        passed = ratio <= self.at_most
        return Judgement(ratio, self.at_most, "at most", "times", message, () if passed else findings)


def _edges(frequency: Float[np.ndarray, " unit"], is_colour: Float[np.ndarray, " unit"]) -> Bool[np.ndarray, " unit"]:
    return np.asarray(np.isfinite(frequency) & (is_colour == 0))


def _ratio(low: float, high: float) -> float:
    """low / high; infinite if only the high ones are silent, NaN (never good) if both are or one is not finite."""
    if not np.isfinite(low) or not np.isfinite(high) or (low <= SILENT and high <= SILENT):
        return float("nan")
    return float("inf") if high <= SILENT else float(low / high)


def _rank_correlation(frequency: Float[np.ndarray, " unit"], activation: Float[np.ndarray, " unit"]) -> str:
    from scipy.stats import spearmanr

    if len(np.unique(frequency)) < 2 or len(np.unique(activation)) < 2:
        return "no rank correlation (all alike)"
    result = spearmanr(frequency, activation)
    return f"rank correlation {result.statistic:+.2f} (p = {result.pvalue:.2g})"


def _band(frequency: Float[np.ndarray, " unit"]) -> str:
    return f"{frequency.min():.2f} to {frequency.max():.2f} cycles per pixel"
