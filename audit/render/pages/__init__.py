"""Report -> all that a template may see: selected, sorted and formatted, never measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audit.records import REFUSED, Outcome, Report
from audit.render.charts import layers as of_layers
from audit.render.charts.drawing import Chart
from audit.render.pages.beside import baseline_section
from audit.render.pages.columns import columns_of
from audit.render.pages.correspondence import Correspondence, correspondence_section
from audit.render.pages.detectors import Detectors, detectors_section
from audit.render.pages.fooling import fooling_section
from audit.render.pages.inversion import Inversions, inversions_of
from audit.render.pages.layers import Fact, LayerRow, facts, layer_row, numbers
from audit.render.pages.paper import Paper, paper_section
from audit.render.pages.pictures import pictures_section
from audit.render.pages.search import searched
from audit.render.pages.sections import Grid, Section
from audit.render.pages.selection import everything, flags_of, on_paper
from audit.render.pages.signing import Signing, signing_of
from audit.render.pages.strip import Strip, strip_of
from audit.render.pages.true_size import TrueSize, figure_of
from audit.render.pages.units import PicturedLayer, pictured
from audit.render.pages.unmeasured import unmeasured
from audit.render.pages.verdicts import ICONS, ORDER, Count, ItemRow, counts, headline, item
from audit.render.pages.weights import weights_section
from audit.render.sprites import Embed
from audit.render.templates import CONTRACT


@dataclass(frozen=True)
class ReportPage:
    """Everything on the page, in the order in which it is read; `contract` is the version of what templates rely on."""

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
    baseline: Section | None
    pictures: Section | None
    fooling: Section | None
    charts: tuple[Chart, ...]
    strip: Strip | None
    layers: tuple[LayerRow, ...]
    paper: Paper | None
    detectors: Detectors | None
    correspondence: Correspondence | None
    inversions: Inversions | None
    true_size: TrueSize | None
    pictured: tuple[PicturedLayer, ...]
    weights: Section | None
    measured: int
    search: Mapping[str, Any]
    unmeasured: Grid | None
    signing: Signing
    provenance: tuple[Fact, ...]
    contract: int = CONTRACT


def build(report: Report, embed: Embed, whole: bool = False, digest: str = "") -> ReportPage:
    """The page of a report; `embed` makes pictures, one per block.

    With `whole`, for paper: one picture per panel, most units on sheets. `digest` is that of
    results.json, for whoever signs the paper.
    """
    ranked = sorted(report.verdicts, key=lambda verdict: ORDER.index(verdict.outcome))
    columns, flags = columns_of(report), flags_of(report)
    selected = on_paper(report, flags) if whole else everything(report)
    known = {(layer, unit) for layer, some in selected.items() for unit in (*some.full, *some.sheet)}
    rows = [item(verdict, known) for verdict in ranked]
    return ReportPage(
        audit=report.audit,
        model=report.model,
        outcome=report.outcome,
        icon=ICONS[report.outcome],
        headline=headline(report),
        counts=tuple(counts(report)),
        attention=tuple(row for row in rows if row.outcome in REFUSED),
        others=tuple(row for row in rows if row.outcome not in REFUSED),
        numbers=tuple(numbers(report)),
        facts=tuple(facts(report, columns)),
        baseline=baseline_section(report),
        pictures=pictures_section(report),
        fooling=fooling_section(report, embed),
        charts=of_layers.draw(report),
        strip=strip_of(report, columns),
        layers=tuple(layer_row(layer, report, columns.get(layer.name, {})) for layer in report.outline.layers),
        paper=paper_section(report),
        detectors=detectors_section(report, columns, embed, known),
        correspondence=correspondence_section(report),
        inversions=inversions_of(report, embed),
        true_size=figure_of(report, known),
        pictured=tuple(pictured(report, columns, selected, flags, embed, whole)),
        weights=weights_section(report),
        measured=sum(len(next(iter(own.values()))) for own in columns.values()),
        search=searched(report, columns, rows, flags),
        unmeasured=unmeasured(report, columns),
        signing=signing_of(report, digest),
        provenance=tuple(Fact(name, value) for name, value in report.provenance.items()),
    )
