"""What a baseline holds: per model the digests of what was measured, and the number of every check."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
FEWEST = 3
"""Repeated runs below which their spread says nothing."""


@dataclass(frozen=True)
class Noise:
    """What `runs` repeated runs with other seeds measured: their mean and standard deviation (of n - 1)."""

    __pydantic_config__ = STRICT

    runs: Annotated[int, Field(ge=FEWEST)]
    mean: float
    deviation: Annotated[float, Field(ge=0)]


@dataclass(frozen=True)
class Entry:
    """The number of an item, in `unit`, and which check measured it; `options` are those that are no limits."""

    __pydantic_config__ = STRICT

    check: str
    measured: float
    unit: str
    good: Literal["at most", "at least"]
    options: Mapping[str, Any] = field(default_factory=dict)
    noise: Noise | None = None

    @property
    def value(self) -> float:
        """What a new number is held against: the mean of the repeated runs where there are some."""
        return self.measured if self.noise is None else self.noise.mean


@dataclass(frozen=True)
class Accepted:
    """A model as it was when somebody accepted it.

    `run` is when its run started, then the digests of weights, configuration, code and pictures (None: it was shown
    none). `items` are by LAYER::TASK or TASK, `pictures` the SHA-256 of their sheets by LAYER::KIND.
    """

    __pydantic_config__ = STRICT

    run: str
    weights: str
    configuration: str
    code: str
    data: str | None = None
    items: Mapping[str, Entry] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    pictures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """The models that were accepted, by name."""

    __pydantic_config__ = STRICT

    models: Mapping[str, Accepted] = field(default_factory=dict)
