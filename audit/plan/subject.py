"""Models and what an audit looks at in them -> everything that can be selected."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from audit import registry
from audit.ascent.presets import Preset
from audit.checks.evidence import Check
from audit.config import Config, LayerSection
from audit.errors import PluginError
from audit.model.load import Model
from audit.records import Item, Layer
from audit.waivers import Waivers


@dataclass(frozen=True)
class Chosen:
    """A layer that [[layers]] chose: for each analysis the section that asked for it last."""

    layer: Layer
    analyses: Mapping[str, LayerSection]


@dataclass(frozen=True)
class Subject:
    """A loaded model and what the audit looks at in it; checks by the names of their items.

    `implied` are the checks that nobody asked for by name: the default ones. `presets` are those that the sections of
    layers may name, `broken_presets` why a plugin leaves some unmade.
    """

    model: Model
    layers: Mapping[str, Chosen]
    layer_checks: Mapping[str, Mapping[str, Check]] = field(default_factory=dict)
    model_checks: Mapping[str, Check] = field(default_factory=dict)
    implied: frozenset[str] = frozenset()
    presets: Mapping[str, Preset] = field(default_factory=dict)
    broken_presets: Mapping[str, PluginError] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model's name in audit.toml."""
        return self.model.section.name

    def is_check(self, item: Item) -> bool:
        """Whether an item is a check, and no analysis."""
        return item.layer is None or item.task in self.layer_checks.get(item.layer, {})

    def items(self, file: str) -> Iterator[Item]:
        """Everything that can be selected, in the order of execution; pytest's order is the business of the gate."""
        for check in self.model_checks:
            yield Item(file, self.name, None, check)
        for layer in self.model.outline.layers:
            chosen = self.layers.get(layer.name)
            tasks = (*(chosen.analyses if chosen else ()), *self.layer_checks.get(layer.name, ()))
            yield from (Item(file, self.name, layer.name, task) for task in tasks)


@dataclass(frozen=True)
class Prepared:
    """A valid audit.toml with its models loaded and its layers found; no picture was read."""

    config: Config
    subjects: Mapping[str, Subject]
    waivers: Waivers = field(default_factory=Waivers)

    def items(self, file: str) -> list[Item]:
        """Every item of every model; `file` begins their ids."""
        return [item for subject in self.subjects.values() for item in subject.items(file)]

    def makes_pictures(self, task: str) -> bool:
        """Whether the task is an analysis that makes pictures, one of the audit's plugins included."""
        with registry.using(self.config.plugins):
            return pictures(task)


def pictures(task: str) -> bool:
    """Whether the task is an analysis that makes pictures, and so runs after everything that the pass decides."""
    return task in (*registry.names("analysis"), *registry.names("overview"))
