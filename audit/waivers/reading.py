"""The file of waivers -> waivers of items that there are, and every mistake with its line."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from audit.config import Section
from audit.config.json_schema import of
from audit.config.mistakes import Mistake, translate, unknown_key
from audit.config.reading import document, problem_at
from audit.config.sections import Positive, Text
from audit.errors import ConfigError, nearest
from audit.records import Item, Waiver

DEFAULT = "waivers.toml"


class WaiverSection(Section):
    """A `[[waivers]]` table: which failures pass, why, by whom, until when, and how far."""

    items: Text = Field(description="The item's id without the file, MODEL::LAYER::CHECK, or a glob of ids.")
    reason: Text = Field(description="Why the failure is acceptable.")
    owner: Text = Field(description="Who answers for it: a name, an address or a team.")
    expires: date = Field(description="The last day on which it holds: 2027-01-31.")
    covers: Positive = Field(1, description="How many items a glob may fit; with more it is too broad.")
    units: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] | None = Field(
        None, description="Only findings of these units pass; else all of the item's."
    )
    checkpoint: Annotated[str, Field(pattern="^[0-9a-f]{12,64}$", examples=["ef780c835ef4"])] | None = Field(
        None, description="Only for weights whose digest begins so; else for all."
    )


@dataclass(frozen=True)
class Waivers:
    """The waivers of an audit, each with the names of the items that it is for, in the order of execution."""

    of: tuple[tuple[Waiver, tuple[str, ...]], ...] = ()

    def __iter__(self) -> Iterator[tuple[Waiver, tuple[str, ...]]]:
        return iter(self.of)


def waivers_for(file: Path, asked: bool, items: Iterable[Item], is_check: Callable[[Item], bool]) -> Waivers:
    """The waivers of a file for those of the items that are checks; ConfigError with every mistake, each with its line.

    Without a file there are none, unless it was `asked` for. A waiver that fits no check, or more than it says that it
    covers, is a mistake.
    """
    if not file.exists() and not asked:
        return Waivers()
    tables, positions = document(file)
    checks, others = _names(items, is_check)
    mistakes: list[Mistake] = []
    made: list[tuple[Waiver, tuple[str, ...]]] = []
    for number, section in _sections(tables, mistakes):
        where = ("waivers", number, "items")
        fitting = tuple(name for name in checks if _fits(section.items, name))
        mistakes += [Mistake(where, wrong) for wrong in _too_much_or_little(section, fitting, checks, others)]
        line, _ = positions.of(("waivers", number))
        waiver = section.model_dump(exclude={"covers", "expires"})
        place, expires = f"{file.name}:{line}", section.expires.isoformat()
        made.append((Waiver(**waiver, place=place, expires=expires), fitting))
    if mistakes:
        raise ConfigError(problem_at(file, positions, mistake) for mistake in mistakes)
    return Waivers(tuple(made))


def _names(items: Iterable[Item], is_check: Callable[[Item], bool]) -> tuple[list[str], list[str]]:
    """Of the checks, and of what is none."""
    checks: list[str] = []
    others: list[str] = []
    for item in items:
        (checks if is_check(item) else others).append(item.name)
    return checks, others


def is_glob(pattern: str) -> bool:
    """Whether a pattern of items is meant for several."""
    return any(letter in pattern for letter in "*?[")


def _sections(tables: dict[str, Any], mistakes: list[Mistake]) -> Iterator[tuple[int, WaiverSection]]:
    mistakes += [unknown_key((key,), ["waivers"], "a file of waivers") for key in tables if key != "waivers"]
    written = tables.get("waivers", [])
    if not isinstance(written, list) or not all(isinstance(table, dict) for table in written):
        mistakes.append(Mistake(("waivers",), "waivers are tables, each under a line [[waivers]]"))
        return
    schema = of(WaiverSection)
    for number, table in enumerate(written):
        readable = json.loads(json.dumps(table, default=str))  # days are texts in JSON
        try:
            yield number, WaiverSection.model_validate_json(json.dumps(readable), strict=True)
        except ValidationError as error:
            mistakes += translate(error, readable, ("waivers", number), schema)


def _fits(pattern: str, name: str) -> bool:
    pattern = re.sub(r"^[^:]*\.toml::", "", pattern)  # as ids are printed
    return name == pattern or fnmatchcase(name, pattern)


def _too_much_or_little(
    section: WaiverSection, fitting: Collection[str], checks: Sequence[str], others: Sequence[str]
) -> Iterator[str]:
    asked = f'items = "{section.items}"'
    if not fitting:
        analysis = any(_fits(section.items, name) for name in others)
        yield (
            f"{asked} fits analyses only; what can be waived is the failure of a check"
            if analysis
            else f"{asked} fits no check{nearest(section.items, checks)}"
        )
    elif len(fitting) > section.covers:
        yield (
            f"{asked} fits {len(fitting)} checks, and the waiver covers {section.covers}: name fewer, or say "
            f"covers = {len(fitting)}"
        )
