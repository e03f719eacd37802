"""Noise on pictures -> how often the strongest output changes, and which layers make the noise larger."""

from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import AfterValidator, Field

from audit.checks.chance import allowance
from audit.checks.evidence import Check, Evidence, Need, Place
from audit.errors import Unavailable
from audit.records import Finding, Judgement, Table

SIGMAS = (0.01, 0.02, 0.05, 0.1)
"""What the trial shows: audit.trials.noise.SIGMAS but for 0."""


def _shown(sigma: float) -> float:
    if sigma not in SIGMAS:
        raise ValueError(f"noise is shown with {', '.join(map(str, SIGMAS))}; give one of these")
    return sigma


class NoiseSensitivity(Check):
    """Share of pictures whose strongest output changes with a little Gaussian noise.

    Yosinski et al. 2015 note how sensitive the higher layers are to small changes of the input. The limit is `at_most`
    and what chance adds with so few pictures (99 %).
    """

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("noise",)
    measured_in: ClassVar[str] = "%"

    at_most: float = Field(default=30.0, ge=0, le=100, description="pictures whose label may change, in percent")
    sigma: Annotated[float, AfterValidator(_shown)] = Field(
        default=0.02, description="standard deviation of the noise, for pixels of 0..1: 0.01, 0.02, 0.05 or 0.1"
    )
    min_images: int = Field(default=30, ge=1, description="with fewer pictures nothing is said")

    def judge(self, evidence: Evidence) -> Judgement:
        table = evidence.table("noise")
        columns = table.columns
        count = int(columns["pictures"].max()) if table.rows else 0
        if count < self.min_images:
            raise Unavailable(
                f"noise was shown on {count} pictures only; show at least {self.min_images} (data.limit), or set "
                "min_images"
            )
        here = columns["sigma"] == self.sigma
        output = here & (columns["layer"] == columns["layer"][-1])
        flips, share = 100 * float(columns["flips"][output][0]), self.at_most / 100
        message = (
            f"noise of standard deviation {self.sigma:g} (pixels of 0..1) changes the label of {flips:.0f} % of "
            f"{count} pictures; the layers' activations move by {_growth(table, here)}"
        )
        limit = 100 * min(1.0, share + allowance(share, count))
        judgement = Judgement(flips, limit, "at most", "%", message, _findings(table, here), self.at_most)
        return replace(judgement, findings=()) if judgement.passed else judgement


def _growth(table: Table, here: np.ndarray) -> str:
    """How far the first, the most and the last layer move."""
    layers, change = table.columns["layer"][here], table.columns["change"][here]
    most = int(np.argmax(np.nan_to_num(change, nan=np.inf)))
    return (
        f"{change[0]:.2f} ({layers[0]}) at first, {change[most]:.2f} ({layers[most]}) at most, and {change[-1]:.2f} "
        f"({layers[-1]}) at last"
    )


def _findings(table: Table, here: np.ndarray) -> tuple[Finding, ...]:
    """The layers that make the change larger than the layer before, the worst first."""
    layers, change = table.columns["layer"][here], table.columns["change"][here]
    with np.errstate(divide="ignore", invalid="ignore"):  # a layer that did not move has no growth
        growth = change[1:] / change[:-1]
    worst = [place for place in np.argsort(-growth) if growth[place] > 1.05][:5]
    return tuple(
        Finding(str(layers[place + 1]), None, f"noise grows {growth[place]:.2g} times", float(growth[place]))
        for place in worst
    )
