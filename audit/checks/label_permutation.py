"""Labels and predicted classes -> whether the labels are in another order than the outputs."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np
from jaxtyping import Int
from pydantic import Field

from audit.checks.answers import Answers, labelled_answers, output_name
from audit.checks.chance import at_least, sign_test
from audit.checks.evidence import Check, Evidence, Need, Place
from audit.errors import Unavailable
from audit.records import Finding, Judgement

DOUBT = 0.001
"""Probability of a false alarm, over all orders that are tried together (Bonferroni)."""

Order = Int[np.ndarray, " output"]
"""The output that answers for each label; the identity if all is well."""


class LabelPermutation(Check):
    """Labels that another output than their own answers for.

    Three ways of looking, each tested against the order as it is by the pictures that only one of both gets right
    (McNemar's exact test, corrected for how many orders are tried): orders that mistakes make (shifted, reversed,
    sorted as text), which one picture per class can show; the best assignment of outputs to labels, found on half of
    the pictures and tested on the other half, cycle by cycle; and a model that is sure of many different classes, and
    right no more often than chance.
    """

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("predictions",)
    measured_in: ClassVar[str] = "labels"

    at_most: int = Field(default=0, ge=0, description="labels that another output may answer for")
    min_images: int = Field(default=20, ge=1, description="with fewer labelled pictures nothing is said")

    def judge(self, evidence: Evidence) -> Judgement:
        answers = labelled_answers(evidence)
        if len(answers) < self.min_images:
            raise Unavailable(
                f"{len(answers)} labelled pictures do not tell orders of labels apart; show at least "
                f"{self.min_images} (data.limit), or set min_images"
            )
        if not np.isfinite(answers.confidence).any():
            return Judgement(float("nan"), self.at_most, "at most", "labels", "no output is finite")
        outputs, names = evidence.outline.layers[-1].units, evidence.labels
        found = [order for order in (structured(answers, outputs, names), assigned(answers, outputs)) if order]
        if found:
            return self._permuted(answers, *max(found, key=lambda order: _hits(answers, order[1])), names)
        if unexplained(answers, outputs):
            return self._unexplained(answers, outputs)
        message = (
            f"{answers.right.mean():.1%} of {len(answers)} labelled pictures are right, and no other order fits better"
        )
        return Judgement(0.0, self.at_most, "at most", "labels", message)

    def _permuted(self, answers: Answers, what: str, order: Order, names: tuple[str, ...]) -> Judgement:
        moved = [label for label in np.unique(answers.label).tolist() if order[label] != label]
        findings = tuple(Finding(None, label, _moved(label, int(order[label]), names), 1.0) for label in moved)
        pairs = ", ".join(_moved(label, int(order[label]), names) for label in moved[:5])
        share = _hits(answers, order)
        message = (
            f"{what}: {answers.right.mean():.1%} of {len(answers)} pictures are right as labelled, {share:.1%} in that "
            f"order ({pairs}{', ...' if len(moved) > 5 else ''}). Give the model its labels in the order of training"
        )
        return Judgement(float(len(moved)), self.at_most, "at most", "labels", message, findings)

    def _unexplained(self, answers: Answers, outputs: int) -> Judgement:
        seen = len(np.unique(answers.label))
        message = (
            f"{answers.right.mean():.1%} of {len(answers)} pictures are right, which is chance of {outputs} outputs, "
            f"at a mean confidence of {np.nanmean(answers.confidence):.1%} in {len(np.unique(answers.predicted))} "
            "different classes: the labels are probably in another order than the outputs, too few of each to say which"
        )
        return Judgement(float(seen), self.at_most, "at most", "labels", message)


def structured(answers: Answers, outputs: int, names: tuple[str, ...]) -> tuple[str, Order] | None:
    """The best of the orders that mistakes make, if it is better than the order as it is beyond chance."""
    tried = list(orders(outputs, names))
    counted = [(answers.predicted == order[answers.label]) for _, order in tried]
    right = answers.right
    gains = [int((hits & ~right).sum()) - int((right & ~hits).sum()) for hits in counted]
    if not tried or max(gains) <= 0:
        return None
    best = int(np.argmax(gains))
    better, worse = int((counted[best] & ~right).sum()), int((right & ~counted[best]).sum())
    return tried[best] if sign_test(better, worse) * len(tried) < DOUBT else None


def orders(outputs: int, names: tuple[str, ...]) -> Iterator[tuple[str, Order]]:
    """Orders that mistakes make, but for the identity: what each is called, and the output of each label."""
    plain = np.arange(outputs)
    for shift in range(1, outputs):
        nearer = shift if shift <= outputs // 2 else shift - outputs
        yield f"the labels are shifted by {nearer:+d}", (plain + nearer) % outputs
    if outputs > 2:
        yield "the labels are reversed", plain[::-1]
    for what, keys in (
        ("the labels' numbers are sorted as text (0, 1, 10, 11, ..., 2)", [str(output) for output in range(outputs)]),
        ("the labels are sorted by name", list(names)),
        ("the labels are sorted by name without regard to case", [name.casefold() for name in names]),
    ):
        place = np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)
        for order in (place, np.argsort(place, kind="stable")):
            if len(order) == outputs and (order != plain).any():
                yield what, order


def assigned(answers: Answers, outputs: int) -> tuple[str, Order] | None:
    """The cycles of the best assignment on half of the pictures that the other half confirms; None without any."""

    from scipy.optimize import linear_sum_assignment

    places = within_labels(answers.label)
    half = places % 2 == 0
    learnt, tested = answers.of(half), answers.of(~half)
    readable = learnt.predicted >= 0
    counts = np.zeros((outputs, outputs))
    np.add.at(counts, (learnt.label[readable], learnt.predicted[readable]), 1)
    _, order = linear_sum_assignment(counts + 0.5 * np.eye(outputs), maximize=True)  # of equals, the order as it is
    cycles = list(cycles_of(order))
    sure = [cycle for cycle in cycles if _doubt(tested, order, cycle) * len(cycles) < DOUBT]
    if not sure:
        return None
    confirmed = np.arange(outputs)
    for cycle in sure:
        confirmed[cycle] = order[cycle]
    moved = sum(map(len, sure))
    return ("all labels are permuted" if moved == outputs else f"{moved} labels are permuted"), confirmed


def within_labels(label: Int[np.ndarray, " picture"]) -> Int[np.ndarray, " picture"]:
    """How many earlier pictures have the picture's label."""
    order = np.argsort(label, kind="stable")
    _, starts, counts = np.unique(label[order], return_index=True, return_counts=True)
    places = np.empty(len(label), dtype=np.int64)
    places[order] = np.arange(len(label)) - np.repeat(starts, counts)
    return places


