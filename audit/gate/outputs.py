"""The end of a run: its reports as the files that were asked for, and what GitHub shows of a step that it runs."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from audit.errors import AuditError, StoreError
from audit.gate.text import printable
from audit.records import Report
from audit.render.annotations import annotations
from audit.render.exports import FILES, Render, put
from audit.render.markdown import SUMMARY, markdown

Write = Callable[[Sequence[Report]], list[str]]
ON_GITHUB, STEP_SUMMARY = "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"


def written(session: pytest.Session, reports: Sequence[Report]) -> list[str]:
    """Writes all that is wanted; returns the lines to print. What cannot be written makes a good exit status bad."""
    lines: list[str] = []
    for name, write in _wanted(session.config):
        try:
            if not reports:
                raise StoreError("no report was made")
            lines += write(reports)
        except KeyboardInterrupt:
            session.exitstatus = pytest.ExitCode.INTERRUPTED
            return [*lines, f"interrupted while {name} was made"]
        except Exception as error:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
            lines.append(printable(f"no {name}: {_reason(error)}"))
    return lines


def _wanted(config: pytest.Config) -> Iterator[tuple[str, Write]]:
    """Each output by its name, as what writes it and says what to print."""
    github = os.environ.get(ON_GITHUB) == "true"
    for name, render in FILES.items():
        path = config.getoption(f"--audit-{name}")
        if path:
            yield name, partial(_to_file, name, render, config.invocation_params.dir / path)
    if github and os.environ.get(STEP_SUMMARY):
        yield "summary of the step", _append
    if github or config.getoption("--audit-annotations"):
        yield "annotations", lambda reports: annotations(reports).splitlines()


def _to_file(name: str, render: Render, path: Path, reports: Sequence[Report]) -> list[str]:
    return [printable(f"  {name} {put(render(reports), path)}")]


def _append(reports: Sequence[Report]) -> list[str]:
    """To the summary of the step, which others may have begun: within what GitHub takes of all together."""
    path = Path(os.environ[STEP_SUMMARY])
    size = path.stat().st_size if path.exists() else 0
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(markdown(reports, SUMMARY - size))
    return []


def _reason(error: Exception) -> str:
    """In a sentence, whatever went wrong."""
    if isinstance(error, AuditError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror or error}"
    return f"the program itself failed: {type(error).__name__}: {error}"
