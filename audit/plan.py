"""Config and models -> what can be selected; selected items -> what has to be measured for them, each once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from audit import registry
from audit.analyses.task import Analysis
from audit.checks.evidence import Check
from audit.config import ChosenCheck, Config, DataSection, LayerSection, ModelSection, read_partly
from audit.config.sections import matches
from audit.data.images import SUFFIXES, open_images
from audit.errors import ConfigError, Problem, SectionError, nearest
from audit.model.load import Model
from audit.model.load import load as load_model
from audit.records import Finding, Item, Layer


@dataclass(frozen=True)
class Chosen:
    """A layer that [[layers]] chose: for each analysis the section that asked for it last."""

    layer: Layer
    analyses: Mapping[str, LayerSection]


@dataclass(frozen=True)
class Subject:
    """A loaded model and what the audit looks at in it. Checks are (item name, check) pairs."""

    model: Model
    layers: Mapping[str, Chosen]
    layer_checks: Mapping[str, Mapping[str, Check]] = field(default_factory=dict)
    model_checks: Mapping[str, Check] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model's name in audit.toml."""
        return self.model.section.name

    def items(self, file: str) -> Iterator[Item]:
        """Everything that can be selected: first what the pass alone decides, then the pictures."""
        for check in self.model_checks:
            yield Item(file, self.name, None, check)
        names = [layer.name for layer in self.model.outline.layers if layer.name in {*self.layers, *self.layer_checks}]
        for name in names:
            chosen = self.layers.get(name)
            yield from (
                Item(file, self.name, name, task) for task in (chosen.analyses if chosen else ()) if not pictures(task)
            )
            yield from (Item(file, self.name, name, task) for task in self.layer_checks.get(name, ()))
        for name in names:
            chosen = self.layers.get(name)
            yield from (
                Item(file, self.name, name, task) for task in (chosen.analyses if chosen else ()) if pictures(task)
            )


@dataclass(frozen=True)
class Prepared:
    """A valid audit.toml with its models loaded and its layers found; no picture was read."""

    config: Config
    subjects: Mapping[str, Subject]

    def items(self, file: str) -> list[Item]:
        """Every item of every model; `file` begins their ids."""
        return [item for subject in self.subjects.values() for item in subject.items(file)]


def prepare(path: Path) -> Prepared:
    """Reads audit.toml, loads its models and finds its layers; ConfigError with every mistake there is.

    No picture is read and no code of [data] is run: it is enough that there is something to read or to run.
    """
    config, problems = read_partly(path)
    chosen = device(config.audit.device)
    if not _is_here(chosen):
        message = f'device = "{config.audit.device}": this machine has no such device; "auto" takes what there is'
        problems.append(config.problem(("audit", "device"), message))
        chosen = torch.device("cpu")
    models: dict[str, Model] = {}
    for section in config.models:
        model, wrong = _loaded(config, section, chosen)
        models |= {} if model is None else {section.name: model}
        problems += wrong
    layers, layer_problems = _layers(config, models)
    problems += [*layer_problems, *_data_problems(config)]
    if problems:
        raise ConfigError(problems)
    subjects = {name: _subject(config, model, layers[name]) for name, model in models.items()}
    if problems := _check_problems(config, subjects):
        raise ConfigError(problems)
    return Prepared(config, subjects)


