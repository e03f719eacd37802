"""A layer and a unit of a stored run: what was measured and found, and their pictures as arrays."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from audit.errors import NotInReportError
from audit.notebook import frames
from audit.notebook.shown import of_layer, of_unit
from audit.notebook.wanted import missing
from audit.records import Layer, Pictures, Report, Tiles
from audit.render.pages.columns import COLUMNS, Columns, cell
from audit.render.pages.selection import flags_of
from audit.render.pages.units import describe
from audit.render.plain import in_a_line
from audit.words import listed, plural

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False, eq=False)
class LayerView:
    """A layer of a run, by its units: `run["conv1"][17]`; shows its pictured units at a glance.

    `columns` are the numbers of its units by name; none where it was not measured.
    """

    report: Report
    layer: Layer
    columns: Columns

    def __getitem__(self, unit: int) -> "UnitView":
        """The unit of that number. NotInReportError, a KeyError, if the layer does not have it."""
        if unit not in self:
            raise missing("unit", unit, [f"0 to {len(self) - 1}"], self.name)
        return UnitView(self, int(unit))

    unit = __getitem__

    def get(self, unit: int, default: "UnitView | None" = None) -> "UnitView | None":
        """The unit of that number, or `default`."""
        try:
            return self[unit]
        except NotInReportError:
            return default

    def __contains__(self, unit: object) -> bool:
        return isinstance(unit, int | np.integer) and not isinstance(unit, bool) and int(unit) in range(len(self))

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return self.layer.units

    @property
    def name(self) -> str:
        """As in the model."""
        return self.layer.name

    @cached_property
    def made(self) -> Mapping[str, Pictures]:
        """The records of its pictures, by kind."""
        return {record.kind: record for record in self.report.pictures if record.layer == self.name}

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of pictures that were made of it."""
        return tuple(self.made)

    @property
    def pictured(self) -> tuple[int, ...]:
        """Units of which there are pictures."""
        return tuple(sorted({unit for record in self.made.values() if not record.names for unit in record.units}))

    def tiles(self, kind: str) -> Tiles:
        """All pictures of that kind, uint8[row, tile, y, x, 3]; their files are read where they are indexed."""
        return self._record(kind).tiles

    def captions(self, kind: str) -> tuple[tuple[str, ...], ...]:
        """Their captions, by row and tile."""
        return self._record(kind).captions

    @property
    def units(self) -> "pd.DataFrame":
        """A row per unit, by its number."""
        columns = {self.name: self.columns} if self.columns else {}
        return frames.units(self.report, columns).droplevel("layer")

    @property
    def pictures(self) -> "pd.DataFrame":
        """A row per picture, by kind, unit, group and tile."""
        return frames.pictures(replace(self.report, pictures=tuple(self.made.values()))).droplevel("layer")

    @property
    def items(self) -> "pd.DataFrame":
        """Its checks and analyses, by id."""
        return frames.items([verdict for verdict in self.report.verdicts if verdict.item.layer == self.name])

    @property
    def findings(self) -> "pd.DataFrame":
        """What any item found here."""
        found = frames.findings(self.report.verdicts)
        return found[found["layer"] == self.name].reset_index(drop=True)

    def __repr__(self) -> str:
        numbers = plural(len(self.columns), "number") if self.columns else "no number"
        of = f"pictures of {plural(len(self.pictured), 'unit')}: {listed(self.kinds)}" if self.kinds else "no picture"
        return f"{in_a_line(f'{self.name}: {describe(self.layer)}')}\n{in_a_line(f'{numbers} per unit, {of}')}"

    def _repr_html_(self) -> str:
        return of_layer(self.report, self.layer, self.columns)

    def _ipython_key_completions_(self) -> list[int]:
        return list(self)

    def _record(self, kind: str) -> Pictures:
        if kind not in self.made:
            raise missing("kind of pictures", kind, self.kinds, self.name)
        return self.made[kind]


@dataclass(frozen=True, repr=False, eq=False)
class UnitView:
    """A unit of a layer; shows its numbers, what was found, and its pictures, as in the report."""

    of: LayerView
    number: int

    @property
    def label(self) -> str | None:
        """The class that it stands for, if it does."""
        labels = frames.label_of(self.of.report, self.of.name)
        return labels[self.number] if labels else None

    @property
    def numbers(self) -> "pd.Series[float]":
        """What was measured of it, by name."""
        known = {name: float(column[self.number]) for name, column in self.of.columns.items()}
        return frames.series(known, f"{self.of.name}, unit {self.number}", "float64")

    @property
    def findings(self) -> "pd.DataFrame":
        """What any item found of it."""
        found = self.of.findings
        return found[found["unit"] == self.number].reset_index(drop=True)

    @property
    def pictures(self) -> "pd.DataFrame":
        """A row per picture of it, by kind, group and tile."""
        made = self.of.pictures
        return made[(made.index.get_level_values("unit") == self.number) & made["name"].isna()].droplevel("unit")

    @property
    def strongest(self) -> "pd.DataFrame":
        """The pictures on which it is strongest, by rank."""
        found = frames.strongest(self.of.report, "strongest")
        layer, unit = (found.index.get_level_values(name) for name in ("layer", "unit"))
        return found[(layer == self.of.name) & (unit == self.number)].droplevel(["layer", "unit"])

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of pictures that were made of it."""
        made = self.of.made
        return tuple(kind for kind in made if not made[kind].names and self.number in made[kind].units)

    def tiles(self, kind: str) -> UInt8[np.ndarray, "tile y x 3"]:
        """Its pictures of that kind. NotInReportError, a KeyError, if none were made."""
        record, row = self._row(kind)
        return record.tiles[row]

    def captions(self, kind: str) -> tuple[str, ...]:
        """Their captions."""
        record, row = self._row(kind)
        return record.captions[row]

    def __repr__(self) -> str:
        named = f' "{self.label}"' if self.label else ""
        columns = self.of.columns.items()
        known = [f"{COLUMNS.get(name, name)} {cell(name, float(column[self.number]))}" for name, column in columns]
        found = flags_of(self.of.report).get((self.of.name, self.number), ())
        lines = [
            f"{self.of.name}, unit {self.number}{named}",
            *(f"{flag.outcome}: {flag.task}: {flag.message}" for flag in found),
            listed(known, 8) or "not measured",
            f"pictures: {listed(self.kinds)}" if self.kinds else "no picture",
        ]
        return "\n".join(in_a_line(line) for line in lines)

    def _repr_html_(self) -> str:
        return of_unit(self.of.report, self.of.layer, self.of.columns, self.number)

    def _row(self, kind: str) -> tuple[Pictures, int]:
        if kind not in self.kinds:
            raise missing("kind of pictures", kind, self.kinds, f"{self.of.name}, unit {self.number}")
        record = self.of.made[kind]
        return record, record.units.index(self.number)
