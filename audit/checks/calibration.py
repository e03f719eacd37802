"""Confidence and correctness of each picture -> how far the model's confidence is from how often it is right."""

from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from audit.checks.answers import labelled_answers
from audit.checks.chance import SURE
from audit.checks.evidence import Check, Evidence, Need, Place
from audit.errors import Unavailable
from audit.records import Finding, Judgement
from audit.words import plural

DRAWS = 500
"""Of perfectly calibrated models, to see what chance alone gives."""

Bins = list[np.ndarray]


class Calibration(Check):
    """Expected calibration error, in points, beyond what chance gives a perfectly calibrated model.

    Guo et al. 2017, with bins of equally many pictures (Nguyen & O'Connor 2015). Few pictures give a large error to any
    model, so the 99 % quantile of that error is taken off: of 500 models with the same confidences that are right
    exactly as often as they say.
    """

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("predictions",)
    measured_in: ClassVar[str] = "points"

    at_most: float = Field(default=8.0, ge=0, le=100, description="calibration error allowed, in points")
    bins: int = Field(default=15, ge=1, le=100, description="groups of equally many pictures, by confidence")
    min_images: int = Field(default=150, ge=1, description="with fewer labelled pictures nothing is said")

    def judge(self, evidence: Evidence) -> Judgement:
        answers = labelled_answers(evidence)
        if len(answers) < self.min_images:
            raise Unavailable(
                f"{len(answers)} labelled pictures say little of calibration; show at least {self.min_images} "
                "(data.limit), or set min_images"
            )
        confidence, right = answers.confidence, answers.right
        if not np.isfinite(confidence).all():
            spoiled = int((~np.isfinite(confidence)).sum())
            return Judgement(
                float("nan"), self.at_most, "at most", "points", f"no confidence for {plural(spoiled, 'picture')}"
            )
        bins = equal_bins(confidence, self.bins)
        error, chance = calibration_error(confidence, right, bins), chance_error(confidence, bins)
        beyond = 100 * max(0.0, error - chance)
        message = (
            f"confidence {confidence.mean():.1%}, accuracy {right.mean():.1%} on {plural(len(answers), 'picture')}; "
            f"calibration error {100 * error:.1f} points, of which chance explains {100 * chance:.1f}"
        )
        judgement = Judgement(beyond, self.at_most, "at most", "points", message, _findings(confidence, right, bins))
        return judgement if not judgement.passed else Judgement(beyond, self.at_most, "at most", "points", message)


def equal_bins(confidence: Float[np.ndarray, " picture"], count: int) -> Bins:
    """Places of the pictures in each bin, the least confident first; no bin is empty."""
    return np.array_split(np.argsort(confidence, kind="stable"), min(count, len(confidence)))


def calibration_error(
    confidence: Float[np.ndarray, " picture"], right: Bool[np.ndarray, " picture"], bins: Bins
) -> float:
    """Mean over the pictures of |accuracy - mean confidence| of their bin."""
    starts = np.cumsum([0, *(len(places) for places in bins[:-1])])
    order = np.concatenate(bins)
    return float(np.abs(np.add.reduceat(right[order] - confidence[order], starts)).sum() / len(confidence))


def chance_error(confidence: Float[np.ndarray, " picture"], bins: Bins) -> float:
    """The 99 % quantile of the error of models that are right exactly as often as they say."""
    random = np.random.default_rng(0)
    drawn = [calibration_error(confidence, random.random(len(confidence)) < confidence, bins) for _ in range(DRAWS)]
    return float(np.quantile(drawn, SURE))


def _findings(
    confidence: Float[np.ndarray, " picture"], right: Bool[np.ndarray, " picture"], bins: Bins
) -> tuple[Finding, ...]:
    """The direction, and the three worst bins."""
    gaps = np.array([confidence[places].mean() - right[places].mean() for places in bins])
    much = "overconfident: scale its outputs down (temperature), or train with smoothed labels"
    little = "underconfident: scale its outputs up (temperature)"
    overall = float(confidence.mean() - right.mean())
    worst = np.argsort(-np.abs(gaps), kind="stable")[:3]
    return (
        Finding(None, None, f"the model is {much if overall > 0 else little}", 100 * overall),
        *(_bin(confidence[bins[place]], right[bins[place]], float(gaps[place])) for place in worst),
    )


def _bin(confidence: Float[np.ndarray, " picture"], right: Bool[np.ndarray, " picture"], gap: float) -> Finding:
    band = f"confidence {confidence.min():.1%} to {confidence.max():.1%}"
    return Finding(None, None, f"{band}: {right.mean():.1%} of {len(right)} are right", 100 * gap)
