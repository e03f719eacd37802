"""A baseline <-> its file: JSON with a line per number, sorted, so that git shows what changed."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from audit.baseline.numbers import Baseline
from audit.baseline.positions import JsonPositions, Place
from audit.errors import ConfigError, Problem, StoreError
from audit.store.replacing import replace

FORMAT = "deepvis-audit baseline"
SCHEMA = 1
"""Version of the file; a file with another is refused."""

DEPTH = 4
"""Objects up to this depth have a line per key: the file, its models, a model, its items."""

WORDS = {
    "missing": "is missing",
    "unexpected_keyword_argument": "is a key that nothing reads",
    "finite_number": "should be a finite number",
}
ANEW = "take the version of it that git has, or remove it and accept a run: deepvis-audit baseline accept"


def read_baseline(path: Path) -> Baseline:
    """The baseline in a file, an empty one where there is none; ConfigError, with the line, if it is damaged."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return Baseline()
    except UnicodeDecodeError as error:
        raise _wrong(path, (1, 1), f"is not UTF-8 text ({error.reason} at byte {error.start}); {ANEW}") from None
    except OSError as error:
        raise _wrong(path, (1, 1), f"cannot be read: {error.strerror or error}") from None
    document = _parsed(path, text)
    positions = JsonPositions(text)
    _refuse_foreign(path, document, positions)
    if positions.twice:
        place = positions.twice[0]
        raise _wrong(path, positions.of(place), f'"{place[-1]}" stands there twice; {ANEW}')
    inner = json.dumps({"models": document.get("models")})
    try:
        return TypeAdapter(Baseline).validate_json(inner)
    except ValidationError as error:
        raise ConfigError(_problem(path, positions, detail) for detail in error.errors(include_url=False)) from None


def write_baseline(baseline: Baseline, path: Path) -> None:
    """Writes the file as a whole or not at all; StoreError where it cannot be written."""
    document = {"format": FORMAT, "schema": SCHEMA, "models": _plain(baseline.models)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, f"{_lines(document, 1)}\n".encode("ascii"))
    except OSError as error:
        raise StoreError(f"cannot write the baseline to {path}: {error.strerror or error}") from error
    except StoreError as error:
        raise StoreError(f"cannot write the baseline: {error}") from error


def _parsed(path: Path, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        message = f"is not JSON: {error.msg}; {ANEW}"
        raise _wrong(path, (error.lineno, error.colno), message) from None
    except RecursionError:
        raise _wrong(path, (1, 1), f"too many lists or objects inside each other; {ANEW}") from None
    except ValueError as error:  # a constant, or more digits than Python reads
        raise _wrong(path, (1, 1), f"is not JSON: {error}; {ANEW}") from None


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _refuse_foreign(path: Path, document: Any, positions: JsonPositions) -> None:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _wrong(
            path, (1, 1), "is no baseline of deepvis-audit; name another file in [audit] baseline, or remove this one"
        )
    version = document.get("schema")
    if version is not True and version == SCHEMA:
        return
    raise _wrong(
        path,
        positions.of(("schema",)),
        f"has schema {version!r}, and this version reads {SCHEMA}: remove the file and accept a run, or use the "
        "version that wrote it",
    )


def _problem(path: Path, positions: JsonPositions, detail: Any) -> Problem:
    place: Place = tuple(detail["loc"])
    said = WORDS.get(detail["type"], str(detail["msg"]).removeprefix("Input "))
    return Problem(str(path), *positions.of(place), f"{'.'.join(map(str, place))} {said}; {ANEW}")


def _wrong(path: Path, where: tuple[int, int], message: str) -> ConfigError:
    return ConfigError([Problem(str(path), *where, message)])


def _plain(value: Any) -> Any:
    """Records as mappings, without what is not there."""
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: _plain(part) for name, part in fields.items() if part is not None}
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _lines(value: Any, depth: int) -> str:
    if not isinstance(value, dict) or not value or depth > DEPTH:
        return json.dumps(value, sort_keys=True, allow_nan=False)
    inner = "  " * depth
    entries = [f"{inner}{json.dumps(key)}: {_lines(value[key], depth + 1)}" for key in sorted(value)]
    return "{\n" + ",\n".join(entries) + f"\n{inner[2:]}}}"
