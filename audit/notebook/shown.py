"""A run, a layer, a unit -> HTML in a notebook's output: a page of the report's own parts, alone in a frame.

An iframe with `srcdoc` is shown by JupyterLab, VS Code and nbconvert alike; a shadow root would need a script of the
notebook's. The frame keeps the page's style to itself, and lets nothing in it run, load or reach the notebook.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import unescape
from typing import Any
from urllib.parse import unquote

import numpy as np
from jaxtyping import UInt8

from audit.notebook.frames import label_of
from audit.records import REFUSED, Layer, Outcome, Pictures, Report
from audit.render.charts.drawing import Chart, Drawing
from audit.render.charts.units import histograms
from audit.render.pages.columns import Columns
from audit.render.pages.layers import among_units, layer_row
from audit.render.pages.panels import Panels
from audit.render.pages.selection import everything, flags_of
from audit.render.pages.strip import Strip, strip_of
from audit.render.pages.units import PicturedLayer, UnitSection, describe, pictured, unit_section
from audit.render.pages.verdicts import ICONS, Count, ItemRow, counts, headline, item
from audit.render.sprites import SCREEN_SIDES, Embedded, Inline
from audit.render.templates import fill
from audit.render.wording import link, place

HIGHEST = 760
"""Of a frame in pixels. Nothing in it may tell how high it is, so that is guessed; it scrolls, and can be dragged."""

MOST = 12
"""Items that are shown in full."""


@dataclass(frozen=True)
class Glance:
    """What a run shows of itself; `left_out` items need attention, too."""

    audit: str
    model: str
    outcome: Outcome
    icon: str
    headline: str
    counts: tuple[Count, ...]
    attention: tuple[ItemRow, ...]
    left_out: int
    strip: Strip | None


@dataclass(frozen=True)
class AtAGlance(Inline):
    """Makes the montage of a layer's units, but no picture of a unit alone."""

    def block(self, pictures: Pictures, row: int, group: int) -> Embedded:
        return Embedded("", 1, 1, sharp=True)


def of_run(report: Report, columns: Mapping[str, Columns]) -> str:
    """The verdict, the items that refuse the checkpoint, and all layers in a strip."""
    refused = sorted((v for v in report.verdicts if v.outcome in REFUSED), key=lambda v: REFUSED.index(v.outcome))
    glance = Glance(
        audit=report.audit,
        model=report.model,
        outcome=report.outcome,
        icon=ICONS[report.outcome],
        headline=headline(report),
        counts=tuple(counts(report)),
        attention=tuple(item(verdict, set()) for verdict in refused[:MOST]),
        left_out=max(0, len(refused) - MOST),
        strip=strip_of(report, columns),
    )
    height = 250 + 220 * bool(glance.strip) + 170 * len(glance.attention)
    return _framed("run", f"{report.model}: {report.outcome}", height, page=glance)


def of_layer(report: Report, layer: Layer, columns: Columns) -> str:
    """Its facts, its pictured units at a glance, and how its units compare."""
    shown = _pictured(report, layer, columns, AtAGlance(SCREEN_SIDES[0])) or _unpictured(layer, columns)
    charts = [_still(chart) for chart in (shown.histograms, shown.distribution) if chart]
    height = 130 + 115 * -(-len(shown.sheet.thumbs if shown.sheet else ()) // 12) + 330 * bool(charts)
    row = layer_row(layer, report, columns)
    return _framed("layer", layer.name, height, layer=shown, row=row, charts=charts)


def of_unit(report: Report, layer: Layer, columns: Columns, unit: int) -> str:
    """Its numbers, what the checkpoint is refused for, and its pictures."""
    shown = _pictured(_of_unit(report, layer, unit), layer, columns, Inline(SCREEN_SIDES[0]))
    whole = shown or _unpictured(layer, columns)
    section = shown.units[0] if shown else _unmade(report, layer, columns, unit)
    section = replace(section, invariance=section.invariance and _still(section.invariance))
    height = HIGHEST if section.panels else 120 + 12 * len(section.facts)
    return _framed("unit", f"{layer.name}, {section.title}", height, layer=whole, unit=section)


def _pictured(report: Report, layer: Layer, columns: Columns, embed: Inline) -> PicturedLayer | None:
    """The layer as the report shows it; None if it has no picture."""
    own = replace(report, pictures=tuple(record for record in report.pictures if record.layer == layer.name))
    return next(pictured(own, {layer.name: columns}, everything(own), flags_of(own), embed, whole=False), None)


def _of_unit(report: Report, layer: Layer, unit: int) -> Report:
    """The same report with the pictures of that unit alone, and without what is drawn of all units."""
    made = [record for record in among_units(layer, report) if not record.names and unit in record.units]
    rows = tuple(_row(record, record.units.index(unit)) for record in made)
    return replace(report, pictures=rows, histograms=())


def _row(record: Pictures, row: int) -> Pictures:
    one = slice(row, row + 1)
    tiles: UInt8[np.ndarray, "1 tile y x 3"] = record.tiles[one]
    numbers = {name: column[one] for name, column in record.numbers.items()}
    return replace(record, units=record.units[one], tiles=tiles, captions=record.captions[one], numbers=numbers)


def _unpictured(layer: Layer, columns: Columns) -> PicturedLayer:
    anchor, chart = place("layer", layer.name), histograms(layer.name, columns, "histograms")
    return PicturedLayer(
        anchor=anchor,
        href=link(anchor),
        name=layer.name,
        text=describe(layer),
        sheet=None,
        histograms=chart,
        methods=(),
        distribution=None,
        mosaic=None,
        units=(),
    )


def _unmade(report: Report, layer: Layer, columns: Columns, unit: int) -> UnitSection:
    panels = Panels(layer.name, (), {}, {unit: ()}, Inline(SCREEN_SIDES[0]), whole=False)
    found = flags_of(report).get((layer.name, unit), ())
    return unit_section(layer, unit, label_of(report, layer.name), columns, panels, (), found)


def _still(chart: Chart) -> Chart:
    """The same without what a script would make of it."""
    return replace(chart, drawing=Drawing(chart.svg))


def _framed(part: str, title: str, height: int, **filled: Any) -> str:
    page = fill("notebook.html", part=part, title=title, at=str, **filled)
    return fill("frame.html", page=_within(page), title=title, height=min(height, HIGHEST))


def _within(page: str) -> str:
    """The same page, whose links lead to its own parts; those to parts of the report that are not here are none.

    In a frame with `srcdoc` the address "#part" would be one of the notebook's own page.
    """
    here = {unescape(identifier) for identifier in re.findall(r' id="([^"]*)"', page)}

    def led(found: re.Match[str]) -> str:
        return f' href="about:srcdoc#{found[1]}"' if unquote(unescape(found[1])) in here else ""

    return re.sub(r' href="#([^"]*)"', led, page)
