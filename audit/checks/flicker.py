"""Frames of a camera that stands still -> how often the answer changes from frame to frame."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from audit.checks.chance import allowance
from audit.checks.evidence import Check, Evidence, Need, Place
from audit.errors import Unavailable
from audit.records import Judgement


class Flicker(Check):
    """Share of frames whose strongest output is another than in the frame before, though only a camera's noise changes.

    Yosinski et al. 2015 see it on a webcam. The limit is `at_most` and what chance adds (99 %) if a picture flickers
    always or never, which is the most it can.
    """

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("flicker",)
    measured_in: ClassVar[str] = "%"
    by_default: ClassVar[bool] = False

    at_most: float = Field(default=10.0, ge=0, le=100, description="frames with another answer, in percent")
    min_images: int = Field(default=20, ge=1, description="with fewer pictures nothing is said")

    def judge(self, evidence: Evidence) -> Judgement:
        columns = evidence.table("flicker").columns
        count = int(columns["pictures"][0]) if len(columns["pictures"]) else 0
        if count < self.min_images:
            raise Unavailable(
                f"frames of {count} pictures only; show at least {self.min_images} (data.limit), or set min_images"
            )
        here = int(np.flatnonzero(columns["of"] == "probabilities")[0])
        changes, unsteady, deviation = (
            float(columns[name][here]) for name in ("changes", "unsteady", "probability_std")
        )
        message = (
            f"the answer changes in {100 * changes:.0f} % of the frames of a camera that stands still, and at least "
            f"once in {100 * unsteady:.0f} % of {count} pictures; the probability of the usual answer varies by "
            f"{deviation:.2g}; {_moved(columns, here)}"
        )
        share = self.at_most / 100
        limit = 100 * min(1.0, share + allowance(share, count))
        return Judgement(100 * changes, limit, "at most", "%", message, asked=self.at_most)


def _moved(columns: Mapping[str, np.ndarray], here: int) -> str:
    """How far the probabilities move, beside the deepest layer before the outputs."""
    moved = f"probabilities move by {100 * columns['flicker'][here]:.2g} %"
    deep = here - 2  # the outputs themselves are between
    return moved if deep < 0 else f"{moved}, {columns['layer'][deep]} by {100 * columns['flicker'][deep]:.2g} %"
