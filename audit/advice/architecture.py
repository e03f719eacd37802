"""A state dict -> the classifier of torchvision that it fits in every name and shape."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from audit.errors import AuditError
from audit.words import listed

Shapes = Mapping[str, tuple[int, ...]]

USUAL_CLASSES = 1000
TRIED = 4  # builders whose count of numbers is nearest
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
HEADS = ("fc", "classifier", "heads", "head")
WITH_AUX = ("googlenet", "inception_v3")


@dataclass(frozen=True)
class Architecture:
    """A builder of torchvision that fits exactly, its arguments, and the prefix of all names in the file.

    `others` are builders that fit as well; `tensors` is how many names and shapes agree.
    """

    builder: str
    arguments: Mapping[str, Any]
    prefix: str
    tensors: int
    classes: int
    others: tuple[str, ...]


def recognised(state: Mapping[str, Tensor], file: str) -> Architecture:
    """The builder that a state dict fits in every name and shape; AuditError, saying what to give, if none does."""
    prefix = _prefix(list(state))
    there_is = {name.removeprefix(prefix): tuple(value.shape) for name, value in state.items()}
    classes = _classes(there_is)
    tried = [(builder, arguments, _shapes(builder, arguments)) for builder, arguments in _candidates(there_is, classes)]
    fitting = [(builder, arguments) for builder, arguments, wanted in tried if _same(there_is, wanted)]
    if not fitting:
        raise AuditError(_unknown(file, there_is, tried))
    (builder, arguments), *others = fitting
    return Architecture(
        builder,
        arguments,
        prefix,
        len(there_is),
        classes,
        tuple(dict.fromkeys(name for name, _ in others)),
    )


def _prefix(names: list[str]) -> str:
    """What all names begin with, up to a dot: "module.", "model.", "module.backbone."."""
    prefix = ""
    while True:
        firsts = {name.removeprefix(prefix).partition(".")[0::2] for name in names}
        heads = {head for head, rest in firsts if rest}
        if len(heads) != 1 or any(not rest for _, rest in firsts) or not names:
            return prefix
        prefix += f"{heads.pop()}."


def _head(shapes: Shapes) -> list[str]:
    """Weight and bias of the last layer, whatever the order of the file: of fc, classifier.6, heads.head."""
    heads = [name.rpartition(".")[0] for name in shapes if name.partition(".")[0] in HEADS and name.endswith(".bias")]
    last = max(heads, key=lambda name: [int(part) for part in re.findall(r"\d+", name)], default="")
    return [name for name in (f"{last}.weight", f"{last}.bias") if name in shapes]


def _classes(shapes: Shapes) -> int:
    """The outputs of the last layer; ImageNet's where none is found."""
    head = _head(shapes)
    return shapes[head[0]][0] if head else USUAL_CLASSES


def _candidates(shapes: Shapes, classes: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Builders that have about as many numbers, the nearest first, with so many classes."""
    from torchvision.models import get_model_weights

    count = _numbers(shapes, classes)
    known = {name: next(iter(get_model_weights(name))).meta["num_params"] for name in classifiers()}
    arguments = {} if classes == USUAL_CLASSES else {"num_classes": classes}
    with_aux = WITH_AUX if any(name.lower().startswith("aux") for name in shapes) else ()
    for name in (*with_aux, *sorted(known, key=lambda name: abs(known[name] - count))[:TRIED]):
        yield name, arguments
        if name in WITH_AUX:
            yield name, {**arguments, "aux_logits": False}


def _numbers(shapes: Shapes, classes: int) -> int:
    """How many parameters there would be with ImageNet's classes in place of these."""
    sizes = {name: torch.Size(shape).numel() for name, shape in shapes.items() if not name.endswith(BUFFERS)}
    head = sum(sizes[name] for name in _head(shapes))
    return sum(sizes.values()) + head * (USUAL_CLASSES - classes) // max(1, classes)


def _shapes(builder: str, arguments: Mapping[str, Any]) -> Shapes:
    from torchvision.models import get_model

    with _cheap_weights():
        network = get_model(builder, weights=None, **_quiet(builder), **arguments)
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def _quiet(builder: str) -> dict[str, Any]:
    return {"init_weights": False} if builder in WITH_AUX else {}


@contextmanager
def _cheap_weights() -> Iterator[None]:
    """Inside, modules are made without their random numbers: only shapes are wanted."""
    kept = {name: value for name, value in vars(nn.init).items() if name.endswith("_") and callable(value)}
    for name in kept:
        setattr(nn.init, name, lambda tensor, *_, **__: tensor)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(nn.init, name, value)


def _same(there_is: Shapes, wanted: Shapes) -> bool:
    """Every name and shape, but for the counters that old checkpoints do not have."""
    return {name: shape for name, shape in wanted.items() if name in there_is or not _is_counter(name)} == there_is


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _unknown(file: str, there_is: Shapes, tried: list[tuple[str, dict[str, Any], Shapes]]) -> str:
    near = {name: sum(there_is.get(key) == shape for key, shape in wanted.items()) for name, _, wanted in tried}
    told = [f"{name} ({fit} of {len(there_is)})" for name, fit in sorted(near.items(), key=lambda one: -one[1]) if fit]
    nearest = f"; the nearest are {listed(told)} by names and shapes" if told else ""
    return (
        f"{file} holds {len(there_is)} tensors, the first {next(iter(there_is), 'none')}, and fits none of "
        f"torchvision's {len(classifiers())} classifiers in every name and shape{nearest}. Say what makes its "
        "network: --factory package.module:function, --factory file.py:function, or --factory torchvision:NAME with "
        "--argument NAME=VALUE for what it takes"
    )


def classifiers() -> list[str]:
    """The builders of torchvision that make classifiers of pictures."""
    import torchvision.models

    return list(torchvision.models.list_models(module=torchvision.models))


def shown(builder: str) -> dict[str, Any]:
    """How torchvision's own weights of a classifier want their pictures, as keys of [[models]]."""
    from torchvision.models import get_model_weights

    weights = get_model_weights(builder)
    wanted = getattr(weights, "DEFAULT", next(iter(weights))).transforms()
    size = wanted.crop_size[0]
    return {
        "input": [3, size, size],
        "mean": list(wanted.mean),
        "std": list(wanted.std),
        "resize": max(size, wanted.resize_size[0]),
    }
