"""What a command line asks of a prepared audit -> the layers and units whose images are made, and the second model."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from audit import plan
from audit.ascent.canvas import Canvas, canvas_of, proven
from audit.config import LayerSection
from audit.errors import AuditError, nearest
from audit.model.load import Model
from audit.plan import Prepared, Subject
from audit.records import Layer

ANALYSIS = "optimized"


@dataclass(frozen=True)
class Place:
    """Some units of a layer, the section that says how they are pictured, and the canvas that they are optimized on."""

    model: Model
    layer: Layer
    units: tuple[int, ...]
    section: LayerSection
    canvas: Canvas


@dataclass(frozen=True)
class Wish:
    """What was asked for, as text: None is what the audit says."""

    model: str | None = None
    layer: str | None = None
    units: str | None = None
    second: str | None = None


def places(prepared: Prepared, wish: Wish) -> tuple[Place, ...]:
    """The layer of that name, or all that [[layers]] wants optimized images of; AuditError for what there is not."""
    subject = _subject(prepared, wish.model)
    return tuple(_place(prepared, subject, layer, section) for layer, section in _layers(subject, wish))


def second_model(prepared: Prepared, wish: Wish, places: Sequence[Place]) -> Model | None:
    """The model that is to recognise the classes; AuditError if it cannot answer for these layers."""
    if wish.second is None:
        return None
    second, first = _subject(prepared, wish.second, "--second").model, places[0].model
    if second is first:
        raise AuditError(f'--second "{wish.second}" is the model itself; name another one of {_models(prepared)}')
    output, answers = first.outline.layers[-1], second.outline.layers[-1]
    for place in places:
        if place.layer.name != output.name:
            raise AuditError(
                f'--second: the units of "{place.layer.name}" are no classes that another model could recognise; '
                f"only those of the output are: --layer {output.name}"
            )
    if answers.units != output.units:
        raise AuditError(
            f'--second "{wish.second}" has {answers.units} outputs, {first.section.name} has {output.units}; '
            "name a model of the same classes"
        )
    if second.outline.input_shape != first.outline.input_shape:
        raise AuditError(
            f'--second "{wish.second}" takes pictures of {_size(second)}, {first.section.name} of {_size(first)}; '
            "name a model of the same input"
        )
    if any(place.canvas.size != first.outline.input_shape[1:] for place in places):
        raise AuditError('--second needs images of the whole input: write canvas = "full" in the [[layers]] section')
    return second


def _subject(prepared: Prepared, name: str | None, option: str = "--model") -> Subject:
    if name is None:
        if len(prepared.subjects) > 1:
            raise AuditError(f"the file has the models {_models(prepared)}; name one of them with {option}")
        return next(iter(prepared.subjects.values()))
    if name not in prepared.subjects:
        raise AuditError(f'{option}: no model "{name}"{nearest(name, list(prepared.subjects))}')
    return prepared.subjects[name]


def _layers(subject: Subject, wish: Wish) -> list[tuple[Layer, LayerSection]]:
    """The layers, each with a section that says which of its units."""
    if wish.layer is not None:
        names = [layer.name for layer in subject.model.outline.layers]
        if wish.layer not in names:
            raise AuditError(f'--layer: no layer "{wish.layer}" in {subject.name}{nearest(wish.layer, names)}')
        chosen = [wish.layer]
    else:
        chosen = [name for name, layer in subject.layers.items() if ANALYSIS in layer.analyses]
        if not chosen:
            raise AuditError(f'no [[layers]] section asks for "{ANALYSIS}" images of {subject.name}; name one: --layer')
    return [(subject.model.outline.layer(name), _section(subject, name, wish.units)) for name in chosen]


def _section(subject: Subject, name: str, units: str | None) -> LayerSection:
    """As the audit says, with the units that were asked for."""
    found = subject.layers.get(name)
    section = found.analyses.get(ANALYSIS) if found else None
    if units is not None:
        return (section or LayerSection(name=name)).model_copy(update={"units": _units(units)})
    if section is None:
        raise AuditError(f'which units of "{name}"? No [[layers]] section says it; name them: --units 1,5')
    if section.units == "flagged":
        raise AuditError(f'units = "flagged" of "{name}" are known only after an audit; name some: --units 1,5')
    return section


def _units(text: str) -> str | tuple[int, ...]:
    """`1,5` is a list; everything else is as in audit.toml."""
    numbers = text.split(",")
    wanted = tuple(map(int, numbers)) if all(number.strip().isdecimal() for number in numbers) else text
    try:
        checked = LayerSection(name="*", units=wanted).units
    except ValidationError as error:
        reason = "names a unit twice" if isinstance(wanted, tuple) else error.errors()[0]["msg"]
        raise AuditError(f'--units "{text}": {reason}; write 1,5 or 0-15 or random:8 or all') from None
    if checked == "flagged":
        raise AuditError("--units flagged: these are known only after an audit; write 1,5 or 0-15 or random:8 or all")
    return checked


def _place(prepared: Prepared, subject: Subject, layer: Layer, section: LayerSection) -> Place:
    units = plan.chosen_units(section, layer, prepared.config.audit.seed, ())
    if wrong := [unit for unit in units if unit >= layer.units]:
        raise AuditError(
            f'--units: no unit {wrong[-1]} in layer "{layer.name}" of {subject.name}; '
            f"it has the units 0 to {layer.units - 1}"
        )
    model = subject.model
    shape = model.outline.input_shape
    canvas = proven(canvas_of(layer, shape, section.canvas), model.network, layer, shape, model.std)
    return Place(model, layer, units, section, canvas)


def _models(prepared: Prepared) -> str:
    return ", ".join(prepared.subjects)


def _size(model: Model) -> str:
    return " x ".join(map(str, model.outline.input_shape))
