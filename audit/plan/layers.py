"""[[layers]] sections -> the layers and units that they choose, and what no model has."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from audit import registry
from audit.analyses.directions import resolved
from audit.config import Config, LayerSection
from audit.config.sections import matches
from audit.errors import Problem, SectionError, nearest
from audit.model.load import Model
from audit.plan.subject import Chosen
from audit.records import Finding, Layer


def chosen_layers(config: Config, models: Mapping[str, Model]) -> tuple[dict[str, dict[str, Chosen]], list[Problem]]:
    """Model name -> layer name -> what was chosen; and a problem for every name and unit that no model has."""
    layers: dict[str, dict[str, dict[str, LayerSection]]] = {name: {} for name in models}
    problems = []
    for section in config.layers:
        shown = {name: model for name, model in models.items() if matches(section.models, name)}
        for place, pattern in patterns(config, section):
            found = {
                name: [layer for layer in model.outline.layers if chooses(pattern, layer)]
                for name, model in shown.items()
            }
            if shown and not any(found.values()):
                problems.append(config.problem(place, _unknown_layer(pattern, shown)))
            for name, those in found.items():
                for layer in those:
                    problems += _unit_problems(config, section, name, layer)
                    problems += _direction_problems(config, section, shown[name], layer)
                    asked = _asked(section, layer, shown[name])
                    layers[name].setdefault(layer.name, {}).update(dict.fromkeys(asked, section))
    return {
        name: {layer: Chosen(models[name].outline.layer(layer), analyses) for layer, analyses in those.items()}
        for name, those in layers.items()
    }, problems


def chooses(pattern: str, layer: Layer) -> bool:
    """By its own name, or by a glob; a glob passes over a layer that only hands on what another made."""
    return pattern == layer.name or (layer.same_as is None and matches(pattern, layer.name))


def _asked(section: LayerSection, layer: Layer, model: Model) -> list[str]:
    """What is asked of a layer; studies are of the first convolution, and other layers are passed over."""
    studies = registry.names("study") if layer != model.outline.first_convolution else []
    return [task for task in section.analyses if task not in studies]


def patterns(config: Config, section: LayerSection) -> Iterator[tuple[tuple[str | int, ...], str]]:
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


def _direction_problems(config: Config, section: LayerSection, model: Model, layer: Layer) -> Iterator[Problem]:
    """Directions of units, layers and files that there are not."""
    if "directions" not in section.analyses or isinstance(section.directions, str):
        return
    for index, direction in enumerate(section.directions):
        try:
            resolved(direction, layer, model.outline, config.audit.seed, config.file.parent)
        except SectionError as error:
            place = (*config.path(section), "directions", index, error.option)
            yield config.problem(place, f"{direction.name}: {error}")


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
