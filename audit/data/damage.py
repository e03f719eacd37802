"""Pictures that cannot be shown: each is left out and listed with its reason, and too many end the run."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from audit.errors import DataError
from audit.records import Table

NAMED = 10


@dataclass(frozen=True)
class Damaged:
    """A picture that could not be read, or not be made into the model's input."""

    index: int
    name: str
    reason: str


class PictureError(DataError):
    """One picture that cannot be shown; the others can."""

    def __init__(self, name: str, reason: str):
        self.name, self.reason = name, reason
        super().__init__(f'cannot show the picture "{name}": {reason}; repair or remove it')


class Damages:
    """The damaged ones among `pictures`, of which `percent` may be damaged.

    One picture always may, unless `percent` is 0: a single bad file does not end an audit of fifty. At least one
    picture must be readable, whatever `percent` says.
    """

    def __init__(self, pictures: int, percent: int | float):
        self.pictures, self.percent = pictures, percent
        self.allowed = max(1, int(pictures * percent / 100)) if percent > 0 else 0
        self._found: list[Damaged] = []

    @classmethod
    def of(cls, table: Table, pictures: int, percent: int | float) -> "Damages":
        """What an earlier run found, judged by today's limit; DataError where that is passed."""
        damages = cls(pictures, percent)
        columns = (table.columns[name].tolist() for name in ("image", "name", "reason"))
        for index, name, reason in zip(*columns, strict=True):
            damages.note(Damaged(index, name, reason))
        damages.settle()
        return damages

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Damaged]:
        return iter(self._found)

    def note(self, damaged: Damaged) -> None:
        """One more; DataError, with the first of them, as soon as there are too many."""
        self._found.append(damaged)
        if len(self) > self.allowed:
            raise DataError(
                f"{len(self)} damaged pictures so far; of {self.pictures} no more than {self.allowed} may be "
                f"(damaged = {self.percent:g} percent). Repair or remove them, or raise `damaged` in [data]:\n{self}"
            )

    def settle(self) -> None:
        """After the last picture: DataError if there was no readable one."""
        if self.pictures and len(self) >= self.pictures:
            raise DataError(f"none of the {self.pictures} pictures can be shown:\n{self}")

    def table(self) -> Table:
        """One row per damaged picture: its index ("image"), name and reason."""
        return Table(
            "damaged",
            {
                "image": np.array([damaged.index for damaged in self], np.int64),
                "name": np.array([damaged.name for damaged in self], np.str_),
                "reason": np.array([damaged.reason for damaged in self], np.str_),
            },
        )

    def __str__(self) -> str:
        lines = [f'  "{damaged.name}": {damaged.reason}' for damaged in self._found[:NAMED]]
        return "\n".join([*lines, f"  and {len(self) - NAMED} more"] if len(self) > NAMED else lines)
