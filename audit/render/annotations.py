"""Reports -> GitHub's annotations: a workflow command for each refused item, at most ten, the last says how many more.

GitHub keeps ten errors of a step and drops the rest without a word.
"""

from collections.abc import Iterator, Sequence

from audit.records import REFUSED, Report, Verdict
from audit.render.pages.verdicts import headline
from audit.render.plain import plain
from audit.render.ranked import numbers, place, refused

MOST = 10
TITLE = 255
MOST_NAME = 4096
"""Of the name of a file: as long as names may be."""


def annotations(reports: Sequence[Report]) -> str:
    """A line for each; empty where nothing is refused."""
    lines = [*_of_runs(reports), *(_of_item(verdict) for _, verdict in refused(reports))]
    if len(lines) > MOST:
        more = f"and {len(lines) - MOST + 1} more: see the report"
        lines = [*lines[: MOST - 1], command("deepvis-audit", more)]
    return "".join(f"{line}\n" for line in lines)


def command(title: str, message: str, file: str | None = None, line: int = 1) -> str:
    """The workflow command of an error; whatever the texts hold, it is one command and one line."""
    where = "" if file is None else f"file={_property(plain(file, MOST_NAME))},line={line},"
    return f"::error {where}title={_property(plain(title, TITLE))}::{_data(plain(message))}"


def _of_runs(reports: Sequence[Report]) -> Iterator[str]:
    """Of runs that have failed although no item of theirs is refused: nothing passed."""
    for report in reports:
        if report.outcome in REFUSED and not any(verdict.outcome in REFUSED for verdict in report.verdicts):
            yield command(f"{report.model}: {report.audit}", headline(report))


def _of_item(verdict: Verdict) -> str:
    message = "\n".join(part for part in (verdict.message, numbers(verdict)) if part)
    return command(place(verdict), message, verdict.item.file, verdict.line)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
