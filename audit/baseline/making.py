"""A stored run -> what the baseline keeps of its model."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from audit.baseline.numbers import Accepted, Entry, Noise
from audit.checks.evidence import Check
from audit.records import Item, Report, Table, Verdict

LIMITS = ("at_most", "at_least", "below_claim")
"""How options begin that say what is good, and do not change what is measured."""


def key(item: Item) -> str:
    """What an item is called in a baseline: LAYER::TASK, or TASK."""
    return item.task if item.layer is None else f"{item.layer}::{item.task}"


def is_limit(option: str) -> bool:
    """Whether an option of a check says what is good, and not what is measured."""
    return option.startswith(LIMITS)


def of_check(check: Check) -> dict[str, Any]:
    """The options that make the number what it is, as JSON has them."""
    return {name: value for name, value in check.model_dump(mode="json").items() if not is_limit(name)}


def accepted(
    report: Report,
    checks: Mapping[str, tuple[str, Check]],
    sheets: Mapping[str, tuple[str, ...]],
    noise: Mapping[str, Noise],
) -> Accepted:
    """What is kept of a run; `checks` are (name of the check, the check) by the names of their items.

    A number that is not finite is left out: nothing can be held against it.
    """
    made_by = report.provenance
    data = made_by["data digest"]
    return Accepted(
        run=made_by["started"],
        weights=made_by["weights digest"],
        data=data if re.fullmatch(r"[0-9a-f]{32,}", data) else None,
        configuration=made_by["configuration digest"],
        code=made_by["code digest"],
        items={
            key(verdict.item): _entry(verdict, *checks[verdict.item.task], noise.get(key(verdict.item)))
            for verdict in numbered(report, checks)
        },
        numbers={name: float(value) for name, value in report.numbers.values.items() if math.isfinite(value)},
        pictures=dict(sheets),
    )


def beside(accepted: Accepted, verdicts: Sequence[Verdict], numbers: Mapping[str, float]) -> Table:
    """The table "baseline": each number that was accepted beside what was measured now (columns then and now)."""
    now = {key(verdict.item): verdict for verdict in verdicts if verdict.measured is not None}
    rows = [
        (verdict.item.layer or "", verdict.item.task, entry.value, float(verdict.measured or 0), entry.unit)
        for name, entry in accepted.items.items()
        if (verdict := now.get(name)) and verdict.unit == entry.unit
    ]
    rows += [("", name, then, numbers[name], "") for name, then in accepted.numbers.items() if name in numbers]
    layers, tasks, before, after, units = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return Table(
        "baseline",
        {
            "layer": np.array(layers, np.str_),
            "number": np.array(tasks, np.str_),
            "then": np.array(before, np.float64),
            "now": np.array(after, np.float64),
            "unit": np.array(units, np.str_),
        },
    )


def numbered(report: Report, checks: Collection[str]) -> list[Verdict]:
    """The verdicts on checks that have a finite number."""
    return [
        verdict
        for verdict in report.verdicts
        if verdict.item.task in checks and verdict.measured is not None and math.isfinite(verdict.measured)
    ]


def _entry(verdict: Verdict, name: str, check: Check, noise: Noise | None) -> Entry:
    assert verdict.measured is not None
    assert verdict.good is not None
    return Entry(name, float(verdict.measured), verdict.unit, verdict.good, of_check(check), noise)
