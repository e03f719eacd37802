"""The fixture `audit` of a user's own tests: numbers and verdicts of an audit.toml, measured when asked for."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from audit.errors import AuditError, nearest
from audit.gate.validation import prepared_audit
from audit.records import Item, Verdict
from audit.session import Session

ALSO = {"fires": "share_of_images"}
"""Other names of columns."""


class UnitNumbers:
    """The numbers of one unit as attributes: `mean`, `std`, `max`, `fires` and whatever else was measured of it."""

    def __init__(self, place: str, numbers: Mapping[str, float]):
        self._place, self._numbers = place, numbers

    def __getattr__(self, name: str) -> float:
        __tracebackhide__ = True
        numbers = self._numbers
        column = ALSO.get(name, name)
        if column not in numbers:
            raise AttributeError(f"{self._place} has no number {name!r}{nearest(name, [*numbers, *ALSO])}")
        return numbers[column]

    def __repr__(self) -> str:
        return f"<{self._place}: {', '.join(f'{name} {value:.4g}' for name, value in self._numbers.items())}>"


class ModelAudit:
    """One model of the audit."""

    def __init__(self, name: str, session: Session, items: list[Item]):
        self.name, self._session, self._items = name, session, items

    def columns(self, layer: str) -> Mapping[str, np.ndarray]:
        """Every number per unit of a layer that [[layers]] chose: {"mean": float64[unit], ...}; LookupError."""
        __tracebackhide__ = True
        return self._session.columns(self.name, layer)

    def unit(self, layer: str, unit: int) -> UnitNumbers:
        """The numbers of a unit of such a layer; LookupError where there is none."""
        __tracebackhide__ = True
        columns = self.columns(layer)
        units = len(next(iter(columns.values())))
        if not 0 <= unit < units:
            raise LookupError(f"{layer} of {self.name} has the units 0 to {units - 1}, and no unit {unit}")
        return UnitNumbers(f"{layer} {unit}", {name: float(column[unit]) for name, column in columns.items()})

    @property
    def numbers(self) -> Mapping[str, float]:
        """Those of the whole model: {"top1": 0.94, ...}."""
        return self._session.numbers(self.name)

    def verdict(self, check: str) -> Verdict:
        """On a check of the audit, by its id without file and model: "conv1::dead-units", "accuracy"; LookupError."""
        __tracebackhide__ = True
        named = {item.name.removeprefix(f"{self.name}::"): item for item in self._items}
        if check not in named:
            raise LookupError(f'{self.name} has no item "{check}"{nearest(check, list(named))}')
        return self._session.evaluate(named[check])


class Audit:
    """The audit of a file; where it has one model, all that can be asked of a model can be asked here."""

    def __init__(self, file: Path):
        self.file = file

    @cached_property
    def models(self) -> Mapping[str, ModelAudit]:
        """By name; the models are loaded now, and pictures shown when a number is asked for."""
        prepared = prepared_audit(self.file)
        items = [item for item in prepared.items(self.file.name) if not prepared.makes_pictures(item.task)]
        session = Session(prepared, items)
        return {
            name: ModelAudit(name, session, [item for item in items if item.model == name]) for name in session.models
        }

    def model(self, name: str) -> ModelAudit:
        """The model of that name; LookupError."""
        __tracebackhide__ = True
        if name not in self.models:
            raise LookupError(
                f'{self.file.name} has no model "{name}" with checks or measured layers'
                f"{nearest(name, list(self.models))}"
            )
        return self.models[name]

    def __getattr__(self, name: str) -> Any:
        __tracebackhide__ = True
        if name.startswith("_") or not hasattr(ModelAudit, name):
            raise AttributeError(name)
        if len(self.models) != 1:
            raise AuditError(
                f"{self.file.name} has {len(self.models)} models: say which, as in "
                f'audit.model("{next(iter(self.models), "NAME")}").{name}'
            )
        return getattr(next(iter(self.models.values())), name)
