"""The reducers of a plugin's statistic -> reducers whose faults are their own, in a pass that others share."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from audit import registry
from audit.errors import PluginError, Unavailable
from audit.records import Scalars
from audit.render.pages.columns import COLUMNS
from audit.store.table import KEYS
from audit.stream.reducer import Activations, Reducer
from audit.stream.statistics import Asked


def guarded(statistic: str, asked: Asked, units: int) -> list[Reducer]:
    """What the plugin's function returns for a layer with so many units; what goes wrong is said by `compute`."""
    make = registry.load("statistic", statistic)
    try:
        return [Guarded(statistic, reducer, units) for reducer in _reducers(statistic, make(asked))]
    except Exception as error:
        return [Guarded(statistic, None, units, _failure(statistic, error))]


class Guarded:
    """A plugin's reducer. After its first fault it is asked no more, and `compute` raises PluginError with that."""

    def __init__(self, statistic: str, reducer: Reducer | None, units: int, failure: PluginError | None = None):
        self.statistic, self.reducer, self.units, self.failure = statistic, reducer, units, failure

    def update(self, batch: Activations) -> None:
        if self.reducer is not None and self.failure is None:
            try:
                self.reducer.update(batch)
            except Exception as error:
                self.failure = _failure(self.statistic, error)

    def merge(self, other: "Guarded") -> None:
        self.failure = self.failure or other.failure
        if self.reducer is not None and self.failure is None:
            self.reducer.merge(other.reducer)

    def compute(self, layer: str) -> Scalars:
        if self.failure is not None:
            raise self.failure
        assert self.reducer is not None, "without one there is a failure"
        try:
            return _sound(self.statistic, layer, self.reducer.compute(layer), self.units)
        except Unavailable:
            raise
        except Exception as error:
            raise _failure(self.statistic, error) from None


def _reducers(statistic: str, made: Any) -> Sequence[Reducer]:
    if not isinstance(made, list | tuple) or not made or not all(isinstance(one, Reducer) for one in made):
        raise _wrong(statistic, "has to return a list of reducers: objects with update, merge and compute")
    return made


def _sound(statistic: str, layer: str, record: Any, units: int) -> Scalars:
    """The record with columns of float64 and names that are the statistic's own; PluginError for anything else."""
    if not isinstance(record, Scalars):
        raise _wrong(statistic, f"has computed a {type(record).__name__}; compute returns Scalars(layer, columns)")
    columns = {str(name): np.array(column, dtype=np.float64) for name, column in record.columns.items()}
    for name, column in columns.items():
        if not registry.is_own(statistic, name) or name in (*COLUMNS, *KEYS):
            own = statistic.replace("-", "_")
            raise _wrong(statistic, f'has a column "{name}"; name it {own}, or {own}_ and more: others have theirs')
        if column.shape != (units,):
            raise _wrong(statistic, f'has a column "{name}" of shape {column.shape}; {layer} has {units} units')
    return Scalars(layer, columns)


def _wrong(statistic: str, words: str) -> PluginError:
    return PluginError(f'{registry.place("statistic", statistic)}: the statistic "{statistic}" {words}')


def _failure(statistic: str, error: Exception) -> PluginError:
    """The error by its line in the plugin."""
    if isinstance(error, PluginError):
        return error
    return registry.plugins().blame(error) or _wrong(statistic, f"failed: {type(error).__name__}: {error}")
