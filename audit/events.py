"""What a run says while it works; progress bars and viewers listen, nothing in the core prints."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@contextmanager
def work(listener: Listener, name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Tells `listener` of a piece of work; yields the function that reports steps done."""
    listener.begin(name, total)
    try:
        yield lambda steps: listener.advance(name, steps)
    finally:
        listener.end(name)
