"""Pictures under attack -> how many the model still gets right."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, Field

from audit.checks.chance import allowance
from audit.checks.evidence import Check, Evidence, Need, Place
from audit.errors import Unavailable
from audit.records import Judgement, Table

EPSILONS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""What the trial tries: audit.trials.adversarial.EPSILONS but for 0."""


def _tried(epsilon: float) -> float:
    if epsilon not in EPSILONS:
        raise ValueError(f"attacks change pixels by {', '.join(f'{one:g}' for one in EPSILONS)}; give one of these")
    return epsilon


class AdversarialAccuracy(Check):
    """Share of labelled pictures that the model gets right although each pixel was changed by a little against it.

    FGSM of Goodfellow et al. 2015, PGD of Madry et al. 2018. A network that was not trained against them hardly
    withstands any, so there is no limit that suits all. The limit is `at_least` less what chance takes with so few
    pictures (99 %).
    """

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("adversarial",)
    measured_in: ClassVar[str] = "%"
    by_default: ClassVar[bool] = False

    at_least: float = Field(ge=0, le=100, description="pictures that must be right under attack, in percent")
    epsilon: Annotated[float, AfterValidator(_tried)] = Field(
        default=1.0, description="largest change of a pixel, in levels of 255: 0.5, 1, 2, 4, 8 or 16"
    )
    attack: Literal["FGSM", "PGD"] = Field(default="PGD", description="a single step, or ten with a random start")
    min_images: int = Field(default=30, ge=1, description="with fewer pictures nothing is said")

    def judge(self, evidence: Evidence) -> Judgement:
        table = evidence.table("adversarial")
        count = int(table.columns["pictures"][0]) if table.rows else 0
        if count < self.min_images:
            raise Unavailable(
                f"{count} labelled pictures were attacked only; show at least {self.min_images}, or set min_images"
            )
        flat = int(table.columns["flat"][0])
        if 2 * flat > count:
            raise Unavailable(
                f"at {flat} of {count} pictures the loss has no gradient, so that attacks that follow it say nothing"
            )
        right, clean, noise = (
            _right(table, attack, epsilon)
            for attack, epsilon in ((self.attack, self.epsilon), (self.attack, 0.0), ("noise", self.epsilon))
        )
        share = self.at_least / 100
        message = (
            f"{self.attack} that changes each pixel by {self.epsilon:g} of 255 levels at most leaves {100 * right:.0f} "
            f"% of {count} pictures right, of {100 * clean:.0f} % without it; noise of that size leaves "
            f"{100 * noise:.0f} %"
        )
        limit = 100 * max(0.0, share - allowance(share, count))
        return Judgement(100 * right, limit, "at least", "%", message, asked=self.at_least)


def _right(table: Table, attack: str, epsilon: float) -> float:
    here = (table.columns["attack"] == attack) & (table.columns["epsilon"] == epsilon)
    return float(np.asarray(table.columns["top1"])[here][0])
