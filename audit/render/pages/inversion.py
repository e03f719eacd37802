"""Pictures found from their codes -> a row per picture over all layers: what each layer still knows, and what follows.

Mahendran and Vedaldi 2015, figure 6: the picture, then its reconstructions by depth, PSNR beneath.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audit.records import Layer, Pictures, Report
from audit.render.pages.sections import Column, Grid
from audit.render.rows import rows_of
from audit.render.sprites import Embed, Embedded
from audit.render.wording import DASH, number
from audit.words import listed, plural

KIND, ANCHOR = "inversion", "inversion"
COLUMNS = (
    *("layer", "numbers", "pixels", "pictures", "psnr", "low", "high", "ssim", "error", "psnr_unknown"),
    *("told", "others"),
)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """A picture, or none; `psnr` stands beneath, `caption` says all."""

    image: Embedded | None
    psnr: str
    caption: str


@dataclass(frozen=True)
class PictureRow:
    """A picture as the network saw it, and a reconstruction per layer."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Inversions:
    """The figure, its table, what it means for privacy, and how it was made."""

    anchor: str
    text: str
    privacy: str
    notes: tuple[str, ...]
    layers: tuple[str, ...]
    rows: tuple[PictureRow, ...]
    grid: Grid


def inversions_of(report: Report, embed: Embed) -> Inversions | None:
    """The figure; None if no code was inverted."""
    found = {record.layer: record for record in report.pictures if record.kind == KIND}
    layers = [layer for layer in report.outline.layers if layer.name in found]
    table = report.table(KIND)
    rows = rows_of(table, *COLUMNS)
    if not rows:
        return None
    records = [found[layer.name] for layer in layers]
    names = list(dict.fromkeys(name for record in records for name in record.names))
    return Inversions(
        ANCHOR,
        "A layer's code of a picture is its whole output. From the code alone a picture was looked for that has the "
        "same one: what the code still holds comes back, what it has lost does not. PSNR, in dB, against the picture "
        "that the network saw.",
        _privacy(rows),
        tuple(dict.fromkeys(record.note for record in records)),
        tuple(layer.name for layer in layers),
        tuple(_row(name, records, embed) for name in names),
        _grid(rows),
    )


def is_inverted(layer: Layer, report: Report) -> bool:
    """Whether the figure has a column of the layer."""
    return any(record.layer == layer.name and record.kind == KIND for record in report.pictures)


def _row(name: str, records: Sequence[Pictures], embed: Embed) -> PictureRow:
    owner = next(record for record in records if name in record.names)
    own = owner.tiles[owner.names.index(name), 0]
    original = Cell(embed(own[None], 1), "", name)
    return PictureRow(name, (original, *(_cell(name, record, embed) for record in records)))


def _cell(name: str, record: Pictures, embed: Embed) -> Cell:
    if name not in record.names:
        return Cell(None, DASH, "not inverted")
    row = record.names.index(name)
    caption = f"{name} from {record.layer}: {record.captions[row][1]}"
    return Cell(embed(record.tiles[row, 1][None], 1), _decibel(record.numbers["psnr"][row, 1]), caption)


def _privacy(rows: Sequence[Row]) -> str:
    best, worst = (pick(rows, key=lambda row: row["psnr"]) for pick in (max, min))
    told = [row["layer"] for row in rows if row["told"] == row["pictures"]]
    others = min(row["others"] for row in rows)
    known = (
        f"From the codes of {listed(told)} every reconstruction is more like its own picture than like any of "
        f"{plural(others, 'other picture')}. "
        if told and others
        else ""
    )
    span = (
        f"The codes of {best['layer']} give the pictures back at {_decibel(best['psnr'])} (median)"
        + ("" if len(rows) == 1 else f", those of {worst['layer']} at {_decibel(worst['psnr'])}")
        + f"; whoever knows nothing and answers with the mean colour is at {_decibel(best['psnr_unknown'])}. "
    )
    return (
        f"{span}{known}Whoever has the codes of a layer from which you recognise the pictures has the pictures: keep, "
        "share and delete such codes as you do the pictures themselves. A poor reconstruction is no proof of the "
        "opposite: it is what one method found in a few steps, and a decoder that is trained for it may find more "
        "(Dosovitskiy and Brox 2016)."
    )


def _grid(rows: Sequence[Row]) -> Grid:
    heads = ("numbers per code", "per picture", "pictures", "PSNR", "from", "to", "SSIM", "error of the code", "told")
    return Grid(
        "In numbers",
        "Medians over the pictures. Error: squared distance of the two codes over the squared length of the code. "
        "Told: reconstructions that are more like their own picture than like any other of the audit's pictures that "
        "they were compared with, by the correlation of the pixels.",
        (Column("layer"), *(Column(head, True) for head in heads)),
        tuple(
            (
                row["layer"],
                *(number(row[name]) for name in ("numbers", "pixels", "pictures")),
                *(_decibel(row[name]) for name in ("psnr", "low", "high")),
                DASH if np.isnan(row["ssim"]) else f"{row['ssim']:.2f}",
                number(float(f"{row['error']:.2g}")),
                f"{row['told']} of {row['pictures']}",
            )
            for row in rows
        ),
    )


def _decibel(value: float) -> str:
    return f"{number(float(f'{value:.1f}'))} dB"
