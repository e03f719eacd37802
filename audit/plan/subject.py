"""Models and what an audit looks at in them -> everything that can be selected."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from audit import registry
from audit.ascent.presets import Preset
from audit.baseline import Baseline
from audit.checks.evidence import Check
from audit.config import Change, Config, LayerSection
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
class Watched:
    """A check whose number is held against the baseline: its item, and the change that is allowed.

    `component` is the check's name in the registry. `alone`: the check's own limit is not asked.
    """

    check: str
    component: str
    allowed: Change
    alone: bool


@dataclass(frozen=True)
class Subject:
    """A loaded model and what the audit looks at in it; checks by the names of their items.

    `implied` are the checks that nobody asked for by name: the default ones. `presets` are those that the sections of
    layers may name, `broken_presets` why a plugin leaves some unmade. `changes` are by the names of the items that
    judge them.
    """

    model: Model
    layers: Mapping[str, Chosen]
    layer_checks: Mapping[str, Mapping[str, Check]] = field(default_factory=dict)
    model_checks: Mapping[str, Check] = field(default_factory=dict)
    implied: frozenset[str] = frozenset()
    presets: Mapping[str, Preset] = field(default_factory=dict)
    changes: Mapping[str, Watched] = field(default_factory=dict)
    broken_presets: Mapping[str, PluginError] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model's name in audit.toml."""
        return self.model.section.name

    def is_check(self, item: Item) -> bool:
        """Whether an item is a check, and no analysis."""
        return self.check(item) is not None

    def items(self, file: str) -> Iterator[Item]:
        """Everything that can be selected, in the order of execution; pytest's order is the business of the gate."""
        for task in self._tasks(None):
            yield Item(file, self.name, None, task)
        for layer in self.model.outline.layers:
            chosen = self.layers.get(layer.name)
            tasks = (*(chosen.analyses if chosen else ()), *self._tasks(layer.name))
            yield from (Item(file, self.name, layer.name, task) for task in tasks)

    def checks(self, layer: str | None) -> Mapping[str, Check]:
        """Those of a layer, or (None) those of the whole model, by the names of their items."""
        return self.model_checks if layer is None else self.layer_checks.get(layer, {})

    def check(self, item: Item) -> Check | None:
        """The check that an item asks: its own, or the one whose change it judges; None for an analysis."""
        watched = self.changes.get(item.task)
        return self.checks(item.layer).get(watched.check if watched else item.task)

    def _tasks(self, layer: str | None) -> Iterator[str]:
        """Each check of the layer or the model, and behind it what judges its change."""
        for check in self.checks(layer):
            yield check
            yield from (task for task, watched in self.changes.items() if watched.check == check)


@dataclass(frozen=True)
class Prepared:
    """A valid audit.toml with its models loaded, its layers found and its baseline read; no picture was read."""

    config: Config
    subjects: Mapping[str, Subject]
    baseline: Baseline = field(default_factory=Baseline)
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
