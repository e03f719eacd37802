"""What an analysis is given and what it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from audit.ascent.presets import Preset
from audit.config import LayerSection
from audit.data.images import Images
from audit.events import Listener
from audit.model.load import Model
from audit.records import Layer, Pictures, TopK


@dataclass(frozen=True)
class Task:
    """Some units of a layer to be pictured as its [[layers]] section says.

    `folder` is where audit.toml lies; `images` and `strongest` are there for an analysis that needs data. `second` is
    another model of the same classes, which is asked whether it recognises the optimized images of a class.
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


class Analysis(Protocol):
    """Pictures of units; `needs_data` says whether it needs the strongest images of a pass."""

    needs_data: ClassVar[bool]

    def run(self, task: Task) -> Pictures:
        """The pictures of all units of the task."""
