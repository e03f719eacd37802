"""The folder of a report -> a run that can be looked into: what was judged, its layers, every number as a DataFrame."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audit.errors import NotInReportError
from audit.notebook import frames
from audit.notebook.shown import MOST, of_run
from audit.notebook.tables import Tables
from audit.notebook.views import LayerView
from audit.notebook.wanted import missing
from audit.records import REFUSED, Report
from audit.render.pages.columns import Columns, columns_of
from audit.render.pages.verdicts import ICONS, headline
from audit.render.plain import in_a_line
from audit.store import read
from audit.words import listed

if TYPE_CHECKING:
    import pandas as pd


def open_run(folder: str | Path) -> "Run":
    """The run stored in `folder` (reports/demo/latest). StoreError if there is none, or if a file of it was changed."""
    place = Path(folder).resolve()  # `latest` may be another run tomorrow
    report = read(place)
    return Run(place, report, columns_of(report))


@dataclass(frozen=True, repr=False, eq=False)
class Run:
    """A stored run, by the names of its layers: `run["conv1"]`; shows its verdict and what needs attention.

    `report` holds the records that all DataFrames are made of, `columns` the numbers of units by layer and name.
    """

    folder: Path
    report: Report
    columns: Mapping[str, Columns]

    def __getitem__(self, layer: str) -> LayerView:
        """The layer of that name. NotInReportError, a KeyError, if there is none."""
        try:
            return LayerView(self.report, self.report.outline.layer(layer), self.columns.get(layer, {}))
        except KeyError:
            raise missing("layer", layer, list(self), self.report.model) from None

    def get(self, layer: str, default: LayerView | None = None) -> LayerView | None:
        """The layer of that name, or `default`."""
        try:
            return self[layer]
        except NotInReportError:
            return default

    def __contains__(self, layer: object) -> bool:
        return layer in list(self)

    def __iter__(self) -> Iterator[str]:
        return (layer.name for layer in self.report.outline.layers)

    def __len__(self) -> int:
        return len(self.report.outline.layers)

    @property
    def outcome(self) -> str:
        """The worst outcome of all items."""
        return self.report.outcome

    @property
    def items(self) -> "pd.DataFrame":
        """A row per check and analysis, by id."""
        return frames.items(self.report.verdicts)

    @property
    def findings(self) -> "pd.DataFrame":
        """A row per finding of any item."""
        return frames.findings(self.report.verdicts)

    @property
    def layers(self) -> "pd.DataFrame":
        """A row per layer of the model, by name, in the order of execution."""
        return frames.layers(self.report, self.columns)

    @property
    def units(self) -> "pd.DataFrame":
        """A row per measured unit, by layer and unit; NaN where a layer does not have a number."""
        return frames.units(self.report, self.columns)

    @property
    def pictures(self) -> "pd.DataFrame":
        """A row per picture, by layer, kind, unit, group and tile: its caption and numbers."""
        return frames.pictures(self.report)

    @property
    def strongest(self) -> "pd.DataFrame":
        """The pictures on which each unit is strongest, by layer, unit and rank, which begins with 1."""
        return frames.strongest(self.report, "strongest")

    @property
    def weakest(self) -> "pd.DataFrame":
        """The same of the smallest values, of layers of which they were measured."""
        return frames.strongest(self.report, "weakest")

    @property
    def histograms(self) -> "pd.DataFrame":
        """How often each unit had values from `low` to `high`, by layer, unit and bin."""
        return frames.histograms(self.report)

    @property
    def claims(self) -> "pd.DataFrame":
        """A row per claim of a paper, and what was found here."""
        return frames.claims(self.report.claims)

    @property
    def tables(self) -> Tables:
        """The other tables, DataFrames by their names."""
        return Tables({table.name: table for table in self.report.tables})

    @property
    def numbers(self) -> "pd.Series[float]":
        """Numbers of the whole model."""
        return frames.series(self.report.numbers.values, "number", "float64")

    @property
    def labels(self) -> "pd.Series[str]":
        """The names of the classes, by the output that stands for them."""
        return frames.labels(self.report.labels)

    @property
    def provenance(self) -> "pd.Series[str]":
        """What made the run: digests, seed, device, versions."""
        return frames.series(self.report.provenance, "provenance", "str")

    def __repr__(self) -> str:
        report = self.report
        refused = [verdict for verdict in report.verdicts if verdict.outcome in REFUSED]
        lines = [
            in_a_line(f"{report.model}: {report.outcome}. {headline(report)}"),
            *(f"  {ICONS[each.outcome]} {in_a_line(f'{each.item.name}: {each.message}')}" for each in refused[:MOST]),
            *([f"  and {len(refused) - MOST} more in run.items"] if len(refused) > MOST else []),
            in_a_line(f"layers: {listed(list(self))}"),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return of_run(self.report, self.columns)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)
