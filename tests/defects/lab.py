"""A model and what was planted in it -> the product's default audit of it, and what became of the defect."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import isnan, nan
from pathlib import Path
from typing import Any, Literal

from audit.checks.accuracy import Accuracy
from audit.errors import AuditError
from audit.plan import Prepared, prepare
from audit.records import Finding, Item, Verdict
from audit.session import Session
from tests.audits import section
from tests.defects.definitions import Planting, definitions
from tests.defects.healthy import Healthy, healthy
from tests.defects.recipes import Planted, planted

FILE = "audit.toml"
BAR = "accuracy"
"""The check that knows how accurate the healthy checkpoint is, as its owner would have set it."""

LAST_RELU = ".relu#2"
"""A residual block's second ReLU is its output: defects.toml names the block."""

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
        broken = [verdict for verdict in self.verdicts if verdict.outcome == "error"]
        return {_alarm(verdict): verdict.message.strip().rpartition("\n")[2] for verdict in broken}


@dataclass(frozen=True)
class Outcome:
    """What the audit of a planted model shows that the healthy one's did not.

    `alarms` are the checks that fail anew, `findings` those that failed before and now find something at the defect's
    place; `at_place` says whether any of them points there. `before` and `after` are accuracies in percent. `errors`
    are checks that broke down anew: they count as nothing found. `said` is what the expected checks said instead.
    """

    planting: Planting
    before: float
    after: float
    alarms: frozenset[str]
    findings: frozenset[str]
    at_place: bool
    refused: str = ""
    errors: frozenset[str] = frozenset()
    said: tuple[str, ...] = ()

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


def write_audit(folder: Path, whole: Healthy, made: Planted | None = None) -> Path:
    """An audit.toml with [[models]] and [data] alone, of the healthy checkpoint or of a planted one beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    table = dict(whole.table)
    shown: Mapping[str, Any] = {}
    if made is not None:
        table = {name: value for name, value in table.items() if name not in ("key", "prefix")} | dict(made.shown)
        table["checkpoint"] = str(whole.save(made.state, folder))
        shown = made.pictures
    arguments = {"source": whole.source, "count": whole.subject.pictures, **shown}
    data = {"factory": "tests.defects.pictures:pictures", "arguments": arguments, "batch": whole.subject.batch}
    text = section("[audit]", device="cpu") + section("[[models]]", **table) + section("[data]", **data)
    (folder / FILE).write_text(text, encoding="utf-8")
    return folder / FILE


def audited(file: Path, kept: Path, at_least: float | None = None) -> Audited:
    """The default audit in this process, without a report; `at_least` is the accuracy in percent that its owner wants.

    `kept` is where finished work is kept and found again.
    """
    try:
        prepared = prepare(file)
    except AuditError as error:
        return Audited(refused=str(error))
    asked = prepared if at_least is None else _with_bar(prepared, at_least)
    items = [item for item in asked.items(FILE) if _is_judged(asked, item)]
    session = Session(asked, items, kept)
    return Audited(tuple(session.evaluate(item) for item in items))


@dataclass(frozen=True)
class Reference:
    """The healthy model: what the default audit says of it, and the same where its owner knows its accuracy."""

    plain: Audited
    known: Audited


def reference(model: str, folder: Path) -> Reference:
    """Audits the healthy checkpoint; ValueError where its accuracy cannot be had."""
    whole = healthy(model)
    file = write_audit(folder / model / "healthy", whole)
    made = Reference(audited(file, folder / model), audited(file, folder / model, at_least=0.0))
    if isnan(made.known.accuracy):
        said = made.known.refused or [verdict.message for verdict in made.known.verdicts if verdict.item.task == BAR]
        raise ValueError(f"the lab needs the accuracy of the healthy {model}: {said}")
    return made


def trial(planting: Planting, before: Audited, folder: Path) -> Outcome:
    """Plants a defect, audits the result, and compares it with the healthy one's audit."""
    whole = healthy(planting.subject.name)
    made = planted(whole, planting)
    file = write_audit(folder_of(planting, folder), whole, made)
    bar = before.accuracy - definitions().points
    return compared(planting, made, before, audited(file, folder / planting.subject.name, max(0.0, bar)))


def folder_of(planting: Planting, folder: Path) -> Path:
    """Where the planted checkpoint and its audit.toml are written."""
    return folder / planting.id


