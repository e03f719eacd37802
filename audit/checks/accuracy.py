"""Outputs and labels -> whether the model is as accurate as it must be, or as its checkpoint says it is."""

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from audit.checks.chance import allowance
from audit.checks.evidence import Check, Evidence, Need, Place
from audit.errors import NotApplicable, Unavailable, without_labels
from audit.records import Judgement
from audit.words import plural


class Accuracy(Check):
    """Share of labelled pictures whose label is among the `top` strongest outputs.

    Without `at_least` it is held against the top-1 accuracy that the checkpoint file itself states (its best of
    training), less `below_claim` points and what chance explains with so many pictures (99 %, Wilson 1927).
    """

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("predictions",)
    measured_in: ClassVar[str] = "%"

    at_least: float | None = Field(
        default=None, ge=0, le=100, description="accuracy needed, in percent; without it, what the checkpoint claims"
    )
    top: Literal[1, 5] = Field(default=1, description="how many of the strongest outputs may hold the label")
    below_claim: float = Field(
        default=2.0, ge=0, le=100, description="points below the checkpoint's own claim that are allowed"
    )

    @model_validator(mode="after")
    def _claims_are_of_top_1(self) -> "Accuracy":
        if self.at_least is None and self.top != 1:
            raise ValueError("checkpoints claim a top-1 accuracy; give at_least for another `top`")
        return self

    def judge(self, evidence: Evidence) -> Judgement:
        if self.at_least is None and "claimed_top1" not in evidence.numbers:
            raise NotApplicable("the checkpoint states no accuracy of its own to hold it to; give at_least")
        answers = evidence.tables.get("predictions")
        if answers is not None and not (answers.columns["label"] >= 0).any():
            raise without_labels()
        share = 100 * evidence.number(f"top{self.top}")
        count = int(evidence.number("labelled_images"))
        message = f"top-{self.top} accuracy {share:.2f} % on {plural(count, 'labelled picture')}"
        if self.at_least is not None:
            return Judgement(share, self.at_least, "at least", "%", message)
        claim = evidence.number("claimed_top1")
        if not 0 <= claim <= 100:
            raise Unavailable(f"the checkpoint claims {claim:g} %, which is no accuracy; give at_least")
        return self._held_to_claim(share, count, claim, message)

    def _held_to_claim(self, share: float, count: int, claim: float, message: str) -> Judgement:
        allowed = max(0.0, claim - self.below_claim)
        chance = 100 * allowance(allowed / 100, count)
        message += (
            f"; the checkpoint claims {claim:.2f} %, of which {self.below_claim:g} points may be lost and {chance:.1f} "
            "are chance"
        )
        judgement = Judgement(share, allowed - chance, "at least", "%", message, asked=allowed)
        return judgement if judgement.passed else _not_those_of_the_claim(judgement)


def _not_those_of_the_claim(judgement: Judgement) -> Judgement:
    reason = (
        f"{judgement.message}: weights, preprocessing or pictures are not those of the claim. Compare mean, std, "
        "resize and channels with training, the order of the labels, and how the pictures were saved"
    )
    return replace(judgement, message=reason)
