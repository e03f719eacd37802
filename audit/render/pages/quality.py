"""Numbers of optimized images -> a small table per unit, a line per preset, and how much layers vary."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from audit.records import Table
from audit.render.pages.sections import Column, Grid
from audit.render.rows import rows_of
from audit.render.wording import BY, DASH, MINUS, number, percent

Row = Mapping[str, Any]
Place = tuple[str, int]
"""A layer and one of its units."""

WHAT = (
    "Each number is the median over the images of a preset. Reached: the activation, also relative to the strongest "
    "picture of the audit. Rank: 1 where the unit is the strongest of its layer. Slope of the power spectrum: about "
    f"{MINUS}2 for natural pictures, lower for smoother images. Gray: pixels of the mean colour. High: power above "
    "half the highest frequency. Repeats: how alike the image is to itself elsewhere. Diversity: how far apart the "
    "images of the preset are for the layer, and in their pixels; 0 where they are the same. Confidence: the "
    "probability of the class. Recognised: on how many images another model answers with it."
)
BRIEFLY = (
    "Medians over the images of a preset: the activation, in brackets relative to the strongest picture of the audit; "
    "rank, 1 where the unit is the strongest of its layer; slope of the power spectrum, about "
    f"{MINUS}2 for natural pictures; diversity, how far apart the images are for the layer, 0 where they are the same."
)
TIMES = BY.rstrip()
FOLDED = 24
"""More rows of layers are folded away."""


def summaries(tables: Sequence[Table]) -> dict[Place, list[Row]]:
    """The rows of the table "optimized", by layer and unit."""
    found: dict[Place, list[Row]] = {}
    for table in tables:
        if table.name == "optimized":
            for row in rows_of(table, *table.columns):
                found.setdefault((row["layer"], row["unit"]), []).append(row)
    return found


def grid_of(rows: Sequence[Row]) -> Grid | None:
    """A row per preset; a column that says nothing of any of them is left out."""
    if not rows:
        return None
    shown = {head: [cell(row) for row in rows] for head, cell in CELLS.items()}
    known = {head: cells for head, cells in shown.items() if any(text != DASH for text in cells)}
    columns = (Column("preset"), *(Column(head, True) for head in known))
    return Grid(
        "Numbers of the optimized images",
        "",
        columns,
        tuple((row["preset"], *cells) for row, *cells in zip(rows, *known.values(), strict=True)),
    )


def line_of(row: Row) -> str:
    """What is known of a preset's images in one line, for paper: what they reach, rank, slope, diversity, ..."""
    times = _of_strongest(row)
    parts = {
        "": _short(row["activation"]) + (f" ({times})" if times != DASH else ""),
        "rank ": _short(_known(row, "rank")),
        "slope ": _decimals(_known(row, "slope"), 1),
        "diversity ": _decimals(_known(row, "diversity")),
        "confidence ": _share("confidence")(row),
        "recognised ": _recognised(row),
    }
    return " · ".join(head + text for head, text in parts.items() if text != DASH)


def variation(tables: Sequence[Table]) -> Grid | None:
    """How much the images of each layer vary: preset by preset, by depth."""
    found = next((table for table in tables if table.name == "variation"), None)
    rows = rows_of(found, "layer", "preset", "units", "pixels", "low", "high", "codes")
    if not rows:
        return None
    presets = list(dict.fromkeys(row["preset"] for row in rows))
    return Grid(
        "Variation by depth",
        "How far apart the images of a unit are that one preset makes from several starts, mean over the pictured "
        "units of a layer: 1 minus the cosine of their pixels, with a 95 % interval over the units, and of the layer's "
        "own activations. 0: every start ends in the same image.",
        (
            *(Column(name) for name in ("preset", "layer")),
            *(Column(name, True) for name in ("units", "of pixels", "interval", "of activations")),
        ),
        tuple(
            (
                row["preset"],
                row["layer"],
                number(row["units"]),
                _decimals(row["pixels"]),
                DASH if math.isnan(row["low"]) else f"{_decimals(row['low'])} to {_decimals(row['high'])}",
                _decimals(row["codes"]),
            )
            for row in sorted(rows, key=lambda row: presets.index(row["preset"]))
        ),
        folded=len(rows) > FOLDED,
    )


def _known(row: Row, name: str) -> float:
    return float(row.get(name, math.nan))


def _decimals(value: float, digits: int = 2) -> str:
    return DASH if math.isnan(value) else f"{value:.{digits}f}".replace("-", MINUS)


def _short(value: float) -> str:
    """Three digits."""
    return DASH if math.isnan(value) else number(float(f"{value:.3g}"))


def _of_strongest(row: Row) -> str:
    value = _known(row, "of_strongest")
    return DASH if math.isnan(value) else f"{number(float(f'{value:.2g}'))}{TIMES}"


def _slope(row: Row) -> str:
    own, natural = _decimals(_known(row, "slope"), 1), _decimals(_known(row, "natural_slope"), 1)
    return own if DASH in (own, natural) else f"{own} (pictures {natural})"


def _diversity(row: Row) -> str:
    codes, pixels = (_decimals(_known(row, name)) for name in ("diversity", "pixel_diversity"))
    return codes if pixels == DASH else f"{codes}, pixels {pixels}"


def _share(name: str) -> Callable[[Row], str]:
    return lambda row: DASH if math.isnan(value := _known(row, name)) else percent(value)


def _recognised(row: Row) -> str:
    value = _known(row, "recognised")
    return DASH if math.isnan(value) else f"{value:.0f} of {row['images']}"


CELLS: dict[str, Callable[[Row], str]] = {
    "reached": lambda row: _short(_known(row, "activation")),
    "of strongest picture": _of_strongest,
    "rank": lambda row: _short(_known(row, "rank")),
    "slope": _slope,
    "gray": _share("sparsity"),
    "high": _share("high_frequency"),
    "repeats": lambda row: _decimals(_known(row, "repetition")),
    "diversity": _diversity,
    "confidence": _share("confidence"),
    "recognised": _recognised,
}
"""Columns of the table, with what stands there: a dash where nothing is known."""
