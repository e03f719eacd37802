"""Report -> which pictured units paper shows in full, which on sheets, and what findings say of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from audit.records import REFUSED, Layer, Outcome, Pictures, Report
from audit.render.pages.layers import among_units
from audit.render.pages.strips import room
from audit.render.pages.verdicts import ICONS
from audit.render.wording import anchor, link, place

FEW, IN_FULL = 24, 8
"""Of a layer with no more pictured units than the first number, so many are in full; of others flagged ones alone."""

FLAGGED = 24
"""Flagged units of a layer that are in full; more of them begin the sheets."""

CLASSES = 12
"""Classes that are in full; of more of them only flagged ones."""

Place = tuple[str, int]
"""A layer and one of its units."""


@dataclass(frozen=True)
class Flag:
    """What an item that is refused or waived says of a unit; `href` leads to the item, `on_paper` does so on paper."""

    outcome: Outcome
    icon: str
    task: str
    message: str
    href: str
    on_paper: str


@dataclass(frozen=True)
class Selection:
    """Units of a layer: in full, on sheets, and how many are on neither."""

    full: tuple[int, ...]
    sheet: tuple[int, ...] = ()
    left_out: int = 0


def flags_of(report: Report) -> dict[Place, tuple[Flag, ...]]:
    """By layer and unit; what is said of an activation function is said of the units that it belongs to."""
    found: dict[Place, tuple[Flag, ...]] = {}
    for unit, flag in _flags(report):
        found[unit] = (*found.get(unit, ()), flag)
    for layer in report.outline.layers:
        if layer.activation not in (None, layer.name):
            of_activation = {unit: flags for (name, unit), flags in found.items() if name == layer.activation}
            for number, flags in of_activation.items():
                found[layer.name, number] = (*found.get((layer.name, number), ()), *flags)
    return found


def everything(report: Report) -> dict[str, Selection]:
    """All pictured units in full, by layer."""
    return {layer.name: Selection(units_of(among_units(layer, report))) for layer in report.outline.layers}


def on_paper(report: Report, flags: Mapping[Place, object]) -> dict[str, Selection]:
    """Flagged units in full, and some or all others of a small layer; the rest on sheets, as long as there is room."""
    return {layer.name: _selected(layer, report, flags) for layer in report.outline.layers}


def units_of(pictures: Sequence[Pictures]) -> tuple[int, ...]:
    """The pictured units, ascending."""
    return tuple(sorted({unit for record in pictures if not record.names for unit in record.units}))


def _selected(layer: Layer, report: Report, flags: Mapping[Place, object]) -> Selection:
    pictures = among_units(layer, report)
    units = units_of(pictures)
    flagged = [unit for unit in units if (layer.name, unit) in flags][:FLAGGED]
    others = [unit for unit in units if unit not in flagged]
    if report.outline.has_classes(layer):
        most = CLASSES if len(units) <= CLASSES else 0
    else:
        most = IN_FULL if len(units) <= FEW else 0
    full = tuple(sorted({*flagged, *others[: max(0, most - len(flagged))]}))
    rest = [unit for unit in units if unit not in full]
    rest.sort(key=lambda unit: (layer.name, unit) not in flags)
    shown = tuple(rest[: room(pictures)])
    return Selection(full, shown, len(rest) - len(shown))


def _flags(report: Report) -> Iterator[tuple[Place, Flag]]:
    for verdict in report.verdicts:
        if verdict.outcome not in (*REFUSED, "waived"):
            continue
        item, icon = verdict.item, ICONS[verdict.outcome]
        for finding in verdict.findings:
            if finding.layer is not None and finding.unit is not None:
                places = link(anchor(item.id)), link(place("item", item.id))
                flag = Flag(verdict.outcome, icon, item.task, finding.message, *places)
                yield (finding.layer, finding.unit), flag
