"""Pictures of units -> sections of a page, with their captions and numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from audit.analyses.summaries import INVARIANCE
from audit.records import Layer, Pictures, Report
from audit.render.charts.distributions import ridges
from audit.render.charts.drawing import Chart
from audit.render.charts.invariance import invariance
from audit.render.charts.units import histograms
from audit.render.pages.classes import class_facts
from audit.render.pages.columns import COLUMNS, Columns, cell
from audit.render.pages.layers import Fact, among_units
from audit.render.pages.mosaic import Mosaic, mosaic_of
from audit.render.pages.panels import KINDS, OF_LAYERS, Panel, Panels
from audit.render.pages.quality import BRIEFLY, WHAT, grid_of, summaries
from audit.render.pages.sections import Grid
from audit.render.pages.selection import Flag, Place, Selection
from audit.render.pages.sheet import Sheet, sheet_of
from audit.render.pages.strips import Strips, strips_of
from audit.render.sprites import Embed, Print
from audit.render.wording import BY, link, place

NEAREST = "nearest"
"""The column that names another unit of the layer."""

NOTHING_WRONG = ("non_finite", 0)
"""What a unit need not say of itself."""


@dataclass(frozen=True)
class UnitSection:
    """A pictured unit, or a direction under its name; `numbers` are those of its optimized images.

    `invariance` are the curves of its transformed pictures, `flags` what refused or waived items say of it.
    """

    anchor: str
    href: str
    title: str
    chip: str
    label: str
    facts: tuple[Fact, ...]
    panels: tuple[Panel, ...]
    numbers: Grid | None
    invariance: Chart | None
    void: bool
    is_class: bool = False
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True)
class Method:
    """What a kind of pictures is, and how it was made here."""

    title: str
    what: str
    how: str


@dataclass(frozen=True)
class PicturedLayer:
    """A layer with its units at a glance and one by one, on paper most on sheets, and the mosaic of its codes."""

    anchor: str
    href: str
    name: str
    text: str
    sheet: Sheet | None
    histograms: Chart | None
    methods: tuple[Method, ...]
    distribution: Chart | None
    mosaic: Mosaic | None
    units: tuple[UnitSection, ...]
    sheets: Strips | None = None


def pictured(  # noqa: PLR0917  # what a layer's section is made of
    report: Report,
    columns: Mapping[str, Columns],
    selected: Mapping[str, Selection],
    flags: Mapping[Place, tuple[Flag, ...]],
    embed: Embed,
    whole: bool,
) -> Iterator[PicturedLayer]:
    """The layers with pictures, in the order of execution, with the units that were `selected`."""
    rank = {kind: index for index, kind in enumerate(KINDS)}
    measured, of_class = summaries(report.tables), class_facts(report)
    for layer in report.outline.layers:
        mine = {pictures.kind: pictures for pictures in among_units(layer, report)}
        if not mine:
            continue
        own, units = columns.get(layer.name, {}), selected[layer.name].full
        failed = {v.item.task: v for v in report.verdicts if v.item.layer == layer.name and v.outcome != "passed"}
        asked = {*mine, *(task for task in failed if task in KINDS)}
        kinds = sorted(asked, key=lambda kind: (rank.get(kind, len(rank)), kind))
        is_class = report.outline.has_classes(layer)
        labels = report.labels if is_class and len(report.labels) == layer.units else ()
        rows = {unit: measured.get((layer.name, unit), []) for unit in units}
        of_units = [(kind, mine.get(kind)) for kind in kinds if kind not in OF_LAYERS]
        panels = Panels(layer.name, of_units, failed, rows, embed, whole)
        shown = panels.every(units)
        flagged = {unit: of_unit for (name, unit), of_unit in flags.items() if name == layer.name}
        sections = (
            *(
                _class_page(section, of_class.get(unit, ())) if is_class else section
                for unit in units
                for section in [unit_section(layer, unit, labels, own, panels, shown[unit], flagged.get(unit, ()))]
            ),
            *_directions(layer, mine.get("directions"), panels),
        )
        index = report.outline.layers.index(layer)
        methods = [Method(*KINDS.get(kind, (kind, "")), mine[kind].note) for kind in kinds if kind in mine]
        yield PicturedLayer(
            anchor=place("layer", layer.name),
            href=link(place("layer", layer.name)),
            name=layer.name,
            text=describe(layer),
            sheet=None if whole else sheet_of(layer, mine, {unit.chip: unit for unit in sections}, embed),
            histograms=None if whole else histograms(layer.name, own, f"histograms-{index}"),
            methods=(
                *methods,
                *(
                    [Method("Numbers of optimized images", BRIEFLY if whole else WHAT, "")]
                    if any(rows.values())
                    else []
                ),
            ),
            distribution=_distribution(report, layer, units),
            mosaic=mosaic_of(mine["tsne"], report.tables, embed, *KINDS["tsne"]) if "tsne" in mine else None,
            units=sections,
            sheets=_sheets([*mine.values()], selected[layer.name], labels, own, [*flagged], embed),
        )


def _sheets(  # noqa: PLR0917  # what they are made of
    pictures: Sequence[Pictures],
    selected: Selection,
    labels: Sequence[str],
    columns: Columns,
    flagged: Sequence[int],
    embed: Embed,
) -> Strips | None:
    if not isinstance(embed, Print):
        return None
    titles = {kind: title for kind, (title, _) in KINDS.items()}
    return strips_of(pictures, selected.sheet, selected.left_out, titles, labels, columns, flagged, embed)


def _distribution(report: Report, layer: Layer, units: Sequence[int]) -> Chart | None:
    """Of the layer, or else of its activation function, whose units are the same."""
    found = {histogram.layer: histogram for histogram in report.histograms}
    histogram = found.get(layer.name) or found.get(layer.activation or "")
    index = report.outline.layers.index(layer)
    return ridges(histogram, units, f"distribution-{index}") if histogram else None


def describe(layer: Layer) -> str:
    """Kind, shape, and what a unit sees."""
    field = layer.field and BY.join(map(str, layer.field.size))
    sees = f"each position sees {field} pixels" if field else "each unit sees the whole input"
    return f"{layer.kind}, {BY.join(map(str, layer.shape))}, {sees}"


def unit_section(  # noqa: PLR0917  # what a unit's section is made of
    layer: Layer,
    unit: int,
    labels: Sequence[str],
    columns: Columns,
    panels: Panels,
    shown: tuple[Panel, ...],
    flags: tuple[Flag, ...],
) -> UnitSection:
    """A unit with its numbers, and with the panels that there are of it."""
    return UnitSection(
        anchor=place("unit", layer.name, unit),
        href=link(place("unit", layer.name, unit)),
        title=f"unit {unit}",
        chip=str(unit),
        label=labels[unit] if labels else "",
        facts=tuple(
            _fact(layer, name, float(column[unit]), panels)
            for name, column in columns.items()
            if unit < len(column) and (name, column[unit]) != NOTHING_WRONG
        ),
        panels=shown,
        numbers=grid_of(panels.rows[unit]),
        invariance=invariance(dict(panels.kinds).get(INVARIANCE), unit),
        void=all(panel.status or all(block.image is None for block in panel.blocks) for panel in shown),
        flags=flags,
    )


def _fact(layer: Layer, column: str, value: float, panels: Panels) -> Fact:
    pictured = column == NEAREST and value in panels.rows
    href = link(place("unit", layer.name, int(value))) if pictured else ""
    return Fact(COLUMNS.get(column, column), cell(column, value), href=href)


def _class_page(section: UnitSection, facts: Sequence[Fact]) -> UnitSection:
    """What became of the class's pictures comes before what its unit did on all pictures."""
    return replace(section, facts=(*facts, *section.facts), is_class=True)


def _directions(layer: Layer, pictures: Pictures | None, panels: Panels) -> Iterator[UnitSection]:
    """A section per direction, after the units."""
    for row, name in enumerate(pictures.names if pictures else ()):
        panel = panels.panel("directions", pictures, row, f"{name} of {layer.name}")
        anchor, href = place("direction", layer.name, row), link(place("direction", layer.name, row))
        yield UnitSection(anchor, href, name, name, "", (), (panel,), None, None, bool(panel.status))