def device(name: str) -> torch.device:
    """The device of that name; "auto" is CUDA where there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def _is_here(device: torch.device) -> bool:
    if device.type == "cuda":
        return (device.index or 0) < torch.cuda.device_count()
    return device.type != "mps" or torch.backends.mps.is_available()


WEIGHTS = ("checkpoint", "key", "prefix")
LEFT_OUT = dict.fromkeys(WEIGHTS, WEIGHTS) | {"labels": ("labels",)}
"""A wrong option -> the options to leave out, so that the rest of the section can be tried too."""


def _loaded(config: Config, section: ModelSection, device: torch.device) -> tuple[Model | None, list[Problem]]:
    """The model, without its weights or labels if these are wrong: its layers can be found all the same."""
    tried = section
    problems: list[Problem] = []
    while True:
        try:
            return load_model(tried, config.file.parent, device), problems
        except SectionError as error:
            place = (*config.path(section), error.option)
            problems.append(config.problem(place, f'model "{section.name}": {error}'))
            if error.option not in LEFT_OUT:
                return None, problems
            tried = tried.model_copy(update=dict.fromkeys(LEFT_OUT[error.option]))


def _data_problems(config: Config) -> list[Problem]:
    """What is wrong with [data] as far as that can be told without opening it."""
    if config.data is None or _leads_somewhere(config.data, config.file.parent):
        return []
    try:
        open_images(config.data, config.file.parent)
    except SectionError as error:
        return [config.problem(("data", error.option), str(error))]
    return []


def _leads_somewhere(data: DataSection, folder: Path) -> bool:
    """Whether there is a picture in the folder, or a file or package that the factory could be in."""
    if data.folder is not None:
        root = folder / Path(data.folder).expanduser()
        return any(path.suffix.lower() in SUFFIXES for path in root.rglob("*"))
    where = str(data.factory).rpartition(":")[0]
    if where.endswith(".py"):
        return (folder / where).is_file()
    try:
        return find_spec(where.partition(".")[0]) is not None
    except ValueError:  # a module that was loaded without a finder
        return True


def pictures(task: str) -> bool:
    """Whether the task is an analysis that makes pictures, and so runs after everything that the pass decides."""
    return task in registry.names("analysis") and task != "activations"


def analysis(name: str) -> Analysis:
    """The analysis of that name."""
    made: Analysis = registry.load("analysis", name)()
    return made


def chosen_units(section: LayerSection, layer: Layer, seed: int, flagged: Sequence[Finding]) -> tuple[int, ...]:
    """The units that a section asks for, ascending: all, a list, a range, random ones, or those with findings."""
    match section.units:
        case "all":
            return tuple(range(layer.units))
        case "flagged":
            return tuple(sorted({finding.unit for finding in flagged if finding.unit is not None}))
        case str() as text if text.startswith("random:"):
            count = min(int(text.removeprefix("random:")), layer.units)
            return tuple(sorted(np.random.default_rng(seed).choice(layer.units, count, replace=False).tolist()))
        case str() as text:
            first, last = text.split("-")
            return tuple(range(int(first), int(last) + 1))
        case units:
            return tuple(sorted(set(units)))


def _layers(config: Config, models: Mapping[str, Model]) -> tuple[dict[str, dict[str, Chosen]], list[Problem]]:
    """Model name -> layer name -> what was chosen; and a problem for every name and unit that no model has."""
    layers: dict[str, dict[str, dict[str, LayerSection]]] = {name: {} for name in models}
    problems = []
    for section in config.layers:
        shown = {name: model for name, model in models.items() if matches(section.models, name)}
        for place, pattern in _patterns(config, section):
            found = {
                name: [layer for layer in model.outline.layers if matches(pattern, layer.name)]
                for name, model in shown.items()
            }
            if shown and not any(found.values()):
                problems.append(config.problem(place, _unknown_layer(pattern, shown)))
            for name, those in found.items():
                for layer in those:
                    problems += _unit_problems(config, section, name, layer)
                    layers[name].setdefault(layer.name, {}).update(dict.fromkeys(section.analyses, section))
    return {
        name: {layer: Chosen(models[name].outline.layer(layer), analyses) for layer, analyses in those.items()}
        for name, those in layers.items()
    }, problems


def _patterns(config: Config, section: LayerSection) -> Iterator[tuple[tuple[str | int, ...], str]]:
    place = (*config.path(section), "name")
    if isinstance(section.name, str):
        yield place, section.name
    else:
        yield from (((*place, index), pattern) for index, pattern in enumerate(section.name))


def _unknown_layer(pattern: str, models: Mapping[str, Model]) -> str:
    there_is = [layer.name for model in models.values() for layer in model.outline.layers]
    return f'no layer "{pattern}" in {", ".join(models)}{nearest(pattern, there_is)}'


def _unit_problems(config: Config, section: LayerSection, model: str, layer: Layer) -> list[Problem]:
    if section.units in ("all", "flagged") or (isinstance(section.units, str) and section.units.startswith("random:")):
        return []
    wrong = [unit for unit in chosen_units(section, layer, 0, ()) if unit >= layer.units]
    if not wrong:
        return []
    message = f'no unit {wrong[-1]} in layer "{layer.name}" of {model}; it has the units 0 to {layer.units - 1}'
    return [config.problem((*config.path(section), "units"), message)]


def _subject(config: Config, model: Model, layers: Mapping[str, Chosen]) -> Subject:
    of_layer: dict[str, dict[str, Check]] = {}
    of_model: dict[str, Check] = {}
    for chosen in config.checks:
        if not matches(chosen.section.models, model.section.name):
            continue
        if chosen.check.looks_at == "model":
            of_model[chosen.name] = chosen.check
        for layer in _looked_at(chosen, model, layers):
            of_layer.setdefault(layer.name, {})[chosen.name] = chosen.check
    return Subject(model, layers, of_layer, of_model)


def _looked_at(chosen: ChosenCheck, model: Model, layers: Mapping[str, Chosen]) -> list[Layer]:
    """The layers that a check of layers looks at."""
    first = model.outline.first_convolution
    if chosen.check.looks_at == "first convolution":
        return [first] if first and matches(chosen.section.layers, first.name) else []
    if chosen.check.looks_at == "rectified layers":
        return [
            some.layer
            for some in layers.values()
            if some.layer.rectifier and matches(chosen.section.layers, some.layer.name)
        ]
    return []


def _check_problems(config: Config, subjects: Mapping[str, Subject]) -> list[Problem]:
    """A check that looks at nothing in any model would never fail."""
    looking = {name for subject in subjects.values() for name in _check_names(subject)}
    return [
        config.problem(config.path(chosen), f"{chosen.name} looks at no layer: {_idle(config, chosen, subjects)}")
        for chosen in config.checks
        if chosen.name not in looking
    ]


def _check_names(subject: Subject) -> set[str]:
    return {*subject.model_checks, *(name for checks in subject.layer_checks.values() for name in checks)}


def _idle(config: Config, chosen: ChosenCheck, subjects: Mapping[str, Subject]) -> str:
    """Why a check has nothing to look at, and what there is."""
    asked = chosen.section.layers
    named = "" if asked == "*" else f" named {asked if isinstance(asked, str) else ' or '.join(asked)}"
    if chosen.check.looks_at == "first convolution":
        firsts = [subject.model.outline.first_convolution for subject in subjects.values()]
        there_is = [first.name for first in firsts if first is not None]
        return f"no model has a first convolution{named}" + (f"; it is {there_is[0]}" if there_is else "")
    outlines = [subject.model.outline for subject in subjects.values()]
    there_is = list(dict.fromkeys(layer.name for outline in outlines for layer in outline.layers if layer.rectifier))
    rectified = (", ".join(there_is[:12]) or "none") + (" ..." if len(there_is) > 12 else "")
    return f"[[layers]] chooses no rectified layer{named}; the rectified layers are: {rectified}"


@dataclass(frozen=True)
class Needs:
    """What the selected items of a model need of the pass over the pictures."""

    layers: tuple[str, ...]
    accuracy: bool


def needs(subject: Subject, items: Sequence[Item]) -> Needs:
    """The layers to be measured for the items, in the order of execution, and whether the outputs are judged."""
    layers: set[str] = set()
    accuracy = False
    for item in items:
        if item.layer is None:
            check = subject.model_checks[item.task]
            accuracy |= "accuracy" in check.needs
            layers |= set(subject.layers) if "activations" in check.needs else set()
        elif item.task in subject.layer_checks.get(item.layer, {}) or _measured_for(subject, item):
            layers |= {item.layer, *_with_activation(subject, item.layer)}
            layers |= set(subject.layers) if _flagged_by_the_model(subject, item) else set()
    return Needs(tuple(layer.name for layer in subject.model.outline.layers if layer.name in layers), accuracy)


def flaggers(subject: Subject, layer: Layer) -> list[tuple[str | None, str]]:
    """(layer, task) of the checks that may find units of the layer: its own, those of the layer that rectifies it, and
    those of the whole model that look at activations."""
    places = dict.fromkeys((layer.name, layer.activation or layer.name))
    of_layers = [(place, task) for place in places for task in subject.layer_checks.get(place, ())]
    return [*of_layers, *((None, task) for task, check in subject.model_checks.items() if "activations" in check.needs)]


def _section(subject: Subject, item: Item) -> LayerSection | None:
    """The section that asked for an analysis; None for a check."""
    chosen = subject.layers.get(item.layer or "")
    return chosen.analyses.get(item.task) if chosen else None


def _measured_for(subject: Subject, item: Item) -> bool:
    section = _section(subject, item)
    return section is not None and (analysis(item.task).needs_data or section.units == "flagged")


def _flagged_by_the_model(subject: Subject, item: Item) -> bool:
    section = _section(subject, item)
    if section is None or section.units != "flagged":
        return False
    return any(place is None for place, _ in flaggers(subject, subject.model.outline.layer(str(item.layer))))


def _with_activation(subject: Subject, name: str) -> set[str]:
    """The layer that rectifies this one, whose mean tells how strongly a filter speaks."""
    activation = subject.model.outline.layer(name).activation
    return set() if activation is None else {activation}
