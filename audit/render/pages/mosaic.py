"""t-SNE's grid of pictures and its tables -> a mosaic as wide as the page, the colours of its labels, its numbers."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from audit.records import Pictures, Table
from audit.render.pages.sections import NOTHING, Column, Grid, Tile
from audit.render.rows import rows_of
from audit.render.sprites import Embed, Embedded
from audit.render.wording import DASH, link, percent, place
from audit.store.sprites import grid
from audit.words import plural

COLOURS = (
    *("#3a86d0", "#e07b1a", "#2a8f5f", "#d64545", "#8e63c7", "#8c5a3c", "#d965a8", "#7f868f", "#a8a31e", "#1ba3b3"),
)
"""Of labels, if they are no more than these; each is seen on white and on the dark page."""

FRAME = 20
"""A frame is this part of a picture's side, and two pixels at least."""

SCREEN = 1100
"""Pixels on a screen that a mosaic of few or small pictures is enlarged to, at most and by a whole number."""

ARRANGEMENTS = {
    "codes": "the codes themselves",
    "plane": "the plane of t-SNE",
    "grid": "this grid",
    "random": "this grid, its pictures in a random order",
}


@dataclass(frozen=True)
class Key:
    """A label and the colour of its frames."""

    name: str
    colour: str


@dataclass(frozen=True)
class Mosaic:
    """Tiles in `columns` as one picture, `width` pixels wide on a screen; `aspect` is width over height."""

    anchor: str
    href: str
    title: str
    text: str
    image: Embedded
    columns: int
    tiles: tuple[Tile, ...]
    alt: str
    width: int
    aspect: float
    keys: tuple[Key, ...]
    quality: Grid | None


def mosaic_of(pictures: Pictures, tables: Sequence[Table], embed: Embed, title: str, text: str) -> Mosaic:
    """The mosaic of a layer; of the tables "tsne" and "tsne_quality" its own rows are taken."""
    named = {table.name: table for table in tables}
    labels = _labels(named.get("tsne"), pictures)
    colours = _colours(labels)
    tiles, captions = pictures.tiles[0], pictures.captions[0]
    image = embed(framed(tiles, [colours.get(label) for label in labels]) if colours else tiles, 1)
    shown = sum(not caption.startswith(NOTHING) for caption in captions)
    return Mosaic(
        anchor=place("mosaic", pictures.layer, pictures.kind),
        href=link(place("mosaic", pictures.layer, pictures.kind)),
        title=title,
        text=text,
        image=image,
        columns=grid(len(tiles))[1],
        tiles=tuple(Tile(caption, caption.startswith(NOTHING)) for caption in captions),
        alt=f"{title} of {pictures.layer}: {plural(shown, 'picture')} on a grid, those with alike codes side by side",
        width=image.width * max(1, SCREEN // image.width),
        aspect=image.width / image.height,
        keys=tuple(Key(name, colour) for name, colour in colours.items()),
        quality=_quality(named.get("tsne_quality"), pictures.layer),
    )


def framed(
    tiles: UInt8[np.ndarray, "tile y x 3"], colours: Sequence[str | None]
) -> UInt8[np.ndarray, "tile height width 3"]:
    """The tiles, each in a frame of its colour around it; white where it has none."""
    height, width = tiles.shape[1:3]
    edge = max(2, max(height, width) // FRAME)
    result = np.empty((len(tiles), height + 2 * edge, width + 2 * edge, 3), np.uint8)
    for tile, frame, colour in zip(tiles, result, colours, strict=True):
        frame[:] = [int(pair, 16) for pair in re.findall("[0-9a-f]{2}", colour or "#ffffff")]
        frame[edge:-edge, edge:-edge] = tile
    return result


def _labels(table: Table | None, pictures: Pictures) -> list[str]:
    """The label of each tile; empty where it has none or shows no picture."""
    labels = [""] * pictures.tiles.shape[1]
    for row in rows_of(table, "layer", "label", "row", "column"):
        if row["layer"] == pictures.layer:
            labels[row["row"] * grid(len(labels))[1] + row["column"]] = row["label"]
    return labels


def _colours(labels: Sequence[str]) -> Mapping[str, str]:
    """A colour per label, or none where there are too many of them to be told apart."""
    names = sorted({label for label in labels if label})
    return dict(zip(names, COLOURS, strict=False)) if 1 < len(names) <= len(COLOURS) else {}


def _quality(table: Table | None, layer: str) -> Grid | None:
    rows = rows_of(table, "layer", "arrangement", "neighbours", "trustworthiness", "neighbours_kept", "label_agreement")
    rows = [row for row in rows if row["layer"] == layer]
    if not rows:
        return None
    labelled = any(not math.isnan(row["label_agreement"]) for row in rows)
    columns = ("trustworthiness", "neighbours kept", *(["neighbours of the same label"] if labelled else []))
    return Grid(
        "What is kept of who is near whom",
        f"Of each picture's {rows[0]['neighbours']} nearest. Trustworthiness: 1 if they are the nearest by the codes, "
        "too, less by how many others are nearer; about 0.5 in any order. Kept: those nearest by the codes, too.",
        (Column("pictures as in"), *(Column(name, True) for name in columns)),
        tuple(
            (
                ARRANGEMENTS.get(row["arrangement"], row["arrangement"]),
                f"{row['trustworthiness']:.3f}",
                percent(row["neighbours_kept"]),
                *([_share(row["label_agreement"])] if labelled else []),
            )
            for row in rows
        ),
    )


def _share(value: float) -> str:
    return DASH if math.isnan(value) else percent(value)
