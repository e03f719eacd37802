"""Values as they are written -> values as they are meant, environment variables filled in; what no key can have."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from audit.config.mistakes import Mistake, key, setting
from audit.config.positions import Place

DOLLAR = re.compile(r"\$\$|\$\{(?P<inside>[^}]*)\}|\$\{")
VARIABLE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>.*))?", re.DOTALL)
DEEPEST = 32


class _WrongError(ValueError):
    """A value that cannot be meant; the text says why and what to do."""


def meant(tables: dict[str, Any], environment: Mapping[str, str]) -> tuple[dict[str, Any], list[Mistake]]:
    """The tables with `${NAME}`, `${NAME:-default}` and `$$` replaced in every text.

    The default stands in for a variable that is unset or empty. What is wrong comes back as mistakes, while its text
    stays in its place: an unset variable, a date, NaN or infinity outside of `arguments`, a number beyond 64 bits,
    tables in tables in tables ...
    """
    mistakes: list[Mistake] = []

    def walk(value: Any, place: Place) -> Any:
        if len(place) < DEEPEST and isinstance(value, dict):
            return {name: walk(entry, (*place, name)) for name, entry in value.items()}
        if len(place) < DEEPEST and isinstance(value, list):
            return [walk(entry, (*place, index)) for index, entry in enumerate(value)]
        try:
            return filled(value, environment) if isinstance(value, str) else _number(value, _is_argument(place))
        except _WrongError as wrong:
            mistakes.append(Mistake(place, f"{_subject(place, value)}: {wrong}"))
            return "" if isinstance(value, dict | list) else str(value)

    return walk(tables, ()), mistakes


def _is_argument(place: Place) -> bool:
    """Whether a value is passed on to a factory of the user's, and is none of ours to judge."""
    return place[0] in ("models", "data") and "arguments" in place[1:3]


def _subject(place: Place, value: Any) -> str:
    """The key, with its value where that is written in JSON as in TOML."""
    return setting(place, value) if isinstance(value, str) else key(place)


def filled(text: str, environment: Mapping[str, str]) -> str:
    """A text with its environment variables; ValueError, saying what to set, where one is missing."""
    result = DOLLAR.sub(lambda match: _replacement(match, environment), text)
    if "\0" in result or any("\ud800" <= letter <= "\udfff" for letter in result):
        raise _WrongError("no name or path can have the character that this text has")
    return result


def _replacement(match: re.Match[str], environment: Mapping[str, str]) -> str:
    if match[0] == "$$":
        return "$"
    if match["inside"] is None:
        raise _WrongError('"${" without its "}"; write "$${" for a plain "${"')
    variable = VARIABLE.fullmatch(match["inside"])
    if variable is None:
        raise _WrongError(
            f'"{match[0]}" names no environment variable; write ${{NAME}} or ${{NAME:-default}}, or "$$" for "$"'
        )
    name, default = variable["name"], variable["default"]
    if default is not None:
        return environment.get(name) or default
    if name not in environment:
        raise _WrongError(
            f"the environment variable {name} is not set; set it, or give it a default: ${{{name}:-default}}"
        )
    return environment[name]


def _number(value: Any, free: bool) -> Any:
    if isinstance(value, dict | list):
        raise _WrongError(f"more than {DEEPEST} tables and lists are inside each other")
    if not isinstance(value, int | float):
        raise _WrongError(f"no key takes a date or a time such as {value}; put it in quotes if it is meant as a text")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise _WrongError("needs a whole number of no more than 64 bits")
    if not free and not math.isfinite(value):
        raise _WrongError(f"nothing compares with {value}; give a finite number")
    return value


def within(place: Place, outer: Iterable[Place]) -> bool:
    """Whether a place is one of the outer ones or inside of one."""
    return any(place[: len(around)] == around for around in outer)
