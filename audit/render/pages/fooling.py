"""Attacks, attacked pictures and fooling images -> the section of what fools the network."""

from collections.abc import Iterator, Sequence

import numpy as np

from audit.analyses.summaries import groups
from audit.records import Pictures, Report, Table
from audit.render.charts.attacks import attacks
from audit.render.pages.sections import Column, Figure, Gallery, Grid, Section, section
from audit.render.rows import rows_of
from audit.render.sprites import Embed
from audit.render.wording import number, percent
from audit.words import plural

ATTACKED = "adversarial"
"""The kind of pictures, and the table, that are shown here and nowhere else."""

FOOLING = "none"
"""The preset without a prior: its image of a class is one that fools the network."""

MOST = 12


def fooling_section(report: Report, embed: Embed) -> Section | None:
    """The section; None where nothing was attacked and no class has a fooling image."""
    table = report.table(ATTACKED)
    return section(
        "fooling",
        "fooling",
        "Fooling and adversarial",
        "How far the network is from other answers: the smallest changes that turn a picture into another class, and "
        "images of which it is certain although they show nothing.",
        [attacks(table)],
        [_accuracies(table)],
        [_attacked(report.pictures, embed), _fooling(report, embed)],
    )


def _accuracies(table: Table | None) -> Grid | None:
    rows = rows_of(table, "attack", "epsilon", "pictures", "right", "top1", "confidence", "flat")
    if not rows:
        return None
    attacks = list(dict.fromkeys(row["attack"] for row in rows))
    cells = {(row["attack"], row["epsilon"]): row for row in rows}
    epsilons = list(dict.fromkeys(row["epsilon"] for row in rows))
    flat = rows[0]["flat"]
    unreached = f" At {plural(flat, 'picture')} the loss has no gradient: FGSM leaves them as they are." if flat else ""
    return Grid(
        "Accuracy under attack",
        "Top-1, and in brackets the mean confidence of the answers, right or wrong. Once a picture has fooled the "
        f"network under PGD, it counts for larger changes too, and its confidence is the one it had there.{unreached}",
        (Column("levels of 255", True), *(Column(attack, True) for attack in attacks)),
        tuple(
            (number(epsilon), *(_accuracy(cells[attack, epsilon]) for attack in attacks if (attack, epsilon) in cells))
            for epsilon in epsilons
        ),
    )


def _accuracy(row: dict[str, float]) -> str:
    return f"{percent(row['top1'])} ({percent(row['confidence'])})"


def _attacked(every: Sequence[Pictures], embed: Embed) -> Gallery | None:
    found = next((pictures for pictures in every if pictures.kind == ATTACKED and pictures.names), None)
    if found is None:
        return None
    return Gallery(
        "Attacked pictures",
        f"{found.note} Left to right: the picture with its answer, the change enlarged around gray, what comes of it.",
        tuple(
            (name, tuple(_figure(tile, caption, name, embed) for tile, caption in zip(tiles, captions, strict=True)))
            for name, tiles, captions in zip(found.names, found.tiles, found.captions, strict=True)
        ),
    )


def _fooling(report: Report, embed: Embed) -> Gallery | None:
    figures = list(_most_certain(report, embed))
    if not figures:
        return None
    return Gallery(
        "Fooling images",
        f'Made from noise by the preset "{FOOLING}", which has no prior: the first image of which the network is '
        "certain. Each with the class and the probability that the network gives it; the most certain of each class.",
        (("", tuple(figures[:MOST])),),
    )


def _most_certain(report: Report, embed: Embed) -> Iterator[Figure]:
    for record in report.pictures:
        tiles = dict(groups(record)).get(FOOLING)
        if record.kind != "optimized" or tiles is None or "confidence" not in record.numbers:
            continue
        for row, unit in enumerate(record.units):
            sure = np.nan_to_num(record.numbers["confidence"][row, tiles], nan=-1.0)
            best = int(sure.argmax())
            if sure[best] < 0:
                continue
            name = report.labels[unit] if unit < len(report.labels) else f"unit {unit}"
            tile = record.tiles[row, tiles.start + best]
            yield _figure(tile, f"{name}, {percent(float(sure[best]))}", f"fooling image of {name}", embed)


def _figure(tile: np.ndarray, caption: str, name: str, embed: Embed) -> Figure:
    return Figure(embed(tile[None], 1), caption, f"{name}: {caption}")
