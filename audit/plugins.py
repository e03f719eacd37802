"""Everything that a plugin needs: the marks that announce its components, and the words that these speak.

A plugin is a Python file that `plugins` of audit.toml names, or an installed package. The names of this module stay.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from audit.analyses.task import Task
from audit.ascent.parametrizations import Parametrization
from audit.ascent.regularizers import Regularizer
from audit.ascent.transforms import Transform
from audit.checks.evidence import Check, Evidence
from audit.errors import NotApplicable, Unavailable
from audit.records import Finding, Judgement, Layer, Outline, Pictures, Report, Scalars, Table, Verdict
from audit.registry.announcing import announced
from audit.stream.reducer import Activations, Reducer
from audit.stream.statistics import Asked

__all__ = [
    "Activations",
    "Asked",
    "Check",
    "Evidence",
    "Finding",
    "Judgement",
    "Layer",
    "NotApplicable",
    "Outline",
    "Parametrization",
    "Pictures",
    "Reducer",
    "Regularizer",
    "Report",
    "Scalars",
    "Table",
    "Task",
    "Transform",
    "Unavailable",
    "Verdict",
    "analysis",
    "check",
    "overview",
    "parametrization",
    "regularizer",
    "renderer",
    "statistic",
    "transform",
]

C = TypeVar("C", bound=type)
S = TypeVar("S", bound=Callable[[Asked], Sequence[Reducer]])
R = TypeVar("R", bound=Callable[[Report, Path], None])


def check(name: str) -> Callable[[C], C]:
    """Marks a class made of `Check`, for `check = "name"` of [[checks]]."""
    return announced("check", name)


def analysis(name: str) -> Callable[[C], C]:
    """Marks a class with `needs_data` and `run(task)`, which returns Pictures of the units; for `analyses`."""
    return announced("analysis", name)


def overview(name: str) -> Callable[[C], C]:
    """Marks a class with `run(task)`, which returns Pictures and Tables of the layer, and `said(made)`."""
    return announced("overview", name)


def statistic(name: str) -> Callable[[S], S]:
    """Marks a function that returns the reducers of a layer, for `analyses` and for what a check `needs`."""
    return announced("statistic", name)


def regularizer(name: str) -> Callable[[C], C]:
    """Marks a class made of `Regularizer`, for `regularizers` of a preset."""
    return announced("regularizer", name)


def transform(name: str) -> Callable[[C], C]:
    """Marks a class made of `Transform`, for `transforms` of a preset."""
    return announced("transform", name)


def parametrization(name: str) -> Callable[[C], C]:
    """Marks a class made of `Parametrization`, for `parametrization` of a preset."""
    return announced("parametrization", name)


def renderer(name: str) -> Callable[[R], R]:
    """Marks a function of a Report and its folder, where it writes files; for `renderers` of [audit]."""
    return announced("renderer", name)
