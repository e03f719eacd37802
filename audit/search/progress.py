"""How far a search is, as a bar on the terminal with the time left; nothing where nobody watches."""

import os
import sys
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Bar:
    """A listener for one piece of work at a time; the bars vanish when the block ends."""

    def __init__(self) -> None:
        watched = sys.stderr.isatty() and not os.environ.get("CI")
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
        times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        self.bars = Progress(*columns, *times, console=Console(stderr=True), transient=True, disable=not watched)
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Bar":
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def begin(self, work: str, total: int) -> None:
        self.tasks[work] = self.bars.add_task(work, total=total)

    def advance(self, work: str, steps: int) -> None:
        self.bars.advance(self.tasks[work], steps)

    def end(self, work: str) -> None:
        self.bars.remove_task(self.tasks.pop(work))
