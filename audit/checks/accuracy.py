"""Outputs and labels -> whether the model is as accurate as it must be."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from audit.checks.evidence import Evidence
from audit.records import Judgement


class Accuracy(BaseModel):
    """Share of labelled pictures whose label is among the `top` strongest outputs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    looks_at: ClassVar[Literal["model"]] = "model"
    needs: ClassVar[tuple[Literal["activations", "accuracy"], ...]] = ("accuracy",)

    at_least: float = Field(ge=0, le=100, description="accuracy needed, in percent")
    top: Literal[1, 5] = Field(default=1, description="how many of the strongest outputs may hold the label")

    def judge(self, evidence: Evidence) -> Judgement:
        share = 100 * evidence.number(f"top{self.top}")
        count = int(evidence.number("labelled_images"))
        message = f"top-{self.top} accuracy {share:.2f} % on {count} labelled pictures"
        return Judgement(share, self.at_least, "at least", "%", message)
