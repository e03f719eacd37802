"""Progress bars on the terminal, with the time left, for work of more than a second; none where nobody watches."""

import os
import threading
from typing import Any, TextIO

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from audit.events import Listener, Silence
from audit.gate.text import printable

PATIENCE = 1.0


def listener(config: pytest.Config) -> Listener:
    """Bars on an interactive terminal; silence in CI, in pipes, with -q, and with -s, where anything may print."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    watched = reporter is not None and reporter.isatty and config.get_verbosity() >= 0
    if not watched or os.environ.get("CI") or config.option.capture == "no":
        return Silence()
    return Bars(reporter, _terminal(config, reporter))


def _terminal(config: pytest.Config, reporter: Any) -> TextIO:
    """The terminal itself, also while pytest captures what is printed."""
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled():
        descriptor = os.dup(reporter._tw._file.fileno())
    terminal = os.fdopen(descriptor, "w", encoding=reporter._tw._file.encoding, errors="replace")
    config.add_cleanup(terminal.close)
    return terminal


class Bars:
    """One bar at a time, on a line of its own below pytest's; it vanishes and pytest's line goes on where it was."""

    def __init__(self, reporter: Any, terminal: TextIO):
        self.reporter, self.terminal = reporter, terminal
        self.timer: threading.Timer | None = None
        self.bar: Progress | None = None

    def begin(self, work: str, total: int) -> None:
        self.end(work)
        self.bar = self._bar()
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
        if self.bar is not None and self.bar.live.is_started:
            self.bar.stop()
            self._write(f"\x1b[1A\x1b[{self.reporter._tw.width_of_current_line + 1}G")  # up, and to the end of its line
        self.timer = self.bar = None

    def _bar(self) -> Progress:
        columns = os.get_terminal_size(self.terminal.fileno()).columns or 80
        return Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(file=self.terminal, force_terminal=True, width=columns),
            transient=True,
            redirect_stdout=False,  # pytest captures what is printed
            redirect_stderr=False,
        )

    def _show(self, bar: Progress) -> None:
        self._write("\n")
        bar.start()

    def _write(self, text: str) -> None:
        self.terminal.write(text)
        self.terminal.flush()
