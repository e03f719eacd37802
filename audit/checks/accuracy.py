"""Outputs and labels -> whether the model is as accurate as it must be."""

from typing import ClassVar, Literal

from pydantic import Field

from audit.checks.evidence import Check, Evidence, Need, Place
from audit.records import Judgement


class Accuracy(Check):
    """Share of labelled pictures whose label is among the `top` strongest outputs."""

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("predictions",)
    by_default: ClassVar[bool] = False

    at_least: float = Field(ge=0, le=100, description="accuracy needed, in percent")
    top: Literal[1, 5] = Field(default=1, description="how many of the strongest outputs may hold the label")

    def judge(self, evidence: Evidence) -> Judgement:
        share = 100 * evidence.number(f"top{self.top}")
        count = int(evidence.number("labelled_images"))
        message = f"top-{self.top} accuracy {share:.2f} % on {count} labelled pictures"
        return Judgement(share, self.at_least, "at least", "%", message)
