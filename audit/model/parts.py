"""What a layer returned, a tensor or a container of several -> its tensors, each with a name."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass

from torch import Tensor

MAIN = frozenset({"logits", "out"})
"""Names of the output, among several, that is the network's answer."""


def path_of(name: str, modules: Collection[str]) -> str:
    """The module of a layer's name: without the part of its output, without the number of the call."""
    without_part = name if name in modules else name.partition(":")[0]
    return without_part if without_part in modules else without_part.partition("#")[0]


def parts_of(name: str, output: object) -> Iterator[tuple[str, Tensor]]:
    """The tensors of what a layer returned, and their names; a tensor alone has the layer's own."""
    if isinstance(output, Tensor):
        yield name, output
        return
    for key, value in _members(output):
        yield from parts_of(f"{name}:{key}", value)


def main_last(parts: Collection[str]) -> list[str]:
    """The first one, or the one that is named so, stands for the network: it comes last, the others before it."""
    backwards = list(reversed(list(parts)))
    return sorted(backwards, key=lambda part: part.rpartition(":")[2] in MAIN)


def _members(output: object) -> Iterable[tuple[object, object]]:
    if isinstance(output, Mapping):
        return output.items()
    if is_dataclass(output):
        return [(field.name, getattr(output, field.name)) for field in fields(output)]
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return zip(output._fields, output, strict=True)
    return enumerate(output) if isinstance(output, (tuple, list)) else ()
