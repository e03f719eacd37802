"""Audits of the demo model with plugins, in this process and without a PDF."""

import os
from pathlib import Path
from unittest.mock import patch

from audit.plan import prepare
from audit.records import Report
from audit.session import Published, Session
from tests.audits import environment


def audited(path: Path, text: str, **files: str) -> Published:
    """What is published of the model of the audit.toml with that text; `files` lie beside it, by their names."""
    path.mkdir(exist_ok=True)
    for name, content in {**files, "audit.toml": text}.items():
        (path / name).write_text(content, encoding="utf-8")
    prepared = prepare(path / "audit.toml")
    items = prepared.items("audit.toml")
    session = Session(prepared, items)
    for item in items:
        session.evaluate(item)
    with patch.dict(os.environ, environment()):  # a machine that lacks what PDFs need
        return session.publish(session.models[0])


def outcomes(report: Report) -> dict[str, str]:
    """Item id -> outcome."""
    return {verdict.item.id: verdict.outcome for verdict in report.verdicts}


def messages(report: Report) -> dict[str, str]:
    """Task -> message."""
    return {verdict.item.task: verdict.message for verdict in report.verdicts}
