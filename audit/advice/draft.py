"""A checkpoint or a factory, perhaps pictures -> the text of a first audit.toml, with what is known and what is not."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from audit import registry
from audit.advice.architecture import Architecture, classifiers, recognised, shown
from audit.advice.pictures import Pictures
from audit.config import ModelSection
from audit.config.reading import OF_WEIGHTS
from audit.errors import AuditError, SectionError
from audit.model.checkpoint import Checkpoint, read_checkpoint
from audit.model.load import Model, load
from audit.plan.layers import chooses
from audit.records import Layer, Outline
from audit.words import plural

SIZES = ((224, 224), (32, 32), (64, 64), (28, 28), (227, 227), (299, 299), (384, 384))
CHANNELS = (3, 1)
SMALL = 128  # pixels
WIDTH = 110
TORCHVISION = "torchvision:"
ASSUMED = dict.fromkeys(("mean", "std", "input", "resize"), "assumed: as torchvision shows pictures to it")


@dataclass(frozen=True)
class Asked:
    """What `init` was told: a checkpoint, a factory with its arguments, pictures, and where the file will lie."""

    checkpoint: Path | None
    factory: str | None
    arguments: Mapping[str, Any]
    key: str | None
    pictures: Pictures | None
    folder: Path


@dataclass(frozen=True)
class Draft:
    """The text of an audit.toml, how sure it is of the model, and what it could not know."""

    text: str
    sure: str
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class _Known:
    """The keys of [[models]], each with its comment, and what is not known."""

    keys: dict[str, Any]
    comments: dict[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    sure: str = ""


def drafted(asked: Asked) -> Draft:
    """The first audit.toml of a model; AuditError, saying what to give, where something cannot be guessed."""
    checkpoint = None if asked.checkpoint is None else _read(asked.checkpoint, asked.key)
    known = _known(asked, checkpoint)
    model = _loaded(known.keys, asked.folder, _sizes(asked.pictures))
    known = _with_input(known, model)
    unknown = (*known.unknown, *_unknown_labels(asked.pictures, model.outline))
    parts = [
        _head(known.sure),
        _model(known),
        _data(asked),
        *_layers(model.outline, asked.pictures is not None),
        _checks(checkpoint, asked.pictures is not None),
    ]
    todo = "".join(f"# TODO {line}\n" for line in unknown)
    return Draft("\n".join([parts[0] + todo, *parts[1:]]), known.sure, unknown)


def _read(path: Path, key: str | None) -> Checkpoint:
    try:
        return read_checkpoint(path, key)
    except SectionError as error:
        advice = "; choose it with --key" if error.option == "key" and key is None else ""
        raise AuditError(f"{path}: {error}{advice}") from error


# The model


def _known(asked: Asked, checkpoint: Checkpoint | None) -> _Known:
    if asked.factory is None:
        if checkpoint is None or asked.checkpoint is None:
            raise AuditError(
                "give a checkpoint or a factory: deepvis-audit init model.pth, or init torchvision:resnet18"
            )
        return _of_torchvision(recognised(checkpoint.state, asked.checkpoint.name), asked)
    keys = _keys(asked, asked.factory, dict(asked.arguments))
    sure = f"{asked.factory} was given, not guessed"
    if asked.factory.startswith(TORCHVISION):
        return _of_builder(asked.factory.removeprefix(TORCHVISION), keys, asked, sure)
    return _Known(
        keys,
        unknown=(
            "mean and std of training: until you give them, pictures are shown as they are, from 0 to 1",
            "input: the first size that the network takes was chosen; give the size of training",
        ),
        sure=sure,
    )


def _of_torchvision(found: Architecture, asked: Asked) -> _Known:
    keys = _keys(asked, f"{TORCHVISION}{found.builder}", dict(found.arguments))
    if found.prefix not in ("", "module.", "_orig_mod."):
        keys["prefix"] = found.prefix
    keys |= shown(found.builder)
    also = f", but also of {', '.join(found.others)}: make sure which it is" if found.others else ""
    sure = f"all {found.tensors} names and shapes are those of torchvision's {found.builder}{also}"
    return _Known(keys, ASSUMED, sure=sure)


def _of_builder(builder: str, keys: dict[str, Any], asked: Asked, sure: str) -> _Known:
    """A builder that was named: its own weights say how pictures are shown, if it is a classifier."""
    untrained = "checkpoint: without one, and without weights in arguments, the network is an untrained one"
    unknown = () if asked.checkpoint or "weights" in keys.get("arguments", {}) else (untrained,)
    return (
        _Known(keys | shown(builder), ASSUMED, unknown, sure)
        if builder in classifiers()
        else _Known(keys, {}, unknown, sure)
    )


def _keys(asked: Asked, factory: str, arguments: dict[str, Any]) -> dict[str, Any]:
    stem = asked.checkpoint.name.partition(".")[0] if asked.checkpoint else factory.rpartition(":")[2]
    keys: dict[str, Any] = {"name": _name(stem), "factory": factory.replace("$", "$$")}
    if arguments:
        keys["arguments"] = arguments
    if asked.checkpoint is not None:
        keys["checkpoint"] = _path(asked.checkpoint, asked.folder)
    if asked.key is not None:
        keys["key"] = asked.key
    return keys


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text).strip("-._+") or "model"


def _path(path: Path, folder: Path) -> str:
    """As it is written in the file: relative to it where it lies below, with a $ that is meant as one."""
    path, folder = Path(os.path.abspath(path)), Path(os.path.abspath(folder))
    shown = path.relative_to(folder) if path.is_relative_to(folder) else path
    return shown.as_posix().replace("$", "$$")


def _sizes(pictures: Pictures | None) -> list[tuple[int, int]]:
    """The inputs to try: that of the pictures first, where they are small and so were hardly made smaller."""
    size = pictures.size if pictures else None
    return [*([size] if size and max(size) <= SMALL else []), *SIZES]


def _loaded(keys: Mapping[str, Any], folder: Path, sizes: Sequence[tuple[int, int]]) -> Model:
    """The model with the first input that it takes; AuditError in the words of what is wrong."""
    inputs = [keys["input"]] if "input" in keys else [(count, *size) for size in sizes for count in CHANNELS]
    refused = None
    for shape in inputs:
        try:
            return load(_section({**keys, "input": shape}), folder, torch.device("cpu"))
        except SectionError as error:
            if error.option != "input":
                raise AuditError(f"{keys['factory']}: {error}{_advice(error)}") from error
            refused = refused or error
    raise AuditError(f"{keys['factory']} takes none of the usual inputs ({refused}); write audit.toml with its input")


def _advice(error: SectionError) -> str:
    return "; give them with --argument NAME=VALUE" if error.option == "arguments" else ""


def _section(keys: Mapping[str, Any]) -> ModelSection:
    filled = {key: value.replace("$$", "$") if isinstance(value, str) else value for key, value in keys.items()}
    return ModelSection.model_validate_json(json.dumps(filled), strict=True)


def _with_input(known: _Known, model: Model) -> _Known:
    """What was chosen by trying; of torchvision's builders also how their own weights want pictures."""
    if "input" in known.keys:
        return known
    return _Known({**known.keys, "input": list(model.section.input)}, known.comments, known.unknown, known.sure)


