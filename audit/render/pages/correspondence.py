"""The table "correspondence" -> how well the features of each layer find places again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audit.records import Report
from audit.render.charts.correspondence import CORRESPONDENCE, METHODS, found
from audit.render.pages.sections import Column, Grid, Section, section
from audit.render.rows import rows_of
from audit.render.sprites import Embedded, true_size
from audit.render.wording import DASH, number, percent

IDENTITY = "identity"


EXAMPLES = 2
"""Pictures of each layer that are shown; the sheets beside the report have all."""


@dataclass(frozen=True)
class Example:
    """A picture and its warp side by side with lines between them."""

    layer: str
    caption: str
    image: Embedded


@dataclass(frozen=True)
class Correspondence:
    """The numbers of all layers, what the lines mean, and examples."""

    section: Section
    note: str
    examples: tuple[Example, ...]


def correspondence_section(report: Report) -> Correspondence | None:
    """None if no layer was asked for it."""
    table = report.table(CORRESPONDENCE)
    if table is None:
        return None
    rows = rows_of(table, "layer", "method", "within", "pck", "low", "high", "pictures", "keypoints")
    shown = section(
        CORRESPONDENCE,
        CORRESPONDENCE,
        "Correspondence",
        "Whether a layer knows what is where (Long et al. 2014): places of a picture are looked for in a random warp "
        "of it, by the nearest features. Padding tells a network where it is, so features could match by place alone: "
        "the warps move places, and the answer that nothing moved is shown beside.",
        (found(table),),
        (_grid(rows),),
    )
    made = [pictures for pictures in report.pictures if pictures.kind == CORRESPONDENCE]
    examples = tuple(
        Example(pictures.layer, pictures.captions[0][index], true_size(pictures.tiles[0, index : index + 1]))
        for pictures in made
        for index in range(min(EXAMPLES, pictures.tiles.shape[1]))
    )
    return None if shown is None else Correspondence(shown, made[0].note if made else "", examples)


def _grid(rows: Sequence[dict[str, Any]]) -> Grid | None:
    if not rows:
        return None
    tolerances = list(dict.fromkeys(row["within"] for row in rows if row["within"]))
    share = {(row["layer"], row["method"], row["within"]): row for row in rows}
    layers = {row["layer"]: row for row in rows}
    return Grid(
        "Keypoints that are found",
        "Within shares of the longer side of the input, or the stride of the layer's map; mean over the pictures and "
        "its 95 % interval. Itself: places that find themselves in the same picture, all where no two look alike to "
        "the layer.",
        (
            *(Column(name) for name in ("layer", "by")),
            *(Column(f"within {name}", True) for name in tolerances),
            *(Column(name, True) for name in ("itself", "keypoints")),
        ),
        tuple(
            (
                layer,
                word,
                *(_cell(share.get((layer, method, name))) for name in tolerances),
                _share(share.get((layer, IDENTITY, ""))) if method == "features" else DASH,
                number(row["keypoints"]),
            )
            for layer, row in layers.items()
            for method, word in METHODS.items()
        ),
        folded=len(layers) > 8,
    )


def _share(row: dict[str, Any] | None) -> str:
    return DASH if row is None or np.isnan(row["pck"]) else percent(row["pck"])


def _cell(row: dict[str, Any] | None) -> str:
    """In percent, with its interval."""
    if row is None or np.isnan(row["pck"]):
        return DASH
    interval = "" if np.isnan(row["low"]) else f" ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
    return f"{100 * row['pck']:.1f} %{interval}"
