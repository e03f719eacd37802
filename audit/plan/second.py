"""`recognised_by` of [[layers]] -> what keeps that model from recognising the images of the others."""

from collections.abc import Iterator, Mapping

from audit.config import Config, LayerSection
from audit.config.sections import matches
from audit.errors import Problem
from audit.model.load import Model
from audit.plan.layers import chooses, patterns


def second_problems(config: Config, models: Mapping[str, Model]) -> list[Problem]:
    """One per section and reason, at its line; a model that could not be loaded has problems of its own."""
    return [
        config.problem((*config.path(section), "recognised_by"), f'recognised_by = "{section.recognised_by}": {reason}')
        for section in config.layers
        if section.recognised_by in models
        for reason in _reasons(config, section, models)
    ]


def _reasons(config: Config, section: LayerSection, models: Mapping[str, Model]) -> Iterator[str]:
    second = models[str(section.recognised_by)]
    shown = [model for name, model in models.items() if matches(section.models, name) and model is not second]
    if not shown:
        yield "the section is of that model alone, and it would only ask itself; name another of [[models]]"
    elif not any(_pictures_classes(config, section, model) for model in shown):
        outputs = ", ".join(dict.fromkeys(model.outline.layers[-1].name for model in shown))
        yield f"none of these layers is an output, so their units are no classes; the output is {outputs}"
    for model in shown:
        yield from _differences(model, second)


def _pictures_classes(config: Config, section: LayerSection, model: Model) -> bool:
    names = [pattern for _, pattern in patterns(config, section)]
    outputs = [layer for layer in model.outline.layers if model.outline.is_output(layer)]
    return any(chooses(pattern, layer) for pattern in names for layer in outputs)


def _differences(model: Model, second: Model) -> Iterator[str]:
    own, other = model.outline, second.outline
    name = model.section.name
    if own.layers[-1].shape != other.layers[-1].shape:
        wanted, there = (" x ".join(map(str, outline.layers[-1].shape)) for outline in (own, other))
        yield f"it has {there} outputs and {name} has {wanted}; name a model of the same classes"
    if own.input_shape != other.input_shape:
        wanted, there = (" x ".join(map(str, outline.input_shape)) for outline in (own, other))
        yield f"its input is {there} and that of {name} is {wanted}; name a model of the same input"
