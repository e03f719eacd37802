"""A model and what was planted in it -> the product's default audit of it, and what became of the defect."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isnan, nan
from pathlib import Path
from typing import Any, Literal

from audit.checks.accuracy import Accuracy
from audit.errors import AuditError
from audit.plan import Prepared, prepare
from audit.records import Finding, Verdict
from audit.session import Session
from tests.audits import section
from tests.defects.definitions import Planting, definitions
from tests.defects.healthy import Healthy
from tests.defects.recipes import Planted

FILE = "audit.toml"
BAR = "accuracy"
"""The check that knows how accurate the healthy checkpoint is, as its owner would have set it."""

Alarm = tuple[str, str | None]  # a check, and the layer it looked at


@dataclass(frozen=True)
class Audited:
    """Verdicts of an audit, the accuracy in percent (NaN where it could not be had), and why there was no audit."""

    verdicts: tuple[Verdict, ...] = ()
    refused: str = ""

    @property
    def accuracy(self) -> float:
        """Top-1, in percent."""
        measured = [verdict.measured for verdict in self.verdicts if verdict.item.task == BAR]
        return nan if not measured or measured[0] is None else measured[0]

    @property
    def alarms(self) -> Mapping[Alarm, Verdict]:
        """What was judged and failed, or could not be judged."""
        return {_alarm(verdict): verdict for verdict in self.verdicts if verdict.outcome == "failed"}

    @property
    def errors(self) -> Mapping[Alarm, str]:
        """Where the program itself or the data failed: no detection, whatever the exit code."""
        return {_alarm(verdict): verdict.message for verdict in self.verdicts if verdict.outcome == "error"}


@dataclass(frozen=True)
class Outcome:
    """What the audit of a planted model shows that the healthy one's did not.

    `alarms` are the checks that fail anew, `findings` those that failed before and now find something at the defect's
    place; `at_place` says whether any of them points there. `before` and `after` are accuracies in percent. `errors`
    are checks that broke down anew: they count as nothing found.
    """

    planting: Planting
    before: float
    after: float
    alarms: frozenset[str]
    findings: frozenset[str]
    at_place: bool
    refused: str = ""
    errors: frozenset[str] = frozenset()

    @property
    def cost(self) -> float:
        """Points of accuracy lost; NaN if unknown."""
        return self.before - self.after

    @property
    def found(self) -> bool:
        """Whether anything shows."""
        return bool(self.alarms or self.findings or self.refused)

    @property
    def named(self) -> frozenset[str]:
        """The expected checks that show it."""
        return (self.alarms | self.findings) & self.planting.defect.expected

    @property
    def by(self) -> Literal["named", "other", "accuracy", "nothing"]:
        """Who shows it: a check that names the defect, others, only the accuracy that its owner knows, or nothing."""
        if self.named:
            return "named"
        if (self.alarms | self.findings) - {BAR} or self.refused:
            return "other"
        return "accuracy" if self.found else "nothing"

    @property
    def must_be_found(self) -> bool:
        """A unit or layer is broken outright, or accuracy is lost or unknown."""
        costly = isnan(self.cost) or self.cost >= definitions().points
        return self.planting.defect.found == "always" or (self.planting.defect.found == "costly" and costly)

    @property
    def must_not_be_found(self) -> bool:
        """Nothing is wrong with it."""
        return self.planting.defect.found == "never"


def write_audit(folder: Path, healthy: Healthy, planted: Planted | None = None) -> Path:
    """An audit.toml with [[models]] and [data] alone, of the healthy checkpoint or of a planted one beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    table = dict(healthy.table)
    shown: Mapping[str, Any] = {}
    if planted is not None:
        table = {name: value for name, value in table.items() if name not in ("key", "prefix")} | dict(planted.shown)
        table["checkpoint"] = str(healthy.save(planted.state, folder))
        shown = planted.pictures
    arguments = {"source": healthy.source, "count": healthy.subject.pictures, **shown}
    data = {"factory": "tests.defects.pictures:pictures", "arguments": arguments, "batch": healthy.subject.batch}
    text = section("[audit]", device="cpu") + section("[[models]]", **table) + section("[data]", **data)
    (folder / FILE).write_text(text, encoding="utf-8")
    return folder / FILE


def audited(file: Path, kept: Path, at_least: float = 0.0) -> Audited:
    """The default audit in this process, without a report; `at_least` is the accuracy asked for, in percent.

    `kept` is where finished work is kept and found again.
    """
    try:
        prepared = _with_bar(prepare(file), at_least)
    except AuditError as error:
        return Audited(refused=str(error))
    items = prepared.items(FILE)
    session = Session(prepared, items, kept)
    return Audited(tuple(session.evaluate(item) for item in items))


def compared(planting: Planting, planted: Planted, before: Audited, after: Audited) -> Outcome:
    """What is new in the audit of the planted model."""
    new = {alarm: verdict for alarm, verdict in after.alarms.items() if alarm not in before.alarms}
    worse = {
        alarm: verdict
        for alarm, verdict in after.alarms.items()
        if alarm in before.alarms and _new_findings(planting, planted, before.alarms[alarm], verdict)
    }
    return Outcome(
        planting,
        before.accuracy,
        after.accuracy,
        frozenset(task for task, _ in new),
        frozenset(task for task, _ in worse),
        any(_at_place(planting, planted, finding) for verdict in new.values() for finding in verdict.findings)
        or bool(worse),
        after.refused,
        frozenset(task for task, layer in after.errors if (task, layer) not in before.errors),
    )


def false_alarms(healthy: Healthy, audit: Audited) -> dict[str, Verdict]:
    """Check@layer -> what the audit of the healthy checkpoint says though it is not so."""
    return {
        f"{task}@{layer}" if layer else task: verdict
        for (task, layer), verdict in audit.alarms.items()
        if task not in healthy.subject.true_findings
    }


def _with_bar(prepared: Prepared, at_least: float) -> Prepared:
    """The same audit, with the accuracy that its owner asks for."""
    subjects = {
        name: replace(subject, model_checks={**subject.model_checks, BAR: Accuracy(at_least=at_least)})
        for name, subject in prepared.subjects.items()
    }
    return replace(prepared, subjects=subjects)


def _alarm(verdict: Verdict) -> Alarm:
    return verdict.item.task, verdict.item.layer


def _new_findings(planting: Planting, planted: Planted, before: Verdict, after: Verdict) -> bool:
    known = {(finding.layer, finding.unit) for finding in before.findings}
    new = [finding for finding in after.findings if (finding.layer, finding.unit) not in known]
    return any(_at_place(planting, planted, finding) for finding in new)


def _at_place(planting: Planting, planted: Planted, finding: Finding) -> bool:
    """Whether a finding is about the broken units, the broken part, or anything at all where everything is broken."""
    layers = planting.layers
    if layers is None:
        return True
    if finding.layer is None or not any(f"{finding.layer}.".startswith(f"{layer}.") for layer in layers):
        return False
    return finding.unit is None or not planted.units or finding.unit in planted.units
