"""Pictures of units -> sections of a page, with their captions and numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from audit.analyses.summaries import INVARIANCE
from audit.records import Layer, Pictures, Report, Verdict
from audit.render.charts.distributions import ridges
from audit.render.charts.drawing import Chart
from audit.render.charts.invariance import invariance
from audit.render.pages.classes import class_facts
from audit.render.pages.columns import COLUMNS, Columns, cell
from audit.render.pages.layers import Fact, among_units
from audit.render.pages.mosaic import Mosaic, mosaic_of
from audit.render.pages.quality import BRIEFLY, WHAT, Row, grid_of, line_of, summaries
from audit.render.pages.sections import NOTHING, Grid, Tile
from audit.render.pages.selection import Flag, Place, Selection
from audit.render.pages.strips import Strips, strips_of
from audit.render.sprites import Embed, Embedded, Print
from audit.render.wording import BY, link, place
from audit.store.sprites import grid

KINDS = {
    "tsne": ("t-SNE of the codes", "Pictures that the layer answers alike lie side by side, each at its own place."),
    "optimized": (
        "Optimized images",
        "Made by the network alone: noise that was changed until the unit fired strongly.",
    ),
    "directions": (
        "Directions",
        "The same for weighted sums of units: directions of the layer's space, the whole layer, sums over layers.",
    ),
    "max-patches": ("Strongest patches", "What the unit saw in the pictures on which it fired most, strongest first."),
    "max-images": ("Strongest pictures", "The whole pictures, with what the unit sees in a box and its map over them."),
    "deconv": ("Deconvnet", "Which pixels of those patches the unit answered to, traced back by a deconvnet."),
    "guided": ("Guided backpropagation", "The same, through rectifiers that were on only."),
    "gradient": ("Data gradient", "How the unit's activation would change with each pixel of those patches."),
    "occlusion": ("Occlusion", "Where the unit falls (red) or rises (blue) when that part of the picture is covered."),
    "invariance": (
        "Invariance",
        "The strongest picture scaled, turned, moved, in other light and with noise: what is left of the activation.",
    ),
    "filters": ("Filters", "The unit's own weights: what it looks for in what lies below it; gray is zero."),
}
"""Kinds of pictures in the order in which they are shown: title and what they are."""

OF_LAYERS = ("directions", "tsne")
"""Kinds of which the pictures are of no units."""


@dataclass(frozen=True)
class Block:
    """A group of tiles as one picture (None: nothing to show, `status` says why); `numbers` in a line, if any."""

    name: str
    image: Embedded | None
    columns: int
    tiles: tuple[Tile, ...]
    status: str
    short: str
    alt: str
    numbers: str


@dataclass(frozen=True)
class Panel:
    """The pictures of one kind of one unit, in `columns` of blocks; on paper `whole` is all of them as one picture."""

    anchor: str
    title: str
    kind: str
    blocks: tuple[Block, ...]
    columns: int
    tile: int
    width: int
    whole: Embedded | None
    status: str


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
    """A layer with its pictured units, and the mosaic of its codes; on paper most units are on sheets."""

    anchor: str
    href: str
    name: str
    text: str
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
        panels = _Panels(layer.name, of_units, failed, rows, embed, whole)
        shown = panels.every(units)
        flagged = {unit: of_unit for (name, unit), of_unit in flags.items() if name == layer.name}
        methods = [Method(*KINDS.get(kind, (kind, "")), mine[kind].note) for kind in kinds if kind in mine]
        yield PicturedLayer(
            anchor=place("layer", layer.name),
            href=link(place("layer", layer.name)),
            name=layer.name,
            text=_describe(layer),
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
            units=(
                *(
                    _class_page(section, of_class.get(unit, ())) if is_class else section
                    for unit in units
                    for section in [_unit(layer, unit, labels, own, panels, shown[unit], flagged.get(unit, ()))]
                ),
                *_directions(layer, mine.get("directions"), panels),
            ),
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


def _describe(layer: Layer) -> str:
    field = layer.field and BY.join(map(str, layer.field.size))
    sees = f"each position sees {field} pixels" if field else "each unit sees the whole input"
    return f"{layer.kind}, {BY.join(map(str, layer.shape))}, {sees}"


def _unit(  # noqa: PLR0917  # what a unit's section is made of
    layer: Layer,
    unit: int,
    labels: Sequence[str],
    columns: Columns,
    panels: "_Panels",
    shown: tuple[Panel, ...],
    flags: tuple[Flag, ...],
) -> UnitSection:
    return UnitSection(
        anchor=place("unit", layer.name, unit),
        href=link(place("unit", layer.name, unit)),
        title=f"unit {unit}",
        chip=str(unit),
        label=labels[unit] if labels else "",
        facts=tuple(
            Fact(COLUMNS.get(name, name), cell(name, float(column[unit])))
            for name, column in columns.items()
            if unit < len(column)
        ),
        panels=shown,
        numbers=grid_of(panels.rows[unit]),
        invariance=invariance(dict(panels.kinds).get(INVARIANCE), unit),
        void=all(panel.status or all(block.image is None for block in panel.blocks) for panel in shown),
        flags=flags,
    )


def _class_page(section: UnitSection, facts: Sequence[Fact]) -> UnitSection:
    """What became of the class's pictures comes before what its unit did on all pictures."""
    return replace(section, facts=(*facts, *section.facts), is_class=True)


