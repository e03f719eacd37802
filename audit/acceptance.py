"""Stored runs of an audit's models -> its baseline, if they are fit to be one."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from audit import baseline, events, store
from audit.baseline import Accepted, Baseline, Noise
from audit.baseline.making import numbered
from audit.baseline.numbers import FEWEST
from audit.checks.evidence import Check
from audit.errors import AuditError, nearest
from audit.measurement import code_digest
from audit.plan import Prepared
from audit.records import REFUSED, Item, Report, Verdict
from audit.session import Session
from audit.words import listed, plural

SEEDS = 2**32


@dataclass(frozen=True)
class Wish:
    """Which model (None: all), how often the checks are repeated (0: not), and whether failed items are accepted.

    `reports` is where the runs are, the audit's own folder by default.
    """

    model: str | None = None
    repeats: int = 0
    even_failed: bool = False
    reports: Path | None = None


@dataclass(frozen=True)
class Asked:
    """A valid wish: the models of the audit, and the baseline as it is."""

    prepared: Prepared
    names: tuple[str, ...]
    before: Baseline
    wish: Wish

    @property
    def file(self) -> Path:
        """Where the baseline is."""
        return self.prepared.config.baseline

    def folder(self, name: str) -> Path:
        """The latest run of a model."""
        config = self.prepared.config
        return (self.wish.reports or config.file.parent / config.audit.report) / name / "latest"


@dataclass(frozen=True)
class Acceptance:
    """The baseline before, and as it is to be; `numberless` are the ids of checks that have no number to keep."""

    before: Baseline
    after: Baseline
    numberless: tuple[str, ...]


def refuse_in_ci(environment: Mapping[str, str] = os.environ) -> None:
    """AuditError where CI is set: what is compared with must not be written by what is compared."""
    if environment.get("CI"):
        raise AuditError(
            "CI is set, and no baseline is written there: a run would be held against itself. Accept on your own "
            "machine, look at what changed, and commit the file"
        )


def asked(wish: Wish, prepare: Callable[[], Prepared]) -> Asked:
    """What a wish means in an audit; AuditError where the audit, its baseline or the wish is wrong."""
    if 0 < wish.repeats < FEWEST:
        raise AuditError(f"--repeats {wish.repeats}: the spread of fewer than {FEWEST} runs says nothing")
    prepared = prepare()
    names = tuple(prepared.subjects)
    if wish.model is not None and wish.model not in names:
        raise AuditError(f'no model "{wish.model}" in {prepared.config.file.name}{nearest(wish.model, names)}')
    chosen = names if wish.model is None else (wish.model,)
    return Asked(prepared, chosen, baseline.read_baseline(prepared.config.baseline), wish)


def accept(asked: Asked, listener: events.Listener) -> Acceptance:
    """The baseline with the latest stored run of each model; AuditError, naming every reason, where one is unfit.

    Nothing is written. The models that the wish does not name stay as they were.
    """
    reports = {name: store.read(asked.folder(name)) for name in asked.names}
    unfit = [reason for name in asked.names for reason in _unfit(asked, reports[name], name)]
    if unfit:
        raise AuditError("\n".join(unfit))
    models = {name: _accepted(asked, reports[name], name, listener) for name in asked.names}
    others = {} if asked.wish.model is None else asked.before.models
    checks = _components(asked.prepared)
    return Acceptance(asked.before, Baseline({**others, **models}), tuple(_numberless(reports, checks)))


def _components(prepared: Prepared) -> dict[str, tuple[str, Check]]:
    """(name of the check, the check) by the names of their items."""
    return {chosen.name: (chosen.section.check, chosen.check) for chosen in prepared.config.checks}


def _unfit(asked: Asked, report: Report, name: str) -> Iterator[str]:
    """Why a run cannot be accepted, a sentence each."""
    prepared = asked.prepared
    again = f'run it again: "deepvis-audit run {prepared.config.file.name}"'
    begun = f"{name}: the latest run (started {report.provenance.get('started', 'at a time that is not known')})"
    made_by = {
        "configuration digest": (prepared.config.digest, f"another {prepared.config.file.name}"),
        "weights digest": (prepared.subjects[name].model.digest, "another checkpoint"),
        "code digest": (code_digest(), "another version of the program"),
    }
    other = [what for key, (digest, what) in made_by.items() if report.provenance.get(key) != digest]
    if other:
        yield f"{begun} was of {' and '.join(other)}; {again}"
        return
    evaluated = {replace(verdict.item, file=prepared.config.file.name) for verdict in report.verdicts}
    lacking = [item.id for item in _checks(prepared, name) if item not in evaluated]
    if lacking:
        yield f"{begun} did not evaluate {plural(len(lacking), 'check')}: {listed(lacking, 5)}; {again}"
    bad = [verdict for verdict in report.verdicts if _refuses(prepared, verdict)]
    errors = [verdict.item.id for verdict in bad if verdict.outcome == "error"]
    failed = [verdict.item.id for verdict in bad if verdict.outcome != "error"]
    if errors:
        yield f"{begun} has {plural(len(errors), 'item')} in error: {listed(errors, 5)}; see its report, and {again}"
    if failed and not asked.wish.even_failed:
        yield (
            f"{begun} has {plural(len(failed), 'item')} that failed: {listed(failed, 5)}; to accept it all the same, "
            "say --even-failed"
        )


def _refuses(prepared: Prepared, verdict: Verdict) -> bool:
    """Whether an item stands against its run; that a number changed does not: accepting is how a change is taken."""
    changes = prepared.subjects[verdict.item.model].changes
    return verdict.outcome in REFUSED and (verdict.outcome == "error" or verdict.item.task not in changes)


def _checks(prepared: Prepared, name: str) -> list[Item]:
    """The items of a model that have a number."""
    subject, file = prepared.subjects[name], prepared.config.file.name
    return [item for item in subject.items(file) if subject.check(item) and item.task not in subject.changes]


def _accepted(asked: Asked, report: Report, name: str, listener: events.Listener) -> Accepted:
    checks = _components(asked.prepared)
    items = [verdict.item for verdict in numbered(report, checks)]
    noise = _noise(asked, name, items, listener) if asked.wish.repeats else {}
    return baseline.accepted(report, checks, store.sheet_digests(asked.folder(name)), noise)


def _noise(asked: Asked, name: str, items: Sequence[Item], listener: events.Listener) -> dict[str, Noise]:
    """What the checks measure with other seeds, by the keys of a baseline; nothing is published."""
    repeats = asked.wish.repeats
    measured: dict[Item, list[float]] = {item: [] for item in items}
    with events.work(listener, f"{name}: {repeats} runs with other seeds", repeats * len(items)) as advance:
        for repeat in range(1, repeats + 1):
            session = Session(_with_seed(asked.prepared, repeat), items, asked.wish.reports, listener)
            for item in items:
                measured[item].append(_number(session, item, repeat))
                advance(1)
    return {baseline.key(item): _spread(numbers) for item, numbers in measured.items()}


def _number(session: Session, item: Item, repeat: int) -> float:
    verdict = session.evaluate(item)
    if verdict.measured is None or not np.isfinite(verdict.measured):
        raise AuditError(f"{item.id} has no number in repeated run {repeat}: {verdict.message}")
    return verdict.measured


def _with_seed(prepared: Prepared, repeat: int) -> Prepared:
    section = prepared.config.audit
    seeded = section.model_copy(update={"seed": (section.seed + repeat) % SEEDS})
    return replace(prepared, config=replace(prepared.config, audit=seeded))


def _spread(numbers: list[float]) -> Noise:
    """Mean and standard deviation; numbers that are all the same have none, whatever their sum rounds to."""
    if len(set(numbers)) == 1:
        return Noise(len(numbers), numbers[0], 0.0)
    return Noise(len(numbers), float(np.mean(numbers)), float(np.std(numbers, ddof=1)))


def _numberless(reports: Mapping[str, Report], checks: Mapping[str, object]) -> Iterator[str]:
    for report in reports.values():
        kept = {verdict.item for verdict in numbered(report, tuple(checks))}
        of_checks = (verdict.item for verdict in report.verdicts if verdict.item.task in checks)
        yield from (item.id for item in of_checks if item not in kept)
