"""Columns of units -> the model at one look: a mark per layer for how its units fire, and what was judged of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from audit.records import REFUSED, Layer, Outcome, Report
from audit.render.pages.columns import Columns
from audit.render.pages.layers import among_units, outcome_of
from audit.render.pages.verdicts import ICONS
from audit.render.wording import link, percent, place
from audit.words import plural

RARE = 0.01
"""A unit that fires on this share of the images, or fewer, is rare; on none, dead."""


@dataclass(frozen=True)
class LayerMark:
    """A measured layer: shares of its units that fire on no image, on few, and the mean share of images on which one
    fires; `text` says it all. `changed` is what became of its changes against the baseline, None if nothing was held.
    """

    name: str
    href: str
    dead: float
    rare: float
    fires: float
    outcome: Outcome | None
    icon: str
    changed: Outcome | None
    text: str


@dataclass(frozen=True)
class Strip:
    """The marks in the order of execution; `held` if any layer was held against the baseline."""

    marks: tuple[LayerMark, ...]
    held: bool


def strip_of(report: Report, columns: Mapping[str, Columns]) -> Strip | None:
    """None if no layer was measured."""
    marks = tuple(_marks(report, columns))
    return Strip(marks, any(mark.changed for mark in marks)) if marks else None


def _marks(report: Report, columns: Mapping[str, Columns]) -> Iterator[LayerMark]:
    for layer in report.outline.layers:
        shares = np.asarray(columns.get(layer.name, {}).get("share_of_images", []), np.float64)
        known = shares[np.isfinite(shares)]
        if len(known):
            yield _mark(layer, known, report, bool(among_units(layer, report)))


def _mark(layer: Layer, shares: Float[np.ndarray, " unit"], report: Report, pictured: bool) -> LayerMark:
    rectified = layer.activation is not None  # elsewhere nothing is cut off at zero
    dead, rare = (int(which.sum()) if rectified else 0 for which in (shares == 0, (shares > 0) & (shares <= RARE)))
    outcome = outcome_of(report, layer.name)
    said = [
        f"{layer.name}: {plural(layer.units, 'unit')}, each fires on {percent(float(shares.mean()))} of the images",
        *([f"{dead} dead, {rare} on {percent(RARE)} or fewer"] if rectified else []),
        *([outcome] if outcome else []),
    ]
    return LayerMark(
        name=layer.name,
        href=link(place("layer" if pictured else "row", layer.name)),
        dead=dead / len(shares),
        rare=rare / len(shares),
        fires=float(shares.mean()),
        outcome=outcome,
        icon=ICONS[outcome] if outcome else "",
        changed=_changed(report, layer.name),
        text="; ".join(said),
    )


def _changed(report: Report, layer: str) -> Outcome | None:
    outcomes = {v.outcome for v in report.verdicts if v.item.layer == layer and v.item.task.endswith("-change")}
    return next((each for each in (*REFUSED, "waived", "passed") if each in outcomes), None)
