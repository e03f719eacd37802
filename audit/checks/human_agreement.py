"""What people say of pictures -> how far the model agrees with them, and both with the labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Int
from pydantic import Field

from audit.checks.answers import Answers, answers, output_name
from audit.checks.evidence import Check, Evidence, Need, Place
from audit.data.comma_separated import PictureNames, Row, missing_file, rows
from audit.errors import NotApplicable, Unavailable, nearest
from audit.records import Finding, Judgement
from audit.words import plural

GUESSES = 5
"""That count for a top-5 error, of people as of models."""


@dataclass(frozen=True)
class Opinion:
    """What one person says of one picture: outputs, the first guess first. `picture` is its row of the answers."""

    picture: int
    guesses: tuple[int, ...]


class HumanAgreement(Check):
    """Share of people's answers, in percent, that are also the model's.

    Russakovsky et al. 2015 (section 6.4, Karpathy's experiment) let people give five labels to a picture, and compare
    their top-5 error with the model's on the same pictures. Cohen's kappa is the agreement beyond what both habits of
    naming give by chance.
    """

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("predictions",)
    measured_in: ClassVar[str] = "%"
    by_default: ClassVar[bool] = False

    labels: str = Field(description="CSV file with the columns picture, label and perhaps annotator; guesses in order")
    at_least: float = Field(ge=0, le=100, description="answers of people that the model must share, in percent")

    def problems(self, folder: Path) -> Iterator[tuple[str, str]]:
        yield from missing_file(folder, "labels", self.labels)

    def judge(self, evidence: Evidence) -> Judgement:
        table = evidence.table("predictions")
        if "name" not in table.columns:
            raise Unavailable("the names of the pictures were not recorded")
        outputs = evidence.outline.layers[-1].units
        told = opinions(
            rows(evidence.folder / self.labels, ("picture", "label")),
            PictureNames(table.columns["name"]),
            evidence.labels,
            outputs,
        )
        if not told:
            raise NotApplicable(f"{self.labels} says nothing of the pictures that were shown")
        every = answers(evidence)
        chosen = np.array([opinion.picture for opinion in told])
        people = np.array([opinion.guesses[0] for opinion in told])
        share = 100 * float((every.predicted[chosen] == people).mean())
        message = _message(every, chosen, people, told, share)
        findings = _disagreements(every, table.columns["name"], evidence.labels, chosen, people)
        return Judgement(share, self.at_least, "at least", "%", message, findings if share < self.at_least else ())


def opinions(rows: Sequence[Row], names: PictureNames, labels: tuple[str, ...], outputs: int) -> list[Opinion]:
    """One per picture and annotator; rows of the same two are guesses in their order. Unknown pictures are left out."""
    known = {label: output for output, label in reversed(list(enumerate(labels)))}
    guesses: dict[tuple[int, str], list[int]] = {}
    for row in rows:
        picture = names.find(row, row.values["picture"])
        output = _output(row, known, outputs)
        if picture is not None:
            guesses.setdefault((picture, row.values.get("annotator", "")), []).append(output)
    return [Opinion(picture, tuple(those)) for (picture, _), those in guesses.items()]


def _output(row: Row, known: Mapping[str, int], outputs: int) -> int:
    """A label's output by its name, its first word where only one has it, or its number."""
    label = row.values["label"]
    if label in known:
        return known[label]
    starts = [output for name, output in known.items() if name.split()[:1] == [label]]
    if len(starts) == 1:
        return starts[0]
    if label.isdecimal() and int(label) < outputs:
        return int(label)
    raise row.wrong(f'"{label}" is no label of the model{nearest(label, list(known)) or f" of {outputs} outputs"}')


def kappa(ours: Int[np.ndarray, " answer"], theirs: Int[np.ndarray, " answer"]) -> float:
    """Cohen's (1960): agreement beyond chance, 1 where it is complete; NaN where both know one word only."""
    count, classes = len(ours), np.unique(np.concatenate((ours, theirs)))
    agreed = float((ours == theirs).mean())
    chance = sum(float((ours == one).sum()) * float((theirs == one).sum()) for one in classes) / count**2
    return (agreed - chance) / (1 - chance) if chance < 1 else float("nan")


def _message(
    every: Answers,
    chosen: Int[np.ndarray, " answer"],
    people: Int[np.ndarray, " answer"],
    told: Sequence[Opinion],
    share: float,
) -> str:
    message = (
        f"the model shares {share:.1f} % of {plural(len(told), 'answer')} of people "
        f"on {plural(len(np.unique(chosen)), 'picture')} (kappa {kappa(every.predicted[chosen], people):.2f})"
    )
    known = every.label[chosen] >= 0
    if not known.any():
        return message
    label, rank = every.label[chosen][known], every.rank[chosen][known]
    hits = [every.label[opinion.picture] in opinion.guesses[:GUESSES] for opinion in told]
    return (
        f"{message}; against the labels of the pictures people err on "
        f"{(people[known] != label).mean():.1%} and the model on {(rank != 0).mean():.1%}, with five guesses on "
        f"{1 - np.array(hits)[known].mean():.1%} and {(rank >= GUESSES).mean():.1%}"
    )


def _disagreements(
    every: Answers,
    names: np.ndarray,
    labels: tuple[str, ...],
    chosen: Int[np.ndarray, " answer"],
    people: Int[np.ndarray, " answer"],
) -> tuple[Finding, ...]:
    """The five of which the model is most sure."""
    differ = np.flatnonzero(every.predicted[chosen] != people)
    surest = differ[np.argsort(-every.confidence[chosen][differ], kind="stable")][:5]
    return tuple(
        Finding(
            None,
            None,
            f"{names[chosen[place]]}: people say {output_name(labels, int(people[place]))}, the model "
            f"{output_name(labels, int(every.predicted[chosen[place]]))} ({every.confidence[chosen[place]]:.0%})",
            float(every.confidence[chosen[place]]),
        )
        for place in surest
    )
