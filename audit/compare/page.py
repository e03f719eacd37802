"""Comparison -> `comparison.html`: what changed, and pictures of the units that did, side by side."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from audit import __version__
from audit.compare.changes import FATES, Comparison, LayerChange, Pair
from audit.compare.ranking import changed_layers, changed_pairs, fates_of, status_of
from audit.compare.summary import said
from audit.records import Pictures, Report
from audit.render.pages.layers import among_units
from audit.render.pages.panels import KINDS
from audit.render.pages.verdicts import ICONS
from audit.render.sprites import Embed, Embedded, for_screen
from audit.render.templates import fill
from audit.render.wording import DASH, link, number, place
from audit.words import plural

UNITS = 12
"""Units of a layer that are pictured."""

LISTED = 400
"""Units of a layer that are listed."""

TILES = 9
"""Pictures of a unit and kind that are shown."""

CLASSES = {"equal": "passed", "permuted": "passed", "changed": "failed"}
MARKS = {"equal": "=", "permuted": "⇄", "changed": "≠"}


@dataclass(frozen=True)
class View:
    """The pictures of one kind of a unit, in one of the runs; without, why there are none."""

    side: str
    title: str
    image: Embedded | None
    alt: str


@dataclass(frozen=True)
class UnitView:
    """A unit that changed: what became of it, and what it looks like in A and in B."""

    name: str
    fate: str
    means: str
    correlation: str
    views: tuple[tuple[View, View], ...]


@dataclass(frozen=True)
class LayerView:
    """A layer of which something changed."""

    name: str
    anchor: str
    href: str
    status: str
    units: str
    fates: str
    evidence: str
    changed: bool
    pictured: tuple[UnitView, ...]
    listed: tuple[tuple[str, str, str], ...]
    left_out: int


def page(comparison: Comparison, a: Report, b: Report) -> str:
    """One file that opens from disk, loads nothing and runs nothing."""
    layers = changed_layers(comparison)
    pictures = {side: _by_layer(report) for side, report in (("A", a), ("B", b))}
    shown = [(layer, changed_pairs(layer)) for layer in layers]
    count = 4 * TILES * sum(min(UNITS, len(pairs)) for _, pairs in shown)
    embed = for_screen(count)
    return fill(
        "comparison.html",
        comparison=comparison,
        tone=CLASSES[comparison.outcome],
        mark=MARKS[comparison.outcome],
        sides=(("A", comparison.a), ("B", comparison.b)),
        layers=[_layer(layer, pairs, pictures, embed) for layer, pairs in shown],
        untouched=[layer for layer in comparison.layers if layer.untouched],
        icons=ICONS,
        numbers=[(one.name.replace("_", " "), number(one.a), number(one.b)) for one in comparison.numbers],
        fates=[(fate, means) for fate, means in FATES.items() if fate != "same" and comparison.fates[fate]],
        version=__version__,
    )


def _by_layer(report: Report) -> Mapping[str, list[Pictures]]:
    """Those of units; of a layer as a whole there is nothing to lay side by side."""
    found = {layer.name: list(among_units(layer, report)) for layer in report.outline.layers}
    return {name: [record for record in records if not record.names] for name, records in found.items()}


def _layer(
    layer: LayerChange, pairs: list[Pair], pictures: Mapping[str, Mapping[str, list[Pictures]]], embed: Embed
) -> LayerView:
    own = {side: those.get(layer.name, []) for side, those in pictures.items()}
    with_pictures = [pair for pair in pairs if _has_pictures(pair, own)]
    identifier = place("layer", layer.name)
    by = "activations" if layer.evidence == "activations" else f"{layer.evidence}, since {layer.reason}"
    return LayerView(
        name=layer.name,
        anchor=identifier,
        href=link(identifier),
        status=status_of(layer),
        units=str(layer.units[0]) if layer.units[0] == layer.units[1] else f"{layer.units[0]} → {layer.units[1]}",
        fates=fates_of(layer) or DASH,
        evidence=by,
        changed=layer.changed,
        pictured=tuple(_unit(pair, own, embed) for pair in with_pictures[:UNITS]),
        listed=tuple((said(pair), pair.fate, number(_known(pair))) for pair in pairs[:LISTED]),
        left_out=max(0, len(pairs) - LISTED),
    )


def _known(pair: Pair) -> float | None:
    return None if np.isnan(pair.correlation) else pair.correlation


def _has_pictures(pair: Pair, pictures: Mapping[str, list[Pictures]]) -> bool:
    return any(unit in record.units for side, unit in (("A", pair.a), ("B", pair.b)) for record in pictures[side])


def _unit(pair: Pair, pictures: Mapping[str, list[Pictures]], embed: Embed) -> UnitView:
    kinds = list(dict.fromkeys(record.kind for side in "AB" for record in pictures[side]))
    views = [tuple(_views(pair, kind, pictures, embed)) for kind in kinds]
    return UnitView(
        name=str(pair).replace("->", "→"),
        fate=pair.fate,
        means=FATES[pair.fate],
        correlation="" if _known(pair) is None else f"; correlation {number(_known(pair))}",
        views=tuple((a, b) for a, b in views if a.image is not None or b.image is not None),
    )


def _views(pair: Pair, kind: str, pictures: Mapping[str, list[Pictures]], embed: Embed) -> Iterator[View]:
    for side, unit in (("A", pair.a), ("B", pair.b)):
        title, _ = KINDS.get(kind, (kind, ""))
        record = next((one for one in pictures[side] if one.kind == kind and unit in one.units), None)
        if record is None or unit is None:
            yield View(side, title, None, _no_picture(side, unit))
            continue
        tiles = _tiles(record, unit)
        if tiles.min() == tiles.max():
            yield View(side, title, None, f"nothing to show of unit {unit} in {side}")
            continue
        alt = f"{title} of unit {unit} in {side}: {plural(len(tiles), 'picture')}"
        yield View(side, title, embed(tiles, 1), alt)


def _no_picture(side: str, unit: int | None) -> str:
    return f"there is no such unit in {side}" if unit is None else f"unit {unit} was not pictured in {side}"


def _tiles(record: Pictures, unit: int) -> UInt8[np.ndarray, "tile y x 3"]:
    """The first pictures of the unit, of every group as many."""
    groups = max(1, len(record.groups))
    own = record.tiles[record.units.index(unit)]
    each = len(own) // groups
    kept = [own[group * each : group * each + max(1, TILES // groups)] for group in range(groups)]
    return np.concatenate(kept)[:TILES]
