"""Dataclasses of a page -> the tables of docs/templates.md, which keep what is written there of each name.

    python scripts/contract.py

Names that are new get a row without a meaning, which has to be written; those that are gone lose theirs.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from markupsafe import Markup

from audit.render.pages import ReportPage

PAGE = Path(__file__).parents[1] / "docs" / "templates.md"
BEGIN = "<!-- names: made by scripts/contract.py -->\n"
WORDS = {str: "text", int: "whole number", float: "number", bool: "yes or no", Markup: "markup"}
Meanings = Mapping[tuple[str, str], str]


def classes(of: type = ReportPage, known: tuple[type, ...] = ()) -> tuple[type, ...]:
    """The class and all that it is made of, in the order in which they are met."""
    if of in known:
        return known
    known = (*known, of)
    for hint in get_type_hints(of).values():
        for inner in _dataclasses(hint):
            known = classes(inner, known)
    return known


def _dataclasses(hint: Any) -> Iterator[type]:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        yield hint
    for inner in get_args(hint):
        yield from _dataclasses(inner)


def said(hint: Any) -> str:
    """A type in words."""
    inner = [argument for argument in get_args(hint) if argument not in (NoneType, Ellipsis)]
    if get_origin(hint) in (Union, UnionType):
        return f"{' or '.join(map(said, inner))}, or none"
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(f"`{value}`" for value in inner)
    if get_origin(hint) is tuple:
        if Ellipsis in get_args(hint):
            return f"list of {said(inner[0])}"
        return f"({', '.join(map(said, inner))})"
    if get_origin(hint) is Mapping:
        return "names and values"
    return WORDS[hint] if hint in WORDS else f"[{hint.__name__}](#{hint.__name__.lower()})"


def meanings(text: str) -> Meanings:
    """What the page says of each name of each class."""
    found: dict[tuple[str, str], str] = {}
    for part in text.partition(BEGIN)[2].split("\n### ")[1:]:
        for name, meaning in re.findall(r"^\| `(\w+)` \|[^|]*\| (.*?) ?\|$", part, re.MULTILINE):
            found[part.partition("\n")[0], name] = meaning
    return found


def tables(known: Meanings) -> str:
    """A section per class, with a row per name."""
    return "".join(
        f"\n### {of.__name__}\n\n{' '.join((of.__doc__ or '').split())}\n\n| name | is | meaning |\n|---|---|---|\n"
        + "".join(
            f"| `{name}` | {said(hint)} | {known.get((of.__name__, name), '')} |\n"
            for name, hint in get_type_hints(of).items()
        )
        for of in classes()
    )


def made(text: str) -> str:
    """The page with tables of what the classes are now."""
    return text.partition(BEGIN)[0] + BEGIN + tables(meanings(text))


if __name__ == "__main__":
    PAGE.write_text(made(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
