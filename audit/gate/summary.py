"""The end of a run: reports on disk, a few lines for the terminal, and an exit status that is never too good."""

from collections.abc import Iterator, Sequence

import pytest

from audit.errors import AuditError
from audit.gate.nodes import AuditFile, printable
from audit.records import Report
from audit.session import Published


def finish(session: pytest.Session, files: Sequence[AuditFile]) -> list[str]:
    """Publishes every audit that had a selected item; returns what to say."""
    lines: list[str] = []
    for file in files:
        if file.selected:
            lines += _published(session, file)
    return lines


def _published(session: pytest.Session, file: AuditFile) -> list[str]:
    try:
        published = file.audit.publish()
    except (AuditError, OSError) as error:
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        return [f"no report of {file.nodeid}: {error}"]
    for each in published:
        if not any(verdict.outcome in ("passed", "failed") for verdict in each.report.verdicts):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
    return [line for each in published for line in _lines(each)]


def _lines(published: Published) -> Iterator[str]:
    yield f"{printable(published.report.model)}: {_counts(published.report)}"
    yield f"  report {published.latest / 'report.html'}"
    if published.no_pdf is not None:
        yield f"  no PDF: {published.no_pdf}"


def _counts(report: Report) -> str:
    outcomes = [verdict.outcome for verdict in report.verdicts]
    counted = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes))
    accuracy = report.numbers.values.get("top1")
    return counted + ("" if accuracy is None else f"; top-1 accuracy {accuracy:.2%}")
