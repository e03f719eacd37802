"""Tables of a run -> a mapping of names to DataFrames, each made when it is asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.notebook import frames
from audit.notebook.wanted import missing
from audit.records import Table
from audit.words import plural

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Tables(Mapping[str, "pd.DataFrame"]):
    """DataFrames by the names of tables, with the columns that were stored."""

    stored: Mapping[str, Table]

    def __getitem__(self, name: str) -> "pd.DataFrame":
        """The table of that name. NotInReportError, a KeyError, if it was not made."""
        if name not in self.stored:
            raise missing("table", name, list(self.stored), "this run")
        return frames.table(self.stored[name])

    def __contains__(self, name: object) -> bool:
        return name in self.stored

    def __iter__(self) -> Iterator[str]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {plural(table.rows, 'row')}" for name, table in self.stored.items()) or "no tables"

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.stored)
