"""The words that all parts share: what a model is made of, what was measured, what was judged. No torch here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

Outcome = Literal["passed", "failed", "error", "skipped", "waived", "waiver-expired", "waiver-unused"]

REFUSED: tuple[Outcome, ...] = ("error", "failed", "waiver-expired", "waiver-unused")
"""Outcomes that refuse a checkpoint, the worst first."""


NONLINEAR = {
    *("relu", "relu6", "leakyrelu", "prelu", "rrelu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish"),
    *("sigmoid", "hardsigmoid", "tanh", "hardtanh", "softplus", "logsigmoid", "quickgelu"),
}
"""Activation functions by the names of their modules and functions, in lower case and without underscores."""


@dataclass(frozen=True)
class Field:
    """Receptive field of a layer: position p of an axis sees `size` input pixels from start + p * stride on.

    Each pair is (y, x), in pixels of the model's input; `start` is negative where padding is seen.
    """

    start: tuple[int, int]
    stride: tuple[int, int]
    size: tuple[int, int]

    def box(self, y: int, x: int) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) of what position (y, x) sees, end exclusive, not clipped to the input."""
        top, left = self.start[0] + y * self.stride[0], self.start[1] + x * self.stride[1]
        return top, left, top + self.size[0], left + self.size[1]


@dataclass(frozen=True)
class Layer:
    """One place of the network whose output can be looked at.

    `name` is the module's path; a functional activation is SCOPE.relu, later calls of the same name end in #2, #3.
    `shape` is (unit, y, x), of tokens (unit, token, 1), of a vector (unit,), whatever the raw output's axes are.
    `kind` is the module's class ("Conv2d") or the function's name ("relu").
    `rectifier`: the output is never negative because a ReLU made it. `activation`: the layer that rectifies this
    layer's output (itself if it is a rectifier), or None. `field` is None where every unit sees the whole input.
    `layout` names the axes of the raw output ("image position unit"); None: image, unit, then positions.
    `same_as`: the earlier layer whose output this one hands on unchanged, as a block does that ends in a ReLU.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    rectifier: bool
    activation: str | None
    field: Field | None
    layout: str | None = None
    same_as: str | None = None

    @property
    def units(self) -> int:
        """Number of channels of a map, or of entries of a vector."""
        return self.shape[0]

    @property
    def function(self) -> str:
        """The kind as one word for the module and the function: "leakyrelu" for LeakyReLU and leaky_relu."""
        return self.kind.lower().replace("_", "")

    @property
    def nonlinear(self) -> bool:
        """Whether an activation function made the output, a ReLU or another."""
        return self.rectifier or self.function in NONLINEAR

    @property
    def map_size(self) -> tuple[int, int]:
        """(y, x) positions of a unit; (1, 1) for a vector."""
        return (self.shape[1], self.shape[2]) if len(self.shape) == 3 else (1, 1)

    @property
    def centre(self) -> tuple[int, int]:
        """The position that stands for the unit: ((y - 1) // 2, (x - 1) // 2)."""
        return (self.map_size[0] - 1) // 2, (self.map_size[1] - 1) // 2


@dataclass(frozen=True)
class Outline:
    """A model as data: its input (channels, y, x) and its layers in the order of execution; the last is the output."""

    input_shape: tuple[int, int, int]
    layers: tuple[Layer, ...]

    def layer(self, name: str) -> Layer:
        """The layer of that name; KeyError if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def is_output(self, layer: Layer) -> bool:
        """Whether the layer's units are the classes that the network answers with."""
        last = self.layers[-1]
        return layer.name in (last.name, last.same_as) and last.map_size == (1, 1)

    def has_classes(self, layer: Layer) -> bool:
        """Whether the layer's units are the classes, one by one, maybe on a map: behind it nothing has weights."""
        later = [other for other in self.layers[self.layers.index(layer) + 1 :] if other.same_as is None]
        return all(other.units == layer.units and not other.parameters for other in later)

    @property
    def first_convolution(self) -> Layer | None:
        """The first convolution that is executed."""
        return next((layer for layer in self.layers if layer.kind == "Conv2d"), None)


@dataclass(frozen=True)
class Scalars:
    """Named columns with one number per unit of a layer: {"mean": float64[unit], ...}."""

    layer: str
    columns: Mapping[str, Float[np.ndarray, " unit"]]


@dataclass(frozen=True)
class TopK:
    """The images on which each unit of a layer is strongest, strongest first, at most one position per image.

    Where `end` is "weakest": the images with the smallest minimum, smallest first. `image` is -1 where there were fewer
    images than asked for, and everywhere for a unit that says the same of all images (a dead one): it has no strongest.
    """

    layer: str
    value: Float[np.ndarray, "unit k"]
    image: Int[np.ndarray, "unit k"]
    y: Int[np.ndarray, "unit k"]
    x: Int[np.ndarray, "unit k"]
    end: Literal["strongest", "weakest"] = "strongest"


@dataclass(frozen=True)
class Responses:
    """How strongly each unit of a layer answers to some pictures: its strongest activation anywhere in each.

    `images` are the pictures' indices, ascending.
    """

    layer: str
    images: Int[np.ndarray, " image"]
    value: Float[np.ndarray, "unit image"]


@dataclass(frozen=True)
class Numbers:
    """Named numbers of the whole model: {"top1": 0.81, "images": 2000.0}."""

    values: Mapping[str, float]


@dataclass(frozen=True)
class Histogram:
    """How often each unit of a layer had values from `edges[unit, i]` to `edges[unit, i + 1]`; finite values only."""

    layer: str
    edges: Float[np.ndarray, "unit edge"]
    counts: Int[np.ndarray, "unit bin"]


@dataclass(frozen=True)
class Table:
    """Named columns over rows of one thing, pictures or trials or parameters; numbers or text, all equally long."""

    name: str
    columns: Mapping[str, Shaped[np.ndarray, " row"]]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values()), ()))


