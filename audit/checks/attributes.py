"""Attributes of pictures and correctness -> whether some kind of picture is recognised worse than the rest."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Shaped
from pydantic import Field

from audit.checks.answers import Answers, labelled_answers
from audit.checks.chance import wilson
from audit.checks.evidence import Check, Evidence, Need, Place
from audit.data.comma_separated import PictureNames, missing_file, rows
from audit.errors import Unavailable, nearest
from audit.records import Finding, Judgement
from audit.words import plural

DOUBT = 0.01
"""Probability of a false alarm, over all groups of all attributes together (Bonferroni)."""

UNKNOWN = "unknown"
GROUPS = 50
"""Of a column of text: more are names of pictures, not kinds of them."""


@dataclass(frozen=True)
class Group:
    """Pictures that are alike in one attribute, and how many of them, and of the others, are right."""

    attribute: str
    band: str
    right: int
    count: int
    others_right: int
    others: int

    @property
    def gap(self) -> float:
        """Points of accuracy that it is behind the others."""
        return 100 * (self.others_right / self.others - self.right / self.count) if self.others else 0.0

    @property
    def doubt(self) -> float:
        """Probability that chance alone puts it so far behind (Fisher's exact test, one-sided)."""

        from scipy.stats import fisher_exact

        counts = [[self.right, self.count - self.right], [self.others_right, self.others - self.others_right]]
        return float(fisher_exact(counts, alternative="less").pvalue)

    def __str__(self) -> str:
        low, high = wilson(self.right, self.count)
        return (
            f"{self.attribute} {self.band}: {self.right / self.count:.1%} of {self.count} pictures are right "
            f"({low:.1%} to {high:.1%}), {self.others_right / max(1, self.others):.1%} of the others"
        )


class Attributes(Check):
    """Points of accuracy by which the worst group of pictures is behind all others.

    Numbers make groups of equally many pictures, from low to high; texts make one of each value. A group counts if
    chance does not explain it (Fisher's exact test, corrected for all groups that are looked at).
    """

    looks_at: ClassVar[Place] = "model"
    needs: ClassVar[tuple[Need, ...]] = ("predictions", "attributes")
    measured_in: ClassVar[str] = "points"

    at_most: float = Field(default=15.0, ge=0, le=100, description="points that a group may be behind the others")
    by: tuple[str, ...] = Field(
        default=("brightness", "contrast", "sharpness", "saturation"),
        min_length=1,
        description="attributes: brightness, contrast, sharpness, saturation, width, height, or columns of a CSV",
    )
    csv: str | None = Field(default=None, description="CSV file with more columns, a row per picture")
    picture: str = Field(default="picture", description="its column with the pictures' names")
    bins: int = Field(default=5, ge=2, le=20, description="groups of equally many pictures, for a number")
    min_images: int = Field(default=20, ge=1, description="groups of fewer pictures are not judged")

    def problems(self, folder: Path) -> Iterator[tuple[str, str]]:
        yield from missing_file(folder, "csv", self.csv)

    def judge(self, evidence: Evidence) -> Judgement:
        answers = labelled_answers(evidence)
        columns = self._columns(evidence, answers)
        groups = [
            group
            for name in self.by
            for group in grouped(name, columns[name], answers.right, self.bins)
            if group.count >= self.min_images and group.others
        ]
        if not groups:
            raise Unavailable(
                f"no group of {self.min_images} of the {len(answers)} labelled pictures; show more (data.limit), take "
                "fewer `bins`, or set min_images"
            )
        behind = [group for group in groups if group.gap > 0 and group.doubt * len(groups) < DOUBT]
        behind.sort(key=lambda group: -group.gap)
        measured = behind[0].gap if behind else 0.0
        findings = tuple(Finding(None, None, str(group), group.gap) for group in behind if group.gap > self.at_most)
        return Judgement(measured, self.at_most, "at most", "points", _message(groups, behind), findings)

    def _columns(self, evidence: Evidence, answers: Answers) -> dict[str, Shaped[np.ndarray, " picture"]]:
        """The attributes that are asked for, of each labelled picture; Unavailable if there is none of that name."""
        measured = evidence.table("attributes").columns
        place = {image: row for row, image in enumerate(measured["image"].tolist())}
        lost = [image for image in answers.image.tolist() if image not in place]
        if lost:
            raise Unavailable(f"no attributes for {plural(len(lost), 'picture')}, the first is number {lost[0]}")
        picked = [place[image] for image in answers.image.tolist()]
        there_is = {name: column[picked] for name, column in measured.items() if name != "image"}
        if self.csv is not None:
            there_is |= self._told(evidence, answers)
        for name in self.by:
            if name not in there_is:
                raise Unavailable(f'there is no attribute "{name}"{nearest(name, list(there_is))}')
        return there_is

    def _told(self, evidence: Evidence, answers: Answers) -> dict[str, Shaped[np.ndarray, " picture"]]:
        """The columns of the CSV file; texts, or numbers where all that is there is a number."""
        assert self.csv is not None
        table = evidence.table("predictions").columns
        if "name" not in table:
            raise Unavailable("the names of the pictures were not recorded, by which the CSV file knows them")
        wanted = [name for name in self.by if name not in evidence.table("attributes").columns]
        names, of_image = PictureNames(table["name"]), {}
        for row in rows(evidence.folder / self.csv, (self.picture, *wanted)):
            found = names.find(row, row.values[self.picture])
            image = None if found is None else int(table["image"][found])
            if image in of_image:
                raise row.wrong(f'"{row.values[self.picture]}" has a row already')
            if image is not None:
                of_image[image] = row.values
        return {
            name: _numbers([of_image.get(image, {}).get(name, "") for image in answers.image.tolist()])
            for name in wanted
        }


def _numbers(texts: list[str]) -> Shaped[np.ndarray, " picture"]:
    """float64, NaN where nothing stands, if everything else is a number; else the texts."""
    try:
        return np.array([float(text) if text else np.nan for text in texts])
    except ValueError:
        return np.array([text or UNKNOWN for text in texts])


def grouped(
    name: str, values: Shaped[np.ndarray, " picture"], right: Bool[np.ndarray, " picture"], bins: int
) -> list[Group]:
    """Every picture in one group: by quantiles of numbers (equal ones together), by the value of texts.

    Numbers that are NaN or infinite are a group of their own. Unavailable for a text of more than 50 values.
    """
    return [
        Group(name, band, int(right[inside].sum()), int(inside.sum()), int(right[~inside].sum()), int((~inside).sum()))
        for band, inside in _bands(name, values, bins)
        if inside.any()
    ]


def _bands(
    name: str, values: Shaped[np.ndarray, " picture"], bins: int
) -> Iterator[tuple[str, Bool[np.ndarray, " picture"]]]:
    if values.dtype.kind not in "iuf":
        yield from _of_texts(name, values)
        return
    finite = np.isfinite(values)
    yield UNKNOWN, ~finite
    if finite.any():
        edges = np.unique(np.quantile(values[finite], np.linspace(0, 1, bins + 1)[1:-1]))
        place = np.where(finite, np.searchsorted(edges, values, side="right"), -1)
        for band in range(len(edges) + 1):
            inside = place == band
            if inside.any():
                yield f"{values[inside].min():.4g} to {values[inside].max():.4g}", inside


def _of_texts(name: str, values: Shaped[np.ndarray, " picture"]) -> Iterator[tuple[str, Bool[np.ndarray, " picture"]]]:
    kinds = np.unique(values)
    if len(kinds) > GROUPS:
        raise Unavailable(
            f'"{name}" has {len(kinds)} different values; {GROUPS} kinds of pictures at most are compared'
        )
    for kind in kinds:
        yield f'"{kind}"', np.asarray(values == kind)


def _message(groups: list[Group], behind: list[Group]) -> str:
    attributes = len({group.attribute for group in groups})
    looked = f"{len(groups)} groups of pictures by {attributes} attributes"
    if behind:
        return f"of {looked} {len(behind)} are behind the others beyond chance; worst {behind[0]}"
    worst = max(groups, key=lambda group: group.gap)
    return f"none of {looked} is behind the others beyond chance; worst {worst}"
