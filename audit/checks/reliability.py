"""Answers -> how often the model is right where it is how sure, and which labels it takes for others."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from audit.checks.answers import Answers
from audit.checks.calibration import equal_bins
from audit.checks.chance import wilson

FEWEST = 20
"""Pictures of a group: with fewer the interval of its accuracy is most of what there is."""


@dataclass(frozen=True)
class Group:
    """Pictures of similar confidence: their mean confidence, their accuracy and its 99 % interval (Wilson 1927)."""

    confidence: float
    accuracy: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Confusion:
    """How many of the `pictures` of a label are taken for another."""

    label: int
    predicted: int
    count: int
    pictures: int


def reliability(answers: Answers, most: int = 10) -> Iterator[Group]:
    """At most `most` groups of equally many pictures, 20 or more of them, the least confident first.

    Guo et al. 2017, with the bins of the check "calibration". Pictures without a finite confidence are left out.
    """
    known = answers.of(np.isfinite(answers.confidence))
    if not len(known):
        return
    for places in equal_bins(known.confidence, min(most, max(1, len(known) // FEWEST))):
        right, count = int(known.right[places].sum()), len(places)
        yield Group(float(known.confidence[places].mean()), right / count, *wilson(right, count), count)


def confusions(answers: Answers, most: int = 10) -> list[Confusion]:
    """The pairs of labels that are confused most often, more than once; of equals the first ones."""
    pictures = Counter(answers.label.tolist())
    pairs = zip(answers.label.tolist(), answers.predicted.tolist(), strict=True)
    wrong = Counter(pair for pair in pairs if pair[1] not in (pair[0], -1))
    often = sorted((-count, pair) for pair, count in wrong.items() if count > 1)
    return [Confusion(*pair, -minus, pictures[pair[0]]) for minus, pair in often[:most]]
