"""Selected items -> what has to be measured for them, each once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from audit import registry
from audit.analyses.task import Analysis, Overview
from audit.checks.evidence import Check
from audit.config import LayerSection
from audit.errors import PluginError
from audit.plan.subject import Subject
from audit.records import Item, Layer

OF_LAYERS = frozenset({"directions", "inversion"})
"""Analyses that picture a layer as a whole, whatever `units` says."""

WITH_PRESETS = frozenset({"optimized", "directions"})
"""Analyses that optimize images as `presets` say."""


@dataclass(frozen=True)
class Needs:
    """What the selected items of a model need: statistics of layers, in the order of execution, and of the model.

    `layers` maps a layer's name to its statistics ("activations", "correlations", ...), `model` names the tables, and
    `chosen` all layers that [[layers]] chose, for tables that speak of each.
    """

    layers: Mapping[str, frozenset[str]]
    model: frozenset[str]
    chosen: tuple[str, ...] = ()


def needs(subject: Subject, items: Sequence[Item]) -> Needs:
    """What the pass and the trials have to give for the items."""
    layers: dict[str, set[str]] = {}
    model: set[str] = set()
    for item in items:
        check = subject.check(item)
        model |= set(check.needs) - statistics() if check else set()
        for place, statistic in (*_of_check(subject, item, check), *_of_analysis(subject, item)):
            layers.setdefault(place, set()).add(statistic)
    for name in list(layers):
        layers.setdefault(_activation(subject, name), set()).add("activations")
    executed = [layer.name for layer in subject.model.outline.layers if layer.name in layers]
    chosen = tuple(layer.name for layer in subject.model.outline.layers if layer.name in subject.layers)
    return Needs({name: frozenset(layers[name] | {"activations"}) for name in executed}, frozenset(model), chosen)


def statistics() -> frozenset[str]:
    """What the pass can measure of a layer's units, by name."""
    return frozenset(registry.names("statistic"))


def analysis(name: str) -> Analysis:
    """The analysis of that name."""
    made: Analysis = registry.load("analysis", name)()
    return made


def overview(name: str) -> Overview:
    """The overview of that name."""
    made: Overview = registry.load("overview", name)()
    return made


def needs_pictures(subject: Subject, task: str, section: LayerSection) -> bool:
    """Whether an analysis needs the units' strongest pictures: by itself, or to start from them."""
    starts = {subject.presets[name].start for name in section.presets} if task == "optimized" else set()
    return analysis(task).needs_data or "strongest" in starts


def broken(subject: Subject, task: str, section: LayerSection) -> PluginError | None:
    """Why an analysis cannot be made at all: its plugin is broken, or that of a preset that it uses."""
    kind = next((kind for kind in registry.OF_ANALYSES if task in registry.names(kind)), "analysis")
    try:
        component = registry.load(kind, task)
        if kind in ("analysis", "overview"):
            component()
    except PluginError as error:
        return error
    except Exception as error:
        if (blamed := registry.plugins().blame(error)) is None:
            raise
        return blamed
    presets = section.presets if task in WITH_PRESETS else ()
    return next((subject.broken_presets[name] for name in presets if name in subject.broken_presets), None)


def flaggers(subject: Subject, layer: Layer) -> list[tuple[str | None, str]]:
    """(layer, task) of the checks that may find units of the layer: its own, those of the layer that rectifies it, and
    those of the whole model that look at activations."""
    places = dict.fromkeys((layer.name, layer.activation or layer.name))
    of_layers = [(place, task) for place in places for task in subject.layer_checks.get(place, ())]
    return [*of_layers, *((None, task) for task, check in subject.model_checks.items() if "activations" in check.needs)]


def _of_check(subject: Subject, item: Item, check: Check | None) -> Iterator[tuple[str, str]]:
    """(layer, statistic): a check of the model looks at every layer that was chosen."""
    places = subject.layers if item.layer is None else (item.layer,)
    for need in check.needs if check else ():
        if need in statistics():
            yield from ((place, need) for place in places)
        elif need == "normalisations":
            yield from ((layer.name, "activations") for layer in subject.model.outline.layers if "Norm" in layer.kind)


def _of_analysis(subject: Subject, item: Item) -> Iterator[tuple[str, str]]:
    section = _section(subject, item)
    if section is None or item.layer is None or broken(subject, item.task, section) is not None:
        return
    if item.task in statistics():
        yield item.layer, item.task
    elif item.task in registry.names("overview"):
        yield _activation(subject, item.layer), "codes"
    elif item.task in registry.names("study"):
        yield from ((place, "activations") for place in subject.layers)
        yield _activation(subject, item.layer), "distributions"
    elif needs_pictures(subject, item.task, section):
        yield item.layer, "activations"
    if section.units == "flagged":
        for place, task in flaggers(subject, subject.model.outline.layer(item.layer)):
            flagger = Item(item.file, item.model, place, task)
            yield from _of_check(subject, flagger, subject.check(flagger))


def _section(subject: Subject, item: Item) -> LayerSection | None:
    """The section that asked for an analysis; None for a check."""
    chosen = subject.layers.get(item.layer or "")
    return chosen.analyses.get(item.task) if chosen else None


def _activation(subject: Subject, name: str) -> str:
    """The layer that rectifies this one, whose mean tells how strongly a filter speaks; else the layer itself."""
    return subject.model.outline.layer(name).activation or name
