"""What a check may look at, and the checks' common shape."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict

from audit.errors import Unavailable
from audit.records import Judgement, Layer, Outline, Table

Columns = Mapping[str, Float[np.ndarray, " unit"]]

Place = Literal["model", "first convolution", "rectified layers", "activation layers"]
"""Where a check looks: once at the whole model, or at each layer of a kind that `[[layers]]` chose."""

Need = Literal[
    "activations",
    "distributions",
    "correlations",
    "predictions",
    "attributes",
    "parameters",
    "normalisations",
    "preprocessing",
    "noise",
    "flicker",
    "adversarial",
]
"""What is measured only where some check or analysis needs it."""


@dataclass(frozen=True)
class Evidence:
    """The records of one layer (`layer` and `columns`), or of the model as a whole (`layer` is None).

    `images` is how many pictures were shown, `numbers` are the model's numbers (accuracy, weights), `layers` the
    columns of every measured layer, `tables` what is no number per unit, `labels` the names of the outputs, and
    `folder` where relative paths of a check's options start.
    """

    outline: Outline
    images: int
    layer: Layer | None = None
    columns: Columns = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    layers: Mapping[str, Columns] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    folder: Path = Path()

    def column(self, name: str) -> Float[np.ndarray, " unit"]:
        """A column of the layer; Unavailable if it was not measured."""
        if name not in self.columns:
            raise Unavailable(f'"{name}" was not measured')
        return self.columns[name]

    def number(self, name: str) -> float:
        """A number of the model; Unavailable if it was not measured."""
        if name not in self.numbers:
            raise Unavailable(f'"{name}" was not measured')
        return self.numbers[name]

    def table(self, name: str) -> Table:
        """A table of the model; Unavailable if it was not made."""
        if name not in self.tables:
            raise Unavailable(f'the table "{name}" was not made')
        return self.tables[name]

    @property
    def place(self) -> str | None:
        """The layer's name, for findings."""
        return self.layer.name if self.layer else None


class Check(BaseModel, ABC):
    """A check is its options, a place where it looks, what it needs, and a judgement of what it is shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    looks_at: ClassVar[Place]
    needs: ClassVar[tuple[str, ...]]  # each a `Need`, or a statistic that a plugin brings
    measured_in: ClassVar[str | None] = None  # the unit of its number, where that is known before it judges
    by_default: ClassVar[bool] = True  # whether an audit.toml without [[checks]] asks for it

    def problems(self, folder: Path) -> Iterator[tuple[str, str]]:
        """(option, what is wrong with it) for options that lead nowhere, such as files; `folder` is audit.toml's."""
        yield from ()

    @abstractmethod
    def judge(self, evidence: Evidence) -> Judgement:
        """The judgement; Unavailable if what it needs was not measured, NotApplicable if there is nothing to judge."""
