"""The text of a JSON file -> where each of its keys stands."""

import json
import re
from collections.abc import Sequence

Place = tuple[str | int, ...]

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[][{},]')


class JsonPositions:
    """Line and column of the keys of a text that is JSON; `twice` are those that stand a second time in one object."""

    def __init__(self, text: str):
        self.text = text
        self.offsets: dict[Place, int] = {}
        self.twice: list[Place] = []
        self._scan()

    def of(self, place: Sequence[str | int]) -> tuple[int, int]:
        """(line, column), from 1, of a place or of what is nearest around it."""
        known = (tuple(place[:length]) for length in range(len(place), 0, -1))
        offset = next((self.offsets[key] for key in known if key in self.offsets), 0)
        return self.text.count("\n", 0, offset) + 1, offset - self.text.rfind("\n", 0, offset)

    def _scan(self) -> None:
        path: list[str | int] = []
        waiting = False  # for the key of an object
        for token in TOKEN.finditer(self.text):
            mark = token[0]
            if mark in ("{", "["):
                path.append("" if mark == "{" else 0)
                waiting = mark == "{"
            elif mark in ("}", "]"):
                path.pop()
                waiting = False
            elif mark == ",":
                waiting = isinstance(path[-1], str)
                path[-1] = path[-1] if isinstance(path[-1], str) else path[-1] + 1
            elif waiting:
                path[-1], waiting = json.loads(mark), False
                self._note(tuple(path), token.start())

    def _note(self, place: Place, offset: int) -> None:
        if self.offsets.setdefault(place, offset) != offset:
            self.twice.append(place)
            self.offsets[place] = offset