def _directions(layer: Layer, pictures: Pictures | None, panels: "_Panels") -> Iterator[UnitSection]:
    """A section per direction, after the units."""
    for row, name in enumerate(pictures.names if pictures else ()):
        panel = panels.panel("directions", pictures, row, f"{name} of {layer.name}")
        anchor, href = place("direction", layer.name, row), link(place("direction", layer.name, row))
        yield UnitSection(anchor, href, name, name, "", (), (panel,), None, None, bool(panel.status))


@dataclass(frozen=True)
class _Panels:
    """What the units of a layer are pictured by: the records by kind, why a kind is missing, numbers by unit."""

    layer: str
    kinds: Sequence[tuple[str, Pictures | None]]
    failed: Mapping[str, Verdict]
    rows: Mapping[int, Sequence[Row]]
    embed: Embed
    whole: bool

    def every(self, units: Sequence[int]) -> dict[int, tuple[Panel, ...]]:
        """Kind by kind: units of a kind lie on the same sheets, which are then read once."""
        of_kinds = [
            [self.panel(kind, pictures, unit, f"unit {unit} of {self.layer}") for unit in units]
            for kind, pictures in self.kinds
        ]
        return {unit: tuple(panels[index] for panels in of_kinds) for index, unit in enumerate(units)}

    def panel(self, kind: str, pictures: Pictures | None, unit: int, of: str) -> Panel:
        title = KINDS.get(kind, (kind, ""))[0]
        identifier = place("pictures", self.layer, unit, kind)
        if pictures is None or unit not in pictures.units or 0 in pictures.tiles.shape:
            why = self.failed[kind].message if kind in self.failed else "not made for this unit"
            return Panel(identifier, title, kind, (), 1, 0, 0, None, f"{NOTHING}: {why}")
        row = pictures.units.index(unit)
        captions, names = pictures.captions[row], pictures.groups or (kind,)
        size = len(captions) // len(names)
        lines = {row["preset"]: line_of(row) for row in self.rows[unit]} if pictures.numbers else {}
        blocks = tuple(
            self._block(
                name if len(names) > 1 else "",
                f"{title} of {of}{f', {name}' if len(names) > 1 else ''}",
                pictures,
                (row, index),
                captions[index * size : (index + 1) * size],
                lines.get(name, ""),
            )
            for index, name in enumerate(names)
        )
        columns = grid(len(names))[1]
        empty = all(block.status for block in blocks)
        return Panel(
            anchor=identifier,
            title=title,
            kind=kind,
            blocks=blocks,
            columns=columns,
            tile=pictures.size[1],
            width=columns * grid(size)[1],
            whole=self.embed(pictures.tiles[row], len(names)) if self.whole and not empty else None,
            status=blocks[0].status if empty and len({block.status for block in blocks}) == 1 else "",
        )

    def _block(  # noqa: PLR0917  # a block is its parts
        self,
        name: str,
        alt: str,
        pictures: Pictures,
        place: tuple[int, int],
        captions: Sequence[str],
        numbers: str,
    ) -> Block:
        marked = tuple(Tile(caption, caption.lower().startswith(NOTHING)) for caption in captions)
        status = captions[0] if all(tile.void for tile in marked) else ""
        image = None if status or self.whole else self.embed.block(pictures, *place)
        first = next((tile.caption for tile in marked if not tile.void), "")
        return Block(name, image, grid(len(captions))[1], marked, status, first, f"{alt}; first: {first}", numbers)
