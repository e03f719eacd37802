"""What a run says while it works; progress bars and viewers listen, nothing in the core prints."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol, runtime_checkable


@runtime_checkable
class Listener(Protocol):
    """Hears of every piece of work that may take long."""

    def begin(self, work: str, total: int) -> None:
        """`work` starts and will take `total` steps."""

    def advance(self, work: str, steps: int) -> None:
        """`steps` more steps of `work` are done."""

    def end(self, work: str) -> None:
        """`work` is over, done or not."""


class Silence:
    """Listens to nothing: the default where nobody watches."""

    def begin(self, work: str, total: int) -> None: ...

    def advance(self, work: str, steps: int) -> None: ...

    def end(self, work: str) -> None: ...


@dataclass(frozen=True)
class Step:
    """A piece of work that is over: what it took, and the peak of the process's memory until then (None: not known)."""

    work: str
    seconds: float
    peak_mib: float | None


class Clock:
    """Hands on what it hears, and notes what each piece of work took."""

    def __init__(self, listener: Listener):
        self.listener = listener
        self.steps: list[Step] = []
        self._begun: dict[str, float] = {}

    def begin(self, work: str, total: int) -> None:
        self._begun[work] = perf_counter()
        self.listener.begin(work, total)

    def advance(self, work: str, steps: int) -> None:
        self.listener.advance(work, steps)

    def end(self, work: str) -> None:
        self.listener.end(work)
        if work in self._begun:
            self.steps.append(Step(work, perf_counter() - self._begun.pop(work), _peak_mib()))


def _peak_mib() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB elsewhere


@contextmanager
def work(listener: Listener, name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Tells `listener` of a piece of work; yields the function that reports steps done."""
    listener.begin(name, total)
    try:
        yield lambda steps: listener.advance(name, steps)
    finally:
        listener.end(name)
