"""What an analysis is given and what it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from audit.ascent.presets import Preset
from audit.config import LayerSection
from audit.data.images import Images
from audit.events import Listener
from audit.model.load import Model
from audit.records import Layer, Pictures, Table, TopK
from audit.stream.codes import CodeFile


@dataclass(frozen=True)
class Task:
    """Some units of a layer, or the layer itself, to be pictured as its [[layers]] section says.

    `folder` is where audit.toml lies; `images` and `strongest` are there for an analysis that needs data. `second` is
    another model of the same classes, which is asked whether it recognises the optimized images of a class. `codes`, of
    the layer after its ReLU, and `images` are there for an overview, which has no `units`.
    """

    model: Model
    layer: Layer
    units: tuple[int, ...]
    section: LayerSection
    presets: Mapping[str, Preset]
    seed: int
    listener: Listener
    images: Images | None = None
    strongest: TopK | None = None
    folder: Path = Path()
    second: Model | None = None
    codes: CodeFile | None = None


class Analysis(Protocol):
    """Pictures of units; `needs_data` says whether it needs the strongest images of a pass."""

    needs_data: ClassVar[bool]

    def run(self, task: Task) -> Pictures:
        """The pictures of all units of the task."""


class Overview(Protocol):
    """Pictures of a layer as a whole, with tables that say more of them."""

    def run(self, task: Task) -> Sequence[Pictures | Table]:
        """First the pictures, whose rows have names; then tables, with a column "layer"."""

    def said(self, made: Sequence[object]) -> str:
        """What these records say, in a line."""