def joined(tables: Sequence[Table]) -> list[Table]:
    """The rows of the tables of one name, one after another; in the order of their first names."""
    parts: dict[str, list[Table]] = {}
    for table in tables:
        parts.setdefault(table.name, []).append(table)
    return [
        Table(name, {column: np.concatenate([part.columns[column] for part in those]) for column in those[0].columns})
        for name, those in parts.items()
    ]


@dataclass(frozen=True)
class Claim:
    """What a paper says of networks, held against this one.

    `measured` is a `statistic` ("rank correlation") over `count` things, `low` and `high` its 95 % confidence interval.
    """

    text: str
    outcome: Literal["holds", "contradicted", "inconclusive"]
    statistic: str
    measured: float
    low: float
    high: float
    count: int
    source: str


@runtime_checkable
class Tiles(Protocol):
    """uint8[unit, tile, y, x, 3]: an array, or pictures in files that are read when they are indexed; `[:]` is all."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(units, tiles, height, width, 3)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8."""

    def __len__(self) -> int:
        """Units."""

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "tile y x 3"]]:
        """Unit by unit."""

    def __getitem__(self, key: Any) -> UInt8[np.ndarray, "..."]:
        """As of an array."""


@dataclass(frozen=True)
class Pictures:
    """Pictures of units of a layer: `tiles[i, j]` is the j-th RGB one of unit `units[i]`, `captions[i][j]` its text.

    `kind` is the analysis ("optimized", "max-patches", "deconv"); `groups` names consecutive blocks of tiles of equal
    length (the presets of optimized images; one group otherwise). `note` says how the pictures were made. `numbers` are
    named columns with one number per picture, NaN where it is not known: {"activation": float64[unit, tile], ...}.
    `names` are those of the rows where they are of no units ("directions"), and `units` numbers them.
    """

    layer: str
    kind: str
    units: tuple[int, ...]
    tiles: Tiles
    captions: tuple[tuple[str, ...], ...]
    groups: tuple[str, ...]
    note: str
    numbers: Mapping[str, Float[np.ndarray, "unit tile"]] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(y, x) pixels of a tile."""
        return self.tiles.shape[2], self.tiles.shape[3]


@dataclass(frozen=True)
class Finding:
    """Something a check noticed, about one unit, one layer, or (both None) the whole model."""

    layer: str | None
    unit: int | None
    message: str
    measured: float

    def __str__(self) -> str:
        """`conv1, unit 3: never fires`, as much of it as is known."""
        unit = None if self.unit is None else f"unit {self.unit}"
        place = ", ".join(part for part in (self.layer, unit) if part is not None)
        return f"{place}: {self.message}" if place else self.message


@dataclass(frozen=True)
class Judgement:
    """What a check says of what it was shown: a number, the limit, which side of it is good, and the findings.

    `unit` is the unit of all numbers ("%", ""). `asked` is the limit that somebody wrote, where what chance allows
    makes `limit` another; None: the same. A NaN is never good.
    """

    measured: float
    limit: float
    good: Literal["at most", "at least"]
    unit: str
    message: str
    findings: tuple[Finding, ...] = ()
    asked: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the measured number is on the good side of the limit."""
        return self.measured <= self.limit if self.good == "at most" else self.measured >= self.limit


