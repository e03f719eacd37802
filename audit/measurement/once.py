"""A value that is made when it is first asked for."""

from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """A value that is made when it is first asked for. What went wrong then stays wrong: there is no second try."""

    def __init__(self, make: Callable[[], T]):
        self._make, self._made = make, list[T]()
        self._failure: Exception | None = None
        self._where: TracebackType | None = None

    @property
    def done(self) -> bool:
        """Whether it was made."""
        return bool(self._made)

    def __call__(self) -> T:
        if self._failure is not None:
            raise self._failure.with_traceback(self._where)
        if not self._made:
            try:
                self._made.append(self._make())
            except Exception as failure:
                self._failure, self._where = failure, failure.__traceback__
                raise
        return self._made[0]
