"""Pictures of a layer's units -> all of them at a glance: one small picture each, which leads to the unit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from audit.records import Layer, Pictures
from audit.render.pages.sections import NOTHING
from audit.render.sprites import Embed, Embedded
from audit.store.sprites import grid

if TYPE_CHECKING:
    from audit.render.pages.units import UnitSection

SIDE = 72
"""Of a small picture, in pixels."""

PREFERRED = ("optimized", "max-patches", "max-images", "filters", "deconv")
"""Kinds of pictures by which a unit is known best; the others after them."""


@dataclass(frozen=True)
class Thumb:
    """A unit and where its picture is in the montage, (x, y) in percent as CSS places backgrounds."""

    href: str
    chip: str
    label: str
    x: float
    y: float
    void: bool
    flagged: bool


@dataclass(frozen=True)
class Sheet:
    """The montage of `columns` and `rows`, and its units."""

    image: Embedded
    columns: int
    rows: int
    kind: str
    thumbs: tuple[Thumb, ...]


def sheet_of(
    layer: Layer, pictures: Mapping[str, Pictures], sections: "Mapping[str, UnitSection]", embed: Embed
) -> Sheet | None:
    """By the first kind of pictures that units have; None if no pictures are of units."""
    kinds = [kind for kind in (*PREFERRED, *pictures) if kind in pictures and not pictures[kind].names]
    shown = next((pictures[kind] for kind in kinds if 0 not in pictures[kind].tiles.shape), None)
    if shown is None:
        return None
    rows, columns = grid(len(shown.units))
    image = embed(np.stack(list(_small(shown))), 1)
    thumbs = tuple(
        Thumb(
            href=section.href,
            chip=section.chip,
            label=section.label,
            x=100 * (index % columns) / max(columns - 1, 1),
            y=100 * (index // columns) / max(rows - 1, 1),
            void=section.void,
            flagged=any(flag.outcome != "waived" for flag in section.flags),
        )
        for index, unit in enumerate(shown.units)
        for section in [sections[str(unit)]]
    )
    return Sheet(image, columns, rows, shown.kind, thumbs)


def _small(pictures: Pictures) -> Iterator[UInt8[np.ndarray, "y x 3"]]:
    """The first picture of each unit that shows something, as small as it is shown."""
    height, width = pictures.size
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    for row, captions in enumerate(pictures.captions):
        first = next((tile for tile, text in enumerate(captions) if not text.lower().startswith(NOTHING)), 0)
        tile = pictures.tiles[row, first]
        yield (
            tile if scale == 1 else np.asarray(Image.fromarray(tile).resize(size, Image.Resampling.BOX, reducing_gap=2))
        )