def cycles_of(order: Order) -> Iterator[list[int]]:
    """The cycles of a permutation that are longer than one."""
    left = {label for label, output in enumerate(order.tolist()) if label != output}
    while left:
        cycle = [min(left)]
        while (follower := int(order[cycle[-1]])) != cycle[0]:
            cycle.append(follower)
        left -= set(cycle)
        yield cycle


def _doubt(answers: Answers, order: Order, cycle: Iterable[int]) -> float:
    """That chance alone prefers the order to the labels as they are, on the pictures of the cycle."""
    inside = answers.of(np.isin(answers.label, list(cycle)))
    permuted = inside.predicted == order[inside.label]
    return sign_test(int((permuted & ~inside.right).sum()), int((inside.right & ~permuted).sum()))


def _hits(answers: Answers, order: Order) -> float:
    """Share of the pictures whose predicted class is the output that the order gives their label."""
    return float((order[answers.label] == answers.predicted).mean())


def unexplained(answers: Answers, outputs: int) -> bool:
    """Whether a model that is sure of many classes is right no more often than chance.

    A model that is shown its pictures wrongly is sure as well, but of few classes.
    """
    sure = np.nanmean(answers.confidence) >= max(0.3, 2 / outputs)
    chance = at_least(int(answers.right.sum()), len(answers), 1 / outputs) > 0.01
    expected = np.nanmean(answers.confidence) * len(answers)
    many = _spread(answers.predicted) >= 0.5 * _spread(answers.label)
    return bool(sure and chance and many and expected >= answers.right.sum() + 10)


def _spread(classes: Int[np.ndarray, " picture"]) -> float:
    """Effective number of classes: the exponential of their entropy."""
    counts = np.unique(classes, return_counts=True)[1]
    shares = counts / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _moved(label: int, output: int, names: tuple[str, ...]) -> str:
    return f"{output_name(names, label)} is answered by {output_name(names, output)}"
