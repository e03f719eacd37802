"""What a check may look at, and the checks' common shape."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

import numpy as np
from jaxtyping import Float

from audit.errors import Unavailable
from audit.records import Judgement, Layer, Outline

Columns = Mapping[str, Float[np.ndarray, " unit"]]


@dataclass(frozen=True)
class Evidence:
    """The records of one layer (`layer` and `columns`), or of the model as a whole (`layer` is None).

    `images` is how many pictures were shown, `numbers` are the model's numbers (accuracy, weights), `layers` the
    columns of every measured layer.
    """

    outline: Outline
    images: int
    layer: Layer | None = None
    columns: Columns = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    layers: Mapping[str, Columns] = field(default_factory=dict)

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


class Check(Protocol):
    """A check is its options, a place where it looks, and a judgement of what it is shown."""

    looks_at: ClassVar[Literal["rectified layers", "first convolution", "model"]]
    needs: ClassVar[tuple[Literal["activations", "accuracy"], ...]]  # of the pass: the layers' statistics, the outputs

    def judge(self, evidence: Evidence) -> Judgement:
        """The judgement; Unavailable if what it needs was not measured."""