def compared(planting: Planting, made: Planted, before: Audited, after: Audited) -> Outcome:
    """What is new in the audit of the planted model."""
    new = {alarm: verdict for alarm, verdict in after.alarms.items() if alarm not in before.alarms}
    worse = {
        alarm: verdict
        for alarm, verdict in after.alarms.items()
        if alarm in before.alarms and _new_findings(planting, made, before.alarms[alarm], verdict)
    }
    return Outcome(
        planting,
        before.accuracy,
        after.accuracy,
        frozenset(task for task, _ in new),
        frozenset(task for task, _ in worse),
        any(_at_place(planting, made, finding) for verdict in new.values() for finding in verdict.findings)
        or bool(worse),
        after.refused,
        frozenset(task for task, layer in after.errors if (task, layer) not in before.errors),
        tuple(_said(planting, after)),
    )


def false_alarms(whole: Healthy, audit: Audited) -> dict[str, str]:
    """Check@layer -> what the audit of the healthy checkpoint says though it is not so, or why it broke down."""
    said = {alarm: verdict.message for alarm, verdict in audit.alarms.items()}
    wrong = {alarm: text for alarm, text in said.items() if not _is_so(whole, audit.alarms[alarm])}
    broken = {alarm: f"broke down: {text}" for alarm, text in audit.errors.items()}
    refused: dict[Alarm, str] = {("audit", None): audit.refused} if audit.refused else {}
    return {
        f"{task}@{layer}" if layer else task: text for (task, layer), text in {**wrong, **broken, **refused}.items()
    }


def _is_judged(prepared: Prepared, item: Item) -> bool:
    """Whether the item is a check: statistics and studies for the report find nothing."""
    subject = prepared.subjects[item.model]
    checks = subject.model_checks if item.layer is None else subject.layer_checks.get(item.layer, {})
    return item.task in checks


def _with_bar(prepared: Prepared, at_least: float) -> Prepared:
    """The same audit, with the accuracy that its owner asks for."""
    subjects = {
        name: replace(subject, model_checks={**subject.model_checks, BAR: Accuracy(at_least=at_least)})
        for name, subject in prepared.subjects.items()
    }
    return replace(prepared, subjects=subjects)


def _is_so(whole: Healthy, verdict: Verdict) -> bool:
    """Whether a check of the healthy model fails for something that is truly there."""
    subject, task = whole.subject, verdict.item.task
    so = {"dead-units": subject.silent, "rare-units": subject.silent, "constant-units": subject.weightless}.get(
        task, {}
    )
    units = [(str(finding.layer).removesuffix(LAST_RELU), finding.unit) for finding in verdict.findings]
    true_units = bool(units) and all(unit in so.get(layer, ()) for layer, unit in units)
    return task in subject.true_findings or true_units


def _alarm(verdict: Verdict) -> Alarm:
    return verdict.item.task, verdict.item.layer


def _said(planting: Planting, after: Audited) -> Iterator[str]:
    """What each expected check says, of the whole model or at the place; or that there is none."""
    for task in sorted(planting.defect.expected):
        asked = [verdict for verdict in after.verdicts if verdict.item.task == task]
        there = [verdict for verdict in asked if verdict.item.layer is None or _is_at(planting, verdict.item.layer)]
        if not asked:
            yield f"{task}: not among the default checks of this model"
        yield from (f"{task}: {verdict.outcome}: {' '.join(verdict.message.split())[:300]}" for verdict in there[:1])


def _new_findings(planting: Planting, made: Planted, before: Verdict, after: Verdict) -> bool:
    known = {(finding.layer, finding.unit) for finding in before.findings}
    new = [finding for finding in after.findings if (finding.layer, _was(planting, made, finding)) not in known]
    return any(_at_place(planting, made, finding) for finding in new)


def _was(planting: Planting, made: Planted, finding: Finding) -> int | None:
    """The unit's number in the healthy checkpoint."""
    moved = made.order and finding.unit is not None and _is_at(planting, finding.layer)
    return made.order[finding.unit] if moved and finding.unit is not None else finding.unit


def _at_place(planting: Planting, made: Planted, finding: Finding) -> bool:
    """Whether a finding is about the broken units, the broken part, or anything at all where everything is broken."""
    if not _is_at(planting, finding.layer):
        return False
    return finding.unit is None or not made.units or finding.unit in made.units


def _is_at(planting: Planting, layer: str | None) -> bool:
    """Whether a layer is one of the broken ones, or lies in a broken part; any is where everything is broken."""
    broken = planting.layers
    return broken is None or (layer is not None and any(f"{layer}.".startswith(f"{name}.") for name in broken))
