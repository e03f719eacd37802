"""Tables of pictures and trials -> what the model makes of its pictures: how surely, of which, shown how."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from audit.checks import attributes
from audit.checks.answers import Answers, output_name
from audit.checks.reliability import confusions, reliability
from audit.errors import Unavailable
from audit.records import Report, Table
from audit.render.charts import answers as drawn
from audit.render.charts import layers
from audit.render.charts.drawing import Chart
from audit.render.pages.sections import Column, Grid, Section, cut, section
from audit.render.rows import rows_of
from audit.render.wording import DASH, number, percent
from audit.words import plural

FIRST = ("brightness", "contrast", "sharpness", "saturation")
LAST = ("width", "height", "aspect")
PANELS = 8
"""Attributes that are drawn: the measured ones, then those that came with the pictures, then the sizes."""

BINS = 5
FEWEST = 20
"""Pictures of a group: fewer say nothing of its accuracy."""

KINDS = 12
"""Different texts of an attribute that are drawn; more are no kinds of pictures."""

DAMAGED = 100


def pictures_section(report: Report) -> Section | None:
    """The section; None if none of its tables was made."""
    tables = {table.name: table for table in report.tables if table.rows}
    answers = labelled(tables.get("predictions"))
    return section(
        "pictures",
        "pictures",
        "Pictures and answers",
        "What the model makes of the pictures: how right and how sure it is, of which, and what changes when they are "
        "shown otherwise.",
        (
            *_calibration(answers),
            *_by_attribute(answers, tables.get("attributes")),
            *(layers.noise(table) for name, table in tables.items() if name == "noise"),
            layers.flicker(tables.get("flicker")),
        ),
        (
            _damaged(tables.get("damaged")),
            _confused(answers, report.labels),
            _ways(tables.get("preprocessing")),
            _flips(tables.get("noise")),
            _frames(tables.get("flicker")),
        ),
    )


def labelled(predictions: Table | None) -> Answers | None:
    """The answers to pictures with a label; None if there is none."""
    if predictions is None or not set(Answers.__dataclass_fields__) <= predictions.columns.keys():
        return None
    every = Answers(*(predictions.columns[name] for name in Answers.__dataclass_fields__))
    labelled = every.of(every.label >= 0)
    return labelled if len(labelled) else None


def _calibration(answers: Answers | None) -> Iterator[Chart | None]:
    if answers is not None:
        left_out = int((~np.isfinite(answers.confidence)).sum())
        yield drawn.calibration(list(reliability(answers)), left_out)


def _by_attribute(answers: Answers | None, table: Table | None) -> Iterator[Chart | None]:
    if answers is None or table is None or "image" not in table.columns:
        return
    place = {image: row for row, image in enumerate(table.columns["image"].tolist())}
    both = answers.of(np.isin(answers.image, table.columns["image"]))
    rows = [place[image] for image in both.image.tolist()]
    columns = {name: column[rows] for name, column in table.columns.items() if name != "image"}
    given = [name for name in columns if name not in FIRST + LAST]
    names = [name for name in (*FIRST, *given, *LAST) if name in columns]
    found = [groups for name in names if (groups := _groups(name, columns[name], both))]
    yield drawn.by_attribute([group for groups in found[:PANELS] for group in groups])


def _groups(name: str, values: np.ndarray, answers: Answers) -> list[attributes.Group]:
    """Two groups or more, else none."""
    bins = max(1, min(BINS, len(answers) // FEWEST))
    try:
        groups = attributes.grouped(name, values, answers.right, bins)
    except Unavailable:  # too many different texts
        return []
    return groups if 2 <= len(groups) <= KINDS else []


def _damaged(table: Table | None) -> Grid | None:
    rows = [(row["name"], row["reason"]) for row in rows_of(table, "name", "reason")]
    if not rows:
        return None
    shown, left_out = cut(rows, DAMAGED, "tables/damaged.parquet")
    return Grid(
        f"{plural(len(rows), 'picture')} could not be shown",
        "They are left out of everything.",
        (Column("picture"), Column("reason")),
        shown,
        left_out,
        folded=len(shown) > 10,
    )


def _confused(answers: Answers | None, labels: tuple[str, ...]) -> Grid | None:
    pairs = confusions(answers) if answers is not None else []
    if not pairs:
        return None
    return Grid(
        "Labels that are confused most",
        "Pairs that more than one picture has.",
        (Column("label"), Column("taken for"), Column("pictures", True), Column("of that label", True)),
        tuple(
            (
                output_name(labels, pair.label).strip('"'),
                output_name(labels, pair.predicted).strip('"'),
                number(pair.count),
                f"{percent(pair.count / pair.pictures)} of {number(pair.pictures)}",
            )
            for pair in pairs
        ),
    )


def _ways(table: Table | None) -> Grid | None:
    rows = rows_of(table, "variant", "change", "pictures", "top1", "confidence", "better", "worse")
    if not rows:
        return None
    return Grid(
        "The same pictures, shown otherwise",
        "The first row is what audit.toml says. Ways that lose on few pictures are not shown the others, so compare "
        "the last two columns: pictures that only this way, or only the configured one, gets right.",
        (
            *(Column(name) for name in ("shown", "in audit.toml")),
            *(
                Column(name, True)
                for name in ("pictures", "top-1", "confidence", "right only so", "only as configured")
            ),
        ),
        tuple(_way(row) for row in rows),
    )


def _way(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["variant"],
        row["change"] or DASH,
        number(row["pictures"]),
        DASH if math.isnan(row["top1"]) else percent(row["top1"]),
        percent(row["confidence"]),
        number(row["better"]),
        number(row["worse"]),
    )


def _flips(table: Table | None) -> Grid | None:
    """Of the outputs: how many answers the noise changes."""
    rows = rows_of(table, "sigma", "flips", "change", "probability_std")
    rows = [row for row in rows if row["sigma"] > 0 and not math.isnan(row["flips"])]
    if not rows:
        return None
    names = ("noise", "other answers", "change of the outputs", "change of the probability")
    return Grid(
        "Answers that noise changes",
        "Gaussian noise of that standard deviation, for pixels of 0 to 1; the change of the outputs is relative to "
        "their size (median), that of the probability of the first answer is its root mean square.",
        tuple(Column(name, True) for name in names),
        tuple(
            (number(row["sigma"]), percent(row["flips"]), percent(row["change"]), number(row["probability_std"]))
            for row in rows
        ),
    )


def _frames(table: Table | None) -> Grid | None:
    """Of the probabilities: how often the answer changes."""
    rows = rows_of(table, "of", "pictures", "frames", "changes", "unsteady", "probability_std")
    rows = [row for row in rows if row["of"] == "probabilities" and not math.isnan(row["changes"])]
    if not rows:
        return None
    names = ("pictures", "frames of each", "other answer than before", "pictures with any", "spread of the probability")
    return Grid(
        "Answers that flicker",
        "Frames of a camera that stands still. The spread is the standard deviation over the frames of the probability "
        "of the class that is the most probable on average, mean over the pictures.",
        tuple(Column(name, True) for name in names),
        tuple(
            (
                number(row["pictures"]),
                number(row["frames"]),
                percent(row["changes"]),
                percent(row["unsteady"]),
                number(row["probability_std"]),
            )
            for row in rows
        ),
    )