def _unknown_labels(pictures: Pictures | None, outline: Outline) -> Iterator[str]:
    outputs = outline.layers[-1].units
    if pictures and pictures.classes and len(pictures.classes) != outputs:
        yield (
            f"labels: {len(pictures.classes)} classes of pictures for {plural(outputs, 'output')}; checks of answers "
            "fail until labels names the outputs, in their order"
        )


# The text


def _head(sure: str) -> str:
    lines = [
        "Written by deepvis-audit init. Run it: deepvis-audit run. What a check means: deepvis-audit explain CHECK."
    ]
    return "".join(f"# {line}\n" for line in (*lines, f"The model: {sure}."))


def _model(known: _Known) -> str:
    lines = ["[[models]]"]
    for key, value in known.keys.items():
        comment = f" # {known.comments[key]}" if key in known.comments else ""
        lines.append(f"{key} = {_value(value)}{comment}")
    if "mean" not in known.keys:
        lines += ["# mean = [0.485, 0.456, 0.406] # ImageNet's, of pixels from 0 to 1", "# std = [0.229, 0.224, 0.225]"]
    lines.append('# labels = "classes.txt" # names of the outputs in their order, one a line')
    return "\n".join(lines) + "\n"


def _data(asked: Asked) -> str:
    pictures = asked.pictures
    if pictures is None:
        lines = ["Without pictures only weights are judged and images optimized. With them, far more:", "[data]"]
        return "".join(f"# {line}\n" for line in (*lines, 'folder = "pictures" # or one folder per class inside'))
    written = f"[data] # {pictures.said}\n{pictures.source} = {_value(_path(pictures.path, asked.folder))}\n"
    return written + "# limit = 1000 # use so many, evenly spread\n"


