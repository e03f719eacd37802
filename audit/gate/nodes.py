"""audit.toml -> pytest's collectors and items: FILE::MODEL::LAYER::TASK."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import pytest

from audit.errors import ConfigError
from audit.gate.plugin import PREPARED
from audit.gate.progress import listener
from audit.plan import Prepared, pictures, prepare
from audit.records import Item, Verdict
from audit.session import Session

WORST_SHOWN = 10


class NotPassed(Exception):
    """An item whose verdict is not "passed"."""

    def __init__(self, verdict: Verdict):
        self.verdict = verdict
        super().__init__(verdict.message)


class AuditFile(pytest.File):
    """One audit.toml; its models are loaded when it is collected, its pictures when an item runs."""

    def collect(self) -> Iterator[pytest.Collector]:
        for name in self.prepared.subjects:
            items = [item for item in self.prepared.items(self.nodeid) if item.model == name]
            yield ModelNode.from_parent(self, name=name, audit_items=items)

    @cached_property
    def prepared(self) -> Prepared:
        """The valid audit; a CollectError with every mistake of the file otherwise."""
        known = self.config.stash.get(PREPARED, {}).get(self.path)
        try:
            return known or prepare(self.path)
        except ConfigError as error:
            raise self.CollectError(str(error)) from None

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


class ModelNode(pytest.Collector):
    """A model of the audit."""

    def __init__(self, *, audit_items: Sequence[Item], **node: object):
        super().__init__(**node)  # type: ignore[arg-type]
        self.audit_items = audit_items

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        for item in self.audit_items:
            if item.layer is None:
                yield AuditItem.from_parent(self, name=item.task, item=item)
        for layer in dict.fromkeys(item.layer for item in self.audit_items if item.layer is not None):
            items = [item for item in self.audit_items if item.layer == layer]
            yield LayerNode.from_parent(self, name=layer, audit_items=items)


class LayerNode(pytest.Collector):
    """A layer of a model."""

    def __init__(self, *, audit_items: Sequence[Item], **node: object):
        super().__init__(**node)  # type: ignore[arg-type]
        self.audit_items = audit_items

    def collect(self) -> Iterator[pytest.Item]:
        for item in self.audit_items:
            yield AuditItem.from_parent(self, name=item.task, item=item)


class AuditItem(pytest.Item):
    """A check or an analysis."""

    def __init__(self, *, item: Item, **node: object):
        super().__init__(**node)  # type: ignore[arg-type]
        self.item = item

    @property
    def audit_file(self) -> AuditFile:
        """The file that it comes from."""
        file = self.getparent(AuditFile)
        assert isinstance(file, AuditFile)
        return file

    def runtest(self) -> None:
        verdict = self.audit_file.audit.evaluate(self.item)
        self.user_properties += [
            (name, value) for name in ("measured", "limit") if (value := getattr(verdict, name)) is not None
        ]
        if verdict.outcome != "passed":
            raise NotPassed(verdict)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        if isinstance(excinfo.value, NotPassed):
            return "\n".join(explained(excinfo.value.verdict))
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.nodeid


def explained(verdict: Verdict) -> Iterator[str]:
    """What was measured, the limit, what it means, and the worst units; control characters made harmless."""
    yield f"{printable(verdict.item.id)}: {verdict.outcome}"
    if verdict.measured is not None and verdict.limit is not None:
        unit = f" {verdict.unit}" if verdict.unit else ""
        yield f"  measured {verdict.measured:.4g}{unit}, needed {verdict.good} {verdict.limit:.4g}{unit}"
    yield from (f"  {printable(line)}" for line in verdict.message.splitlines())
    for finding in verdict.findings[:WORST_SHOWN]:
        place = (
            ""
            if finding.layer is None
            else f"{finding.layer}" + ("" if finding.unit is None else f", unit {finding.unit}") + ": "
        )
        yield f"    {printable(place + finding.message)}"
    if len(verdict.findings) > WORST_SHOWN:
        yield f"    and {len(verdict.findings) - WORST_SHOWN} more: see the report"


def printable(text: str) -> str:
    """Text of strangers for the terminal: nothing in it moves the cursor or colours the screen."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def in_order(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Items of audits in place of each other: per file and model first what the pass decides, then the pictures."""
    items = list(items)
    places = [place for place, item in enumerate(items) if isinstance(item, AuditItem)]
    audits = [item for item in items if isinstance(item, AuditItem)]
    groups = {
        key: number for number, key in enumerate(dict.fromkeys((item.item.file, item.item.model) for item in audits))
    }
    audits.sort(key=lambda item: (groups[item.item.file, item.item.model], pictures(item.item.task)))
    for place, item in zip(places, audits, strict=True):
        items[place] = item
    return items
