"""Report -> all that a template may see: selected, sorted and formatted, never measured."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
from jaxtyping import Float

from audit.records import Finding, Layer, Outcome, Pictures, Report, Verdict
from audit.render.charts import Chart, draw
from audit.render.sprites import Embed, Embedded
from audit.store.sprites import grid

DASH, MINUS, BY = "\N{EN DASH}", "\N{MINUS SIGN}", " \N{MULTIPLICATION SIGN} "

ICONS: dict[Outcome, str] = {"passed": "✓", "failed": "✗", "error": "!", "skipped": DASH}
ORDER: tuple[Outcome, ...] = ("error", "failed", "skipped", "passed")
FINDINGS = 12
"""Findings of an item that are shown at once; the others unfold."""

ROWS = 12_000
"""Rows of unit tables on a page; more are in units.parquet."""

COLUMNS = {
    "mean": "mean",
    "std": "std",
    "min": "min",
    "max": "max",
    "share_of_images": "fires on images",
    "share_of_positions": "fires at positions",
    "non_finite": "not finite",
    "frequency": "frequency (cycles/px)",
    "orientation": "orientation (°)",
    "colourfulness": "colourfulness",
    "is_colour": "colour filter",
    "smoothness": "smoothness",
    "smoother_than_null": "smoother than null",
    "mean_activated": "mean after ReLU",
}
"""Columns in the order in which they are shown, with their headings; others follow under their own names."""

SHARES = {"share_of_images", "share_of_positions", "smoother_than_null", "colourfulness"}
FLAGS = {"is_colour"}

NUMBERS = {
    "top1": "top-1 accuracy",
    "top5": "top-5 accuracy",
    "images": "pictures shown",
    "labelled_images": "pictures with a label",
    "non_finite_weights": "weights not finite",
}

KINDS = {
    "optimized": (
        "Optimized images",
        "Made by the network alone: noise that was changed until the unit fired strongly.",
    ),
    "max-patches": ("Strongest patches", "What the unit saw in the pictures on which it fired most, strongest first."),
    "deconv": ("Deconvnet", "Which pixels of those patches the unit answered to, traced back by a deconvnet."),
    "filters": ("Filters", "The unit's own weights: what it looks for in what lies below it; gray is zero."),
}
"""Kinds of pictures in the order in which they are shown: title and what they are."""

NOTHING = "nothing to show"
"""A caption that begins so stands for a picture that could not be made; the text says why."""


@dataclass(frozen=True)
class Fact:
    """A name and a formatted value; `full` where the value is shortened."""

    name: str
    value: str
    full: str = ""


@dataclass(frozen=True)
class Count:
    """How many items had an outcome."""

    outcome: Outcome
    icon: str
    number: int


@dataclass(frozen=True)
class FindingRow:
    """A finding; `href` leads to the unit if it is pictured."""

    text: str
    href: str


@dataclass(frozen=True)
class ItemRow:
    """An item with its verdict; `measured` and `limit` are empty where there is no number."""

    id: str
    anchor: str
    href: str
    outcome: Outcome
    icon: str
    task: str
    layer: str
    message: str
    measured: str
    limit: str
    findings: tuple[FindingRow, ...]
    more: tuple[FindingRow, ...]


@dataclass(frozen=True)
class LayerRow:
    """A layer of the model; `href` leads to its pictures, or else to its table, or is empty."""

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
    href: str


@dataclass(frozen=True)
class Tile:
    """One picture of a block: its caption, and whether there is nothing to see."""

    caption: str
    void: bool


@dataclass(frozen=True)
class Block:
    """A group of tiles as one picture (None: nothing to show, `status` says why)."""

    name: str
    image: Embedded | None
    columns: int
    tiles: tuple[Tile, ...]
    status: str
    short: str
    alt: str


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
    """A pictured unit."""

    anchor: str
    href: str
    unit: int
    label: str
    facts: tuple[Fact, ...]
    panels: tuple[Panel, ...]
    void: bool


@dataclass(frozen=True)
class Method:
    """What a kind of pictures is, and how it was made here."""

    title: str
    what: str
    how: str


@dataclass(frozen=True)
class PicturedLayer:
    """A layer with its pictured units."""

    anchor: str
    href: str
    name: str
    text: str
    methods: tuple[Method, ...]
    units: tuple[UnitSection, ...]


@dataclass(frozen=True)
class UnitTable:
    """All units of a layer; `left_out` rows did not fit on the page."""

    anchor: str
    layer: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    left_out: int


@dataclass(frozen=True)
class ReportPage:
    """Everything on the page, in the order in which it is read."""

    audit: str
    model: str
    outcome: Outcome
    icon: str
    headline: str
    counts: tuple[Count, ...]
    attention: tuple[ItemRow, ...]
    others: tuple[ItemRow, ...]
    numbers: tuple[Fact, ...]
    facts: tuple[Fact, ...]
    charts: tuple[Chart, ...]
    layers: tuple[LayerRow, ...]
    pictured: tuple[PicturedLayer, ...]
    tables: tuple[UnitTable, ...]
    provenance: tuple[Fact, ...]


def build(report: Report, embed: Embed, whole: bool = False) -> ReportPage:
    """The page of a report; `embed` makes pictures, one per block, or with `whole` one per panel (for paper)."""
    ranked = sorted(report.verdicts, key=lambda verdict: ORDER.index(verdict.outcome))
    columns = _columns(report)
    pictured = {(pictures.layer, unit) for pictures in report.pictures for unit in pictures.units}
    rows = [_item(verdict, pictured) for verdict in ranked]
    return ReportPage(
        audit=report.audit,
        model=report.model,
        outcome=report.outcome,
        icon=ICONS[report.outcome],
        headline=headline(report),
        counts=tuple(_counts(report)),
        attention=tuple(row for row in rows if row.outcome in ("error", "failed")),
        others=tuple(row for row in rows if row.outcome not in ("error", "failed")),
        numbers=tuple(_numbers(report)),
        facts=tuple(_facts(report, columns)),
        charts=draw(report),
        layers=tuple(_layer(layer, report, columns.get(layer.name, {})) for layer in report.outline.layers),
        pictured=tuple(_pictured(report, columns, embed, whole)),
        tables=tuple(_tables(report, columns)),
        provenance=tuple(Fact(name, value) for name, value in report.provenance.items()),
    )


def headline(report: Report) -> str:
    """The verdict in one sentence."""
    count = Counter(verdict.outcome for verdict in report.verdicts)
    if not count["passed"] + count["failed"] + count["error"]:
        return "Nothing was evaluated, so nothing passed."
    if report.outcome == "passed":
        skipped = (
            f"; {count['skipped']} {'was' if count['skipped'] == 1 else 'were'} skipped" if count["skipped"] else ""
        )
        good = f"All {count['passed']} evaluated items are" if count["passed"] > 1 else "The one evaluated item is"
        return f"{good} good{skipped}."
    parts = [
        f"{_plural(count['failed'], 'item')} failed" if count["failed"] else "",
        f"{_plural(count['error'], 'item')} could not be evaluated" if count["error"] else "",
    ]
    return f"{' and '.join(part for part in parts if part)}, of {len(report.verdicts)}."


def anchor(item_id: str) -> str:
    """The identifier of an item on the page: its id, with `~20` and the like for spaces and control characters."""
    return "".join(_hex(c) if c == "~" or c.isspace() or not c.isprintable() else c for c in item_id)


def place(word: str, *names: object) -> str:
    """The identifier of a part of the page that is no item: it never holds `::`, which every item's does.

    Letters, digits, `.`, `_`, `-`, and `~` with the code of every other character: links need no quoting, which
    WeasyPrint undoes in some places and not in others.
    """
    return "/".join([word, *(re.sub(r"[^A-Za-z0-9._-]", lambda found: _hex(found[0]), str(name)) for name in names)])


def link(identifier: str) -> str:
    """A link to an identifier of the same page."""
    return "#" + quote(identifier, safe="/:.~-_", errors="replace")


def number(value: float | None) -> str:
    """A number with four digits, or what stands in its place: a dash for nothing measured, `not a number`."""
    if value is None:
        return DASH
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    size = abs(value)
    if (value == round(value) and size < 1e12) or 1000 <= size < 1e12:
        text = f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    elif 1e-3 <= size < 1e12:
        text = f"{value:.4g}"
    else:
        text = re.sub(r"e([+-])0*", lambda found: "e" + found[1].strip("+"), f"{value:.3g}")
    return text.replace("-", MINUS)


def percent(share: float) -> str:
    """A share as percent; never 0 % or 100 % because of rounding."""
    if math.isnan(share):
        return "not a number"
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{share * 100:.3g} %" if math.isfinite(share) else number(share)


def _hex(character: str) -> str:
    return "".join(f"~{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _with_unit(value: float | None, unit: str) -> str:
    return f"{number(value)} {unit.strip()}" if unit.strip() and value is not None else number(value)


def _counts(report: Report) -> Iterator[Count]:
    count = Counter(verdict.outcome for verdict in report.verdicts)
    for outcome in ("failed", "error", "passed", "skipped"):
        yield Count(outcome, ICONS[outcome], count[outcome])


def _item(verdict: Verdict, pictured: set[tuple[str, int]]) -> ItemRow:
    findings = tuple(_finding(finding, pictured) for finding in verdict.findings)
    identifier = anchor(verdict.item.id)
    numbers = verdict.measured is not None
    return ItemRow(
        id=verdict.item.id,
        anchor=identifier,
        href=link(identifier),
        outcome=verdict.outcome,
        icon=ICONS[verdict.outcome],
        task=verdict.item.task,
        layer=verdict.item.layer or "",
        message=verdict.message,
        measured=_with_unit(verdict.measured, verdict.unit) if numbers else "",
        limit=f"{verdict.good or 'limit'} {_with_unit(verdict.limit, verdict.unit)}"
        if verdict.limit is not None
        else "",
        findings=findings[:FINDINGS],
        more=findings[FINDINGS:],
    )


def _finding(finding: Finding, pictured: set[tuple[str, int]]) -> FindingRow:
    known = finding.layer is not None and finding.unit is not None and (finding.layer, finding.unit) in pictured
    return FindingRow(str(finding), link(place("unit", finding.layer, finding.unit)) if known else "")


def _numbers(report: Report) -> Iterator[Fact]:
    for name, value in report.numbers.values.items():
        accuracy = re.fullmatch(r"top\d+", name) is not None
        yield Fact(NUMBERS.get(name, name), percent(value) if accuracy else number(value))


def _facts(report: Report, columns: Mapping[str, object]) -> Iterator[Fact]:
    outline = report.outline
    own = [layer for layer in outline.layers if not re.search(r"#\d+$", layer.name)]
    yield Fact("input", BY.join(map(str, outline.input_shape)))
    yield Fact("layers", f"{len(outline.layers)}, of which {len(columns)} measured")
    yield Fact("parameters of these layers", number(sum(layer.parameters for layer in own)))
    for name, value in report.provenance.items():
        digest = re.search(r"\b[0-9a-f]{32,}\b", value)
        if digest:
            yield Fact(name, f"{digest[0][:12]}…", value)


def _layer(layer: Layer, report: Report, columns: Mapping[str, Float[np.ndarray, " unit"]]) -> LayerRow:
    shares = np.asarray(columns.get("share_of_images", []), dtype=np.float64)
    known = shares[np.isfinite(shares)]
    dead = int((known == 0).sum()) if layer.activation else 0  # below zero is no death where nothing is cut off there
    outcomes = {verdict.outcome for verdict in report.verdicts if verdict.item.layer == layer.name}
    outcome = next((each for each in ("error", "failed", "passed", "skipped") if each in outcomes), None)
    there = any(pictures.layer == layer.name for pictures in report.pictures)
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
        href=link(place("layer" if there else "table", layer.name)) if there or columns else "",
    )


def _of(text: str, known: Float[np.ndarray, " known"], shares: Float[np.ndarray, " unit"]) -> str:
    """`text`, with what it leaves out; a dash if nothing was measured."""
    if not len(known):
        return DASH
    return text if len(known) == len(shares) else f"{text} (of {len(known)} measured)"


def _columns(report: Report) -> dict[str, dict[str, Float[np.ndarray, " unit"]]]:
    """layer -> name -> column of everything measured there, known columns first."""
    found: dict[str, dict[str, Float[np.ndarray, " unit"]]] = {}
    for scalars in report.scalars:
        found.setdefault(scalars.layer, {}).update(scalars.columns)
    rank = {name: index for index, name in enumerate(COLUMNS)}
    return {
        layer: dict(sorted(columns.items(), key=lambda pair: rank.get(pair[0], len(rank))))
        for layer, columns in found.items()
        if columns
    }


def _cell(name: str, value: float) -> str:
    if name in FLAGS:
        return number(value) if math.isnan(value) else ("yes" if value else "no")
    return percent(value) if name in SHARES else number(value)


def _tables(report: Report, columns: Mapping[str, Mapping[str, Float[np.ndarray, " unit"]]]) -> Iterator[UnitTable]:
    room = ROWS
    for layer in report.outline.layers:
        if layer.name not in columns:
            continue
        names, table = tuple(columns[layer.name]), list(columns[layer.name].values())
        units = len(table[0])
        shown = min(units, room)
        room -= shown
        yield UnitTable(
            place("table", layer.name),
            layer.name,
            tuple(COLUMNS.get(name, name) for name in names),
            tuple(
                (unit, tuple(_cell(name, float(column[unit])) for name, column in zip(names, table, strict=True)))
                for unit in range(shown)
            ),
            units - shown,
        )


def _pictured(
    report: Report, columns: Mapping[str, Mapping[str, Float[np.ndarray, " unit"]]], embed: Embed, whole: bool
) -> Iterator[PicturedLayer]:
    rank = {kind: index for index, kind in enumerate(KINDS)}
    kinds = sorted({pictures.kind for pictures in report.pictures}, key=lambda kind: (rank.get(kind, len(rank)), kind))
    for layer in report.outline.layers:
        mine = {pictures.kind: pictures for pictures in report.pictures if pictures.layer == layer.name}
        units = sorted({unit for pictures in mine.values() for unit in pictures.units})
        if not units:
            continue
        failed = {v.item.task: v for v in report.verdicts if v.item.layer == layer.name and v.outcome != "passed"}
        labels = report.labels if layer == report.outline.layers[-1] and len(report.labels) == layer.units else ()
        panels = _Panels(layer.name, [(kind, mine.get(kind)) for kind in kinds], failed, embed, whole)
        yield PicturedLayer(
            anchor=place("layer", layer.name),
            href=link(place("layer", layer.name)),
            name=layer.name,
            text=_describe(layer),
            methods=tuple(Method(*KINDS.get(kind, (kind, "")), mine[kind].note) for kind in kinds if kind in mine),
            units=tuple(_unit(layer, unit, labels, columns.get(layer.name, {}), panels) for unit in units),
        )


def _describe(layer: Layer) -> str:
    field = layer.field and BY.join(map(str, layer.field.size))
    sees = f"each position sees {field} pixels" if field else "each unit sees the whole input"
    return f"{layer.kind}, {BY.join(map(str, layer.shape))}, {sees}"


def _unit(
    layer: Layer,
    unit: int,
    labels: Sequence[str],
    columns: Mapping[str, Float[np.ndarray, " unit"]],
    panels: "_Panels",
) -> UnitSection:
    shown = panels.of(unit)
    return UnitSection(
        anchor=place("unit", layer.name, unit),
        href=link(place("unit", layer.name, unit)),
        unit=unit,
        label=labels[unit] if labels else "",
        facts=tuple(
            Fact(COLUMNS.get(name, name), _cell(name, float(column[unit])))
            for name, column in columns.items()
            if unit < len(column)
        ),
        panels=shown,
        void=all(panel.status or all(block.image is None for block in panel.blocks) for panel in shown),
    )


@dataclass(frozen=True)
class _Panels:
    """What the units of a layer are pictured by: the records by kind, and why a kind is missing."""

    layer: str
    kinds: Sequence[tuple[str, Pictures | None]]
    failed: Mapping[str, Verdict]
    embed: Embed
    whole: bool

    def of(self, unit: int) -> tuple[Panel, ...]:
        return tuple(self._panel(kind, pictures, unit) for kind, pictures in self.kinds)

    def _panel(self, kind: str, pictures: Pictures | None, unit: int) -> Panel:
        title = KINDS.get(kind, (kind, ""))[0]
        identifier = place("pictures", self.layer, unit, kind)
        if pictures is None or unit not in pictures.units or not pictures.tiles.size:
            why = self.failed[kind].message if kind in self.failed else "not made for this unit"
            return Panel(identifier, title, kind, (), 1, 0, 0, None, f"{NOTHING}: {why}")
        row = pictures.units.index(unit)
        tiles, captions, names = pictures.tiles[row], pictures.captions[row], pictures.groups or (kind,)
        size = len(tiles) // len(names)
        blocks = tuple(
            self._block(
                name if len(names) > 1 else "",
                f"{title} of unit {unit} of {self.layer}{f', {name}' if len(names) > 1 else ''}",
                tiles[index * size : (index + 1) * size],
                captions[index * size : (index + 1) * size],
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
            tile=tiles.shape[2],
            width=columns * grid(size)[1],
            whole=self.embed(tiles, len(names)) if self.whole and not empty else None,
            status=blocks[0].status if empty and len({block.status for block in blocks}) == 1 else "",
        )

    def _block(self, name: str, alt: str, tiles: np.ndarray, captions: Sequence[str]) -> Block:
        marked = tuple(Tile(caption, caption.lower().startswith(NOTHING)) for caption in captions)
        status = captions[0] if all(tile.void for tile in marked) else ""
        image = None if status or self.whole else self.embed(tiles, 1)
        first = next((tile.caption for tile in marked if not tile.void), "")
        return Block(name, image, grid(len(tiles))[1], marked, status, first, f"{alt}; first: {first}")
