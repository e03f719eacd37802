"""[[checks]] sections -> which layers each check looks at, and the checks that would look at nothing."""

from collections.abc import Mapping, Sequence

from audit.checks.evidence import Check, Place
from audit.config import ChosenCheck, Config
from audit.config.sections import matches
from audit.errors import Problem
from audit.model.load import Model
from audit.plan.subject import Chosen, Subject, Watched
from audit.records import Layer


def subject(config: Config, model: Model, layers: Mapping[str, Chosen]) -> Subject:
    """The model with the checks that look at it."""
    of_layer: dict[str, dict[str, Check]] = {}
    of_model: dict[str, Check] = {}
    for chosen in config.checks:
        if not matches(chosen.section.models, model.section.name):
            continue
        if chosen.check.looks_at == "model":
            of_model[chosen.name] = chosen.check
        for layer in _looked_at(chosen, model, layers):
            of_layer.setdefault(layer.name, {})[chosen.name] = chosen.check
    implied = frozenset(chosen.name for chosen in config.checks if chosen.implied)
    return Subject(model, layers, of_layer, of_model, implied, config.presets, _changes(config), config.broken_presets)


def _changes(config: Config) -> dict[str, Watched]:
    """Every change that is held against the baseline, by the name of its item."""
    return {
        chosen.change: Watched(chosen.name, chosen.section.check, chosen.section.allowed, bool(chosen.section.only))
        for chosen in config.checks
        if chosen.change is not None and chosen.section.allowed is not None
    }


def _looked_at(chosen: ChosenCheck, model: Model, layers: Mapping[str, Chosen]) -> list[Layer]:
    """The layers that a check of layers looks at."""
    first = model.outline.first_convolution
    there_is: Mapping[Place, Sequence[Layer]] = {
        "model": (),
        "first convolution": [first] if first else [],
        "rectified layers": [some.layer for some in layers.values() if some.layer.rectifier],
        "activation layers": [some.layer for some in layers.values() if some.layer.nonlinear],
    }
    return [layer for layer in there_is[chosen.check.looks_at] if matches(chosen.section.layers, layer.name)]


def check_problems(config: Config, subjects: Mapping[str, Subject]) -> list[Problem]:
    """Checks asked for by name that look at nothing, and so could never fail; options that lead nowhere."""
    looking = {name for subject in subjects.values() for name in _check_names(subject)}
    asked = [chosen for chosen in config.checks if not chosen.implied]
    idle = [
        config.problem(config.path(chosen), f"{chosen.name} looks at no layer: {_idle(config, chosen, subjects)}")
        for chosen in asked
        if chosen.name not in looking
    ]
    wrong = [
        config.problem((*config.path(chosen), option), f"{chosen.name}: {message}")
        for chosen in asked
        for option, message in chosen.check.problems(config.file.parent)
    ]
    return idle + wrong


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
    rectified = chosen.check.looks_at == "rectified layers"
    fitting = [layer for outline in outlines for layer in outline.layers if layer.rectifier or layer.nonlinear]
    there_is = list(dict.fromkeys(layer.name for layer in fitting if layer.rectifier or not rectified))
    listed = (", ".join(there_is[:12]) or "none") + (" ..." if len(there_is) > 12 else "")
    kind = chosen.check.looks_at.removesuffix("s")
    return f"[[layers]] chooses no {kind}{named}; the {kind}s are: {listed}"
