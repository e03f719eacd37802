"""audit.toml -> pytest's collectors and items: FILE::MODEL::LAYER::TASK."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from audit.errors import ConfigError
from audit.gate.marks import announce, marks
from audit.gate.plugin import PREPARED
from audit.gate.progress import listener
from audit.gate.text import in_a_line, printable
from audit.plan import Prepared, prepare
from audit.records import Item, Report, Verdict
from audit.render.wording import needed
from audit.session import Session
from audit.words import with_unit

WORST_SHOWN = 10


class NotPassed(Exception):  # noqa: N818  # a verdict, not a fault of the program
    """An item whose verdict is not "passed"."""

    def __init__(self, verdict: Verdict):
        self.verdict = verdict
        super().__init__(verdict.message)


class AuditFile(pytest.File):
    """One audit.toml; its models are loaded when it is collected, its pictures when an item runs."""

    def collect(self) -> Iterator[pytest.Collector]:
        if hasattr(self.config, "workerinput"):
            raise self.CollectError(f"{self.path.name} is audited in one process: run it without -n")
        items = self.prepared.items(self.nodeid)
        announce(self.config, (mark for item in items for mark in marks(item, self.prepared)))
        for name in self.prepared.subjects:
            own = [item for item in items if item.model == name]
            yield ModelNode.from_parent(self, name=in_a_line(name), audit_items=own)

    @cached_property
    def prepared(self) -> Prepared:
        """The valid audit; a CollectError with every mistake of the file otherwise."""
        known = self.config.stash.get(PREPARED, {}).get(self.path)
        try:
            return known or prepare(self.path)
        except ConfigError as error:
            seen = error.seen_from(self.config.invocation_params.dir)
            raise self.CollectError(printable(str(seen))) from None

    @property
    def selected(self) -> list["AuditItem"]:
        """The items of this file that pytest selected."""
        return [item for item in self.session.items if isinstance(item, AuditItem) and item.audit_file is self]

    @cached_property
    def audit(self) -> Session:
        """The session that evaluates exactly the selected items."""
        folder = self.config.getoption("--audit-report")
        return Session(
            self.prepared,
            [item.item for item in self.selected],
            Path(folder).absolute() if folder else None,
            listener(self.config),
        )

    @property
    def reports(self) -> list[Report]:
        """What was reported of its models, also where the report could not be written."""
        return list(self.audit.reports.values()) if "audit" in vars(self) else []


class ModelNode(pytest.Collector):
    """A model of the audit."""

    def __init__(self, *, audit_items: Sequence[Item], **node: object):
        super().__init__(**node)  # type: ignore[arg-type]
        self.audit_items = audit_items

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        for item in self.audit_items:
            if item.layer is None:
                yield AuditItem.from_parent(self, name=in_a_line(item.task), item=item)
        for layer in dict.fromkeys(item.layer for item in self.audit_items if item.layer is not None):
            items = [item for item in self.audit_items if item.layer == layer]
            yield LayerNode.from_parent(self, name=in_a_line(layer), audit_items=items)


class LayerNode(pytest.Collector):
    """A layer of a model."""

    def __init__(self, *, audit_items: Sequence[Item], **node: object):
        super().__init__(**node)  # type: ignore[arg-type]
        self.audit_items = audit_items

    def collect(self) -> Iterator[pytest.Item]:
        for item in self.audit_items:
            yield AuditItem.from_parent(self, name=in_a_line(item.task), item=item)


class AuditItem(pytest.Item):
    """A check or an analysis."""

    def __init__(self, *, item: Item, **node: object):
        super().__init__(**node)  # type: ignore[arg-type]
        self.item = item
        for mark in marks(item, self.audit_file.prepared):
            self.add_marker(mark)

    @property
    def audit_file(self) -> AuditFile:
        """The file that it comes from."""
        file = self.getparent(AuditFile)
        assert isinstance(file, AuditFile)
        return file

    def runtest(self) -> None:
        verdict = self.audit_file.audit.evaluate(self.item)
        self.user_properties += [("file", self.item.file), ("line", verdict.line)]
        self.user_properties += [
            (name, value) for name in ("measured", "limit") if (value := getattr(verdict, name)) is not None
        ]
        if verdict.outcome == "skipped":
            pytest.skip(verdict.message)
        if verdict.outcome == "waived" and verdict.waiver:
            pytest.xfail(printable(f"{verdict.message}; {verdict.waiver.said}"))
        if verdict.outcome != "passed":
            raise NotPassed(verdict)

    def skipped(self, report: pytest.TestReport) -> None:
        """The verdict of an item that somebody's mark or hook skipped, unless it has one."""
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        self.audit_file.audit.skip(self.item, reason.removeprefix("Skipped: "))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> Any:
        if isinstance(excinfo.value, NotPassed):
            return Explanation(excinfo.value.verdict)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The last part heads a failure; were it the end of the id, pytest would take its dots for modules."""
        place = "" if self.item.layer is None else f" of {in_a_line(self.item.layer)}"
        return self.path, 0, f"{self.item.model}: {self.name}{place}"


@dataclass(frozen=True)
class Crash:
    """What pytest shows on the one line of its short summary, with --tb=line, and in JUnit's `message`."""

    message: str

    def __str__(self) -> str:
        return self.message


class Explanation:
    """A verdict that is not "passed", as pytest shows failures: in a line, and at length."""

    def __init__(self, verdict: Verdict):
        self.lines = list(explained(verdict))
        self.reprcrash = Crash(self.lines[0])

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def toterminal(self, terminal: Any) -> None:
        """First what is wrong, as pytest marks the errors of ordinary tests."""
        terminal.line(self.lines[0], red=True, bold=True)
        for line in self.lines[1:]:
            terminal.line(line)


def explained(verdict: Verdict) -> Iterator[str]:
    """The reason on one line; then what was measured and needed, and the worst units."""
    first, *more = printable(verdict.message).splitlines() or ["no reason was given"]
    measured = _measured(verdict)
    yield ("error: " if verdict.outcome == "error" else "") + first
    yield from (f"  {line}" for line in (*more, *measured))
    yield from (f"    {printable(str(finding))}" for finding in verdict.findings[:WORST_SHOWN])
    if len(verdict.findings) > WORST_SHOWN:
        yield f"    and {len(verdict.findings) - WORST_SHOWN} more: see the report"


def _measured(verdict: Verdict) -> list[str]:
    if verdict.measured is None or verdict.limit is None:
        return []
    return [f"measured {_written(verdict.measured, verdict.unit)}, needed {needed(verdict, _written)}"]


def _written(value: float | None, unit: str) -> str:
    return "" if value is None else with_unit(value, unit, 4)


def in_order(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Items of audits in place of each other: per file and model first what the pass decides, then the pictures."""
    items = list(items)
    places = [place for place, item in enumerate(items) if isinstance(item, AuditItem)]
    audits = [item for item in items if isinstance(item, AuditItem)]
    groups = {
        key: number for number, key in enumerate(dict.fromkeys((item.item.file, item.item.model) for item in audits))
    }
    audits.sort(
        key=lambda item: (
            groups[item.item.file, item.item.model],
            item.audit_file.prepared.makes_pictures(item.item.task),
        )
    )
    for place, item in zip(places, audits, strict=True):
        items[place] = item
    return items
