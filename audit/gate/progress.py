"""Progress bars on the terminal, with the time left, for work of more than a second; none where nobody watches."""

import os
import threading
from typing import Any

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from audit.events import Listener, Silence
from audit.gate.text import printable

PATIENCE = 1.0


def listener(config: pytest.Config) -> Listener:
    """Bars on an interactive terminal, silence in CI, in pipes and with -q -q."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or os.environ.get("CI") or not reporter.isatty:
        return Silence()
    return Bars(reporter)


class Bars:
    """One bar at a time, below what pytest has written; it leaves nothing behind."""

    def __init__(self, reporter: Any):
        self.reporter = reporter
        self.console = Console(file=reporter._tw._file, force_terminal=True)
        self.timer: threading.Timer | None = None
        self.bar: Progress | None = None

    def begin(self, work: str, total: int) -> None:
        self.end(work)
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        self.bar.add_task(printable(work), total=total)
        self.timer = threading.Timer(PATIENCE, self._show, (self.bar,))
        self.timer.daemon = True
        self.timer.start()

    def advance(self, work: str, steps: int) -> None:
        if self.bar is not None:
            self.bar.advance(self.bar.task_ids[0], steps)

    def end(self, work: str) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer.join()
        if self.bar is not None:
            self.bar.stop()
        self.timer = self.bar = None

    def _show(self, bar: Progress) -> None:
        self.reporter.ensure_newline()
        bar.start()
