"""Outline and numbers -> the model at a glance, and a row per layer."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from audit.records import REFUSED, Layer, Outcome, Pictures, Report
from audit.render.charts.correspondence import CORRESPONDENCE
from audit.render.pages.columns import Columns
from audit.render.pages.fooling import ATTACKED
from audit.render.pages.inversion import ANCHOR, KIND, is_inverted
from audit.render.pages.verdicts import ICONS
from audit.render.wording import BY, DASH, link, number, percent, place

NUMBERS = {
    "top1": "top-1 accuracy",
    "top5": "top-5 accuracy",
    "images": "pictures shown",
    "labelled_images": "pictures with a label",
    "parameters": "parameters",
    "non_finite_weights": "weights not finite",
    "claimed_top1": "top-1 accuracy the checkpoint claims, %",
}


@dataclass(frozen=True)
class Fact:
    """A name and a formatted value; `full` where the value is shortened, `href` where it leads somewhere."""

    name: str
    value: str
    full: str = ""
    href: str = ""


@dataclass(frozen=True)
class LayerRow:
    """A layer of the model; `href` leads to its pictures, or else to the table of all units, or is empty."""

    name: str
    kind: str
    shape: str
    field: str
    parameters: str
    units: str
    dead: str
    any_dead: bool
    images: str
    share: float
    outcome: Outcome | None
    icon: str
    anchor: str
    href: str


def numbers(report: Report) -> Iterator[Fact]:
    """The numbers of the model."""
    for name, value in report.numbers.values.items():
        accuracy = re.fullmatch(r"top\d+", name) is not None
        yield Fact(NUMBERS.get(name, name), percent(value) if accuracy else number(value))
    damaged = sum(table.rows for table in report.tables if table.name == "damaged")
    if damaged:
        yield Fact("pictures that could not be shown", number(damaged))


def facts(report: Report, columns: Mapping[str, object]) -> Iterator[Fact]:
    """What the model is, and the digests of what made the report."""
    outline = report.outline
    own = [layer for layer in outline.layers if not re.search(r"#\d+$", layer.name)]
    yield Fact("input", BY.join(map(str, outline.input_shape)))
    yield Fact("layers", f"{len(outline.layers)}, of which {len(columns)} measured")
    yield Fact("parameters of these layers", number(sum(layer.parameters for layer in own)))
    for name, value in report.provenance.items():
        digest = re.search(r"\b[0-9a-f]{32,}\b", value)
        if digest:
            yield Fact(name, f"{digest[0][:12]}…", value)


def layer_row(layer: Layer, report: Report, columns: Columns) -> LayerRow:
    """A layer with its units' `columns`, which may be empty."""
    shares = np.asarray(columns.get("share_of_images", []), dtype=np.float64)
    known = shares[np.isfinite(shares)]
    dead = int((known == 0).sum()) if layer.activation else 0  # below zero is no death where nothing is cut off there
    outcome = outcome_of(report, layer.name)
    return LayerRow(
        name=layer.name,
        kind=layer.kind,
        shape=BY.join(map(str, layer.shape)),
        field=BY.join(map(str, layer.field.size)) if layer.field else "whole input",
        parameters=number(layer.parameters) if layer.parameters else DASH,
        units=number(layer.units),
        dead=_of(f"{dead}", known, shares) if layer.activation else DASH,
        any_dead=dead > 0,
        images=_of(percent(float(known.mean())) if len(known) else "", known, shares),
        share=float(known.mean()) if len(known) else 0.0,
        outcome=outcome,
        icon=ICONS[outcome] if outcome else "",
        anchor=place("row", layer.name),
        href=_href(layer, report, bool(among_units(layer, report)), bool(columns)),
    )


def outcome_of(report: Report, layer: str) -> Outcome | None:
    """The worst of the layer's items; None if it has none."""
    outcomes = {verdict.outcome for verdict in report.verdicts if verdict.item.layer == layer}
    return next((each for each in (*REFUSED, "passed", "waived", "skipped") if each in outcomes), None)


def among_units(layer: Layer, report: Report) -> list[Pictures]:
    """The layer's pictures that are shown with its units; some kinds have a section of their own."""
    elsewhere = (ATTACKED, CORRESPONDENCE, KIND)
    return [made for made in report.pictures if made.layer == layer.name and made.kind not in elsewhere]


def _href(layer: Layer, report: Report, pictured: bool, measured: bool) -> str:
    """To the pictures of its units, else to those of all layers, else to the table of all units."""
    if not pictured and is_inverted(layer, report):
        return link(ANCHOR)
    if pictured:
        return link(place("layer", layer.name))
    return link("tables") if measured else ""


def _of(text: str, known: Float[np.ndarray, " known"], shares: Float[np.ndarray, " unit"]) -> str:
    """`text`, with what it leaves out; a dash if nothing was measured."""
    if not len(known):
        return DASH
    return text if len(known) == len(shares) else f"{text} (of {len(known)} measured)"