@dataclass(frozen=True)
class Item:
    """One thing that is selected, evaluated and given a verdict: a check or an analysis of a layer or of the model."""

    file: str
    model: str
    layer: str | None
    task: str

    @property
    def id(self) -> str:
        """The one id everywhere: `audit.toml::demo::conv1::dead-units`, or `audit.toml::demo::accuracy`."""
        return f"{self.file}::{self.name}"

    @property
    def name(self) -> str:
        """The id without the file, which depends on from where it is seen: `demo::conv1::dead-units`."""
        return "::".join(part for part in (self.model, self.layer, self.task) if part is not None)


@dataclass(frozen=True)
class Waiver:
    """That somebody lets items fail: which ones (an id, or a glob of ids), why, who, and until which day (ISO 8601).

    `units`: only findings of these are let pass; None: all. `checkpoint`: digest of the only weights it is for, or
    None. `place` is where it is written ("waivers.toml:3").
    """

    items: str
    reason: str
    owner: str
    expires: str
    place: str
    units: tuple[int, ...] | None = None
    checkpoint: str | None = None

    @property
    def said(self) -> str:
        """`waived until 2027-01-31 by vision team: pruned on purpose`."""
        return f"waived until {self.expires} by {self.owner}: {self.reason}"


@dataclass(frozen=True)
class Verdict:
    """What became of an item; `measured` and `limit` are None for an analysis and where nothing was measured.

    `asked` is the limit that somebody wrote, of which chance makes `limit`. `line` is where the audit's file asks for
    the item (1 where it is asked for by default), `waiver` what lets it fail, or once did.
    """

    item: Item
    outcome: Outcome
    message: str
    measured: float | None = None
    limit: float | None = None
    good: Literal["at most", "at least"] | None = None
    unit: str = ""
    findings: tuple[Finding, ...] = ()
    line: int = 1
    waiver: Waiver | None = None
    asked: float | None = None

    @property
    def widened(self) -> bool:
        """Whether chance makes the limit another than was asked for."""
        return self.asked is not None and self.asked != self.limit


@dataclass(frozen=True)
class Report:
    """All that is known of one model after a run: the only thing that renderers see."""

    audit: str
    model: str
    outline: Outline
    verdicts: tuple[Verdict, ...]
    scalars: tuple[Scalars, ...] = ()
    strongest: tuple[TopK, ...] = ()
    numbers: Numbers = field(default_factory=lambda: Numbers({}))
    pictures: tuple[Pictures, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    tables: tuple[Table, ...] = ()
    claims: tuple[Claim, ...] = ()
    image_names: Mapping[int, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    def table(self, name: str) -> Table | None:
        """The table of that name, if it was made."""
        return next((table for table in self.tables if table.name == name), None)

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of all verdicts; where nothing passed, failed."""
        outcomes = {verdict.outcome for verdict in self.verdicts}
        for worst in (*REFUSED, "passed"):
            if worst in outcomes:
                return worst
        return "failed"
