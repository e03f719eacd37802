"""The end of a run: reports on disk, a few lines for the terminal, and an exit status that is never too good."""

import traceback
from collections.abc import Iterator, Sequence

import pytest

from audit.errors import AuditError
from audit.examination import STOPPED
from audit.gate import outputs
from audit.gate.nodes import AuditFile
from audit.gate.text import printable
from audit.records import Outcome, Report, Verdict
from audit.session import Published


def finish(session: pytest.Session, files: Sequence[AuditFile]) -> list[str]:
    """Publishes every audit that had a selected item and came to run; returns what to say."""
    lines: list[str] = []
    try:
        for file in files:
            if file.selected and (_ran_through(session) or file.audit.evaluated):
                lines += _published(session, file)
    except KeyboardInterrupt:
        session.exitstatus = pytest.ExitCode.INTERRUPTED
        lines.append("interrupted while the report was made")
    reports = [report for file in files for report in file.reports]
    return [*map(printable, lines), *outputs.written(session, reports)]


def _ran_through(session: pytest.Session) -> bool:
    """Whether nothing stopped pytest before its end: then items without a verdict are the audit's own fault."""
    return session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)


def _published(session: pytest.Session, file: AuditFile) -> Iterator[str]:
    for model in file.audit.models:
        try:
            published = file.audit.publish(model)
        except (AuditError, OSError) as error:
            _fail(session)
            yield f"{model}: no report: {error}"
        except Exception:
            _fail(session)
            yield f"{model}: no report, because the program itself failed:\n{traceback.format_exc()}"
        else:
            yield from _lines(published)
            outcomes = {verdict.outcome for verdict in published.report.verdicts}
            if published.failures or not _may_be_good(session, outcomes):
                _fail(session)


def _may_be_good(session: pytest.Session, outcomes: set[Outcome]) -> bool:
    """Whether something has passed, or the user allowed by name that nothing has."""
    allowed = session.config.getoption("--audit-allow").split(",")
    nothing: set[Outcome] = {outcome for outcome in ("skipped", "waived") if f"all-{outcome}" in allowed}
    return "passed" in outcomes or outcomes <= nothing


def _fail(session: pytest.Session) -> None:
    """Makes a good exit status a bad one; a bad one stays what it is."""
    session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def _lines(published: Published) -> Iterator[str]:
    report = published.report
    accuracy = report.numbers.values.get("top1")
    yield f"{report.model}: {_counts(report)}" + ("" if accuracy is None else f"; top-1 accuracy {accuracy:.2%}")
    for verdict in report.verdicts:
        if verdict.outcome == "waived" and verdict.waiver:
            yield f"  {verdict.item.name} {verdict.waiver.said}"
    yield f"  report {published.latest / 'report.html'}"
    if published.no_pdf is not None:
        yield f"  no PDF: {published.no_pdf}"
    if published.warning is not None:
        yield f"  {published.warning}"
    yield from (f"  {failure}" for failure in published.failures)


def _counts(report: Report) -> str:
    """`3 failed, 12 passed`; where nothing passed, that this is why the run has failed."""
    words = [_word(verdict) for verdict in report.verdicts]
    counted = ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words), key=ORDER.index))
    if set(words) <= {"in error", "skipped", "not evaluated"}:
        return f"{counted}; nothing was evaluated, so nothing has passed"
    return (
        counted if set(words) - {"waived", "skipped"} else f"{counted}; what failed is waived, and nothing has passed"
    )


ORDER = ("failed", "in error", "waiver-expired", "waiver-unused", "passed", "waived", "skipped", "not evaluated")


def _word(verdict: Verdict) -> str:
    if verdict.message == STOPPED:
        return "not evaluated"
    return "in error" if verdict.outcome == "error" else verdict.outcome
