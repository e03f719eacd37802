"""What a plugin's analysis or overview returned -> records that fit the task, and so can be stored and shown."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from audit.analyses.task import Task
from audit.errors import PluginError
from audit.records import Pictures, Table
from audit.registry import is_own, place


def pictures(returned: Any, name: str, task: Task) -> Pictures:
    """The pictures of the task's units; PluginError, beginning with the place, where they do not fit."""
    for amiss in _amiss(returned, name, task, units=task.units):
        raise PluginError(f'{place("analysis", name)}: the analysis "{name}" {amiss}')
    return _plain(returned)


def overview(returned: Any, name: str, task: Task) -> list[Pictures | Table]:
    """The pictures of the layer, and the tables behind them; PluginError where they do not fit."""
    made = list(returned) if isinstance(returned, Sequence) else []
    for amiss in _overview_amiss(made, name, task):
        raise PluginError(f'{place("overview", name)}: the overview "{name}" {amiss}')
    return [_plain(made[0]), *made[1:]]


def _overview_amiss(made: Sequence[Any], name: str, task: Task) -> Iterator[str]:
    if not made:
        yield "has to return a list: first Pictures, then tables"
    yield from _amiss(made[0], name, task, units=tuple(range(len(made[0].names))) if _is_pictures(made[0]) else ())
    if not made[0].names:
        yield "has pictures without names; `names` says what each row is"
    for table in made[1:]:
        if not isinstance(table, Table) or not is_own(name, table.name):
            yield f"has to give tables called {name}, or {name}_ and more, so that they are no other's"
        if any(np.asarray(column).dtype.kind not in "biufU" for column in table.columns.values()):
            yield f'has a table "{table.name}" with columns that are neither numbers nor texts'
        if len({np.shape(column) for column in table.columns.values()}) != 1 or "layer" not in table.columns:
            yield f'has a table "{table.name}" whose columns are of different lengths, or lack "layer"'


def _amiss(made: Any, name: str, task: Task, *, units: tuple[int, ...]) -> Iterator[str]:
    """What does not fit, the first thing first: those after it may not make sense."""
    if not _is_pictures(made):
        yield f"returned a {type(made).__name__}; it has to return Pictures"
    if (made.layer, made.kind) != (task.layer.name, name):
        yield f'returned pictures of "{made.layer}" and kind "{made.kind}"; layer={task.layer.name!r} and kind={name!r}'
    if tuple(made.units) != units:
        yield f"returned pictures of {len(made.units)} units, and not those that were asked for: task.units"
    shape = np.shape(made.tiles)
    if len(shape) != 5 or shape[0] != len(units) or shape[-1] != 3 or 0 in shape or made.tiles.dtype != np.uint8:
        yield f"returned tiles of shape {shape}; they are uint8 of (unit, tile, y, x, 3), a row per unit"
    if [len(row) for row in made.captions] != [shape[1]] * shape[0]:
        yield "needs a caption per tile: captions[unit][tile]"
    if not made.groups or shape[1] % len(made.groups):
        yield f"has {len(made.groups)} groups of {shape[1]} tiles; groups are of equal length, one at least"
    for column, values in made.numbers.items():
        if not is_own(name, column) or np.shape(values) != shape[:2]:
            yield f'has numbers "{column}"; they are called {name}, or {name}_ and more, and are one per tile'


def _plain(made: Pictures) -> Pictures:
    """With texts and numbers of the types that are stored."""
    return replace(
        made,
        units=tuple(map(int, made.units)),
        captions=tuple(tuple(map(str, row)) for row in made.captions),
        groups=tuple(map(str, made.groups)),
        note=str(made.note),
        numbers={column: np.array(values, dtype=np.float64) for column, values in made.numbers.items()},
        names=tuple(map(str, made.names)),
    )


def _is_pictures(made: Any) -> bool:
    return isinstance(made, Pictures)