def _layers(outline: Outline, pictures: bool) -> Iterator[str]:
    """Statistics of all rectified layers and of the output; a handful of units in pictures; what costs more."""
    last = outline.layers[-1].name
    shown = [layer for layer in outline.layers if layer.rectifier and layer.same_as is None]
    shown = shown or [layer for layer in outline.layers if layer.nonlinear and layer.same_as is None]
    first = outline.first_convolution
    if pictures:
        names = list(dict.fromkeys([*_patterns(outline, shown), last]))
        yield _table("Seconds: what every unit does, from one pass over the pictures.", names, ["activations"])
    if first is not None:
        more = ["supplement"] if pictures else []
        yield _table("Seconds: the filters of the first convolution.", [first.name], ["filters", *more], "0-15")
    if pictures and shown:
        note = "A minute: a handful of units in their strongest pictures."
        yield _table(note, [shown[-1].name], ["max-patches", "deconv"], "random:4")
    note = "Minutes, on a CPU: images that excite a unit. All four presets take eight times as long."
    optimized = _table(note, [last], ["optimized"], "random:2")
    yield optimized + 'presets = ["yosinski-3"]\nimages = 1\n'


def _patterns(outline: Outline, wanted: list[Layer]) -> list[str]:
    """Globs that choose exactly these layers, the fewer the better; names where a glob would choose others too."""
    names = {layer.name for layer in wanted}
    patterns: dict[str, None] = {}
    for layer in wanted:
        glob = re.sub(r"\d+", "*", layer.name.replace("[", "?"))
        chosen = {other.name for other in outline.layers if chooses(glob, other)}
        patterns[glob if len(names) > 3 and chosen <= names else layer.name] = None
    return list(patterns)


def _table(note: str, names: list[str], analyses: list[str], units: str | None = None) -> str:
    lines = [f"# {note}", "[[layers]]", f"name = {_wrapped(names)}"]
    lines += [f"units = {_value(units)}"] if units else []
    return "\n".join([*lines, f"analyses = {_value(analyses)}"]) + "\n"


def _wrapped(names: list[str]) -> str:
    line = _value(names[0] if len(names) == 1 else names)
    return line if len(line) <= WIDTH else "[\n" + "".join(f"    {_value(name)},\n" for name in names) + "]"


def _checks(checkpoint: Checkpoint | None, pictures: bool) -> str:
    lines = ["[[checks]]", 'check = "defaults" # all below, at the limits that stand here', ""]
    if checkpoint is not None and checkpoint.claimed_top1 is not None:
        lines.append(
            f"# The checkpoint claims a top-1 accuracy of {checkpoint.claimed_top1:.2f} %, which accuracy holds it to."
        )
    lines.append("# To change a limit, take the # away from the check and the option.")
    for name in registry.names("check"):
        check = registry.load("check", name)
        if check.by_default and (pictures or set(check.needs) <= OF_WEIGHTS):
            lines += ["", "# [[checks]]", f'# check = "{name}"', *_options(check)]
    return "\n".join(lines) + "\n"


def _options(check: Any) -> Iterator[str]:
    for option, info in check.model_fields.items():
        if info.default is None:
            yield f"# # {option}: {info.description}"
        elif not info.is_required():
            yield f"# {option} = {_value(info.default)} # {info.description}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)
