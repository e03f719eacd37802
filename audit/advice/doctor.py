"""A machine and perhaps an audit.toml -> the table of what is ok, slow and broken."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from audit.advice.diagnosis import Symptom, symptoms
from audit.errors import AuditError
from audit.render.plain import plain

COLOURS = {"ok": "green", "slow": "yellow", "broken": "red"}


def diagnosis(file: Path | None) -> list[Symptom]:
    """Everything that was looked at; AuditError where a file was named that is not there."""
    if file is not None and not file.is_file():
        raise AuditError(f'no file "{file}"; name the audit.toml to look at, or none')
    found = list(symptoms(_reports(file)))
    if file is not None:
        from audit.advice.workload import loads

        found += loads(file)
    return found


def _reports(file: Path | None) -> Path:
    """Where reports go: as the file says, where it can be read."""
    from audit.config import read_partly

    if file is None:
        return Path("reports")
    try:
        return file.parent / read_partly(file)[0].audit.report
    except AuditError:  # which is told with the file itself
        return file.parent / "reports"


def table(found: Sequence[Symptom]) -> Table:
    """One row per thing: its state, what was seen, what to do."""
    shown = Table("", "state", "seen", "what to do", show_edge=False, pad_edge=False)
    for symptom in found:
        state = f"[{COLOURS[symptom.state]}]{symptom.state}[/]"
        shown.add_row(_text(symptom.thing), state, _text(symptom.seen), _text(symptom.advice))
    return shown


def _text(of: str) -> Text:
    """Neither markup nor anything that moves the cursor."""
    return Text(plain(of, len(of)))
