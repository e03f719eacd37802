"""audit.toml of this folder, and its latest reports -> names for the shell to complete; nothing heavy is loaded."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from audit import registry

FILE = Path("audit.toml")
LARGEST = 20_000_000  # bytes of a results.json that is read while somebody waits for a word


def files(incomplete: str) -> list[str]:
    """The .toml files of the folder that is being written."""
    folder = Path(incomplete).parent if not incomplete.endswith("/") else Path(incomplete)
    return _beginning(incomplete, (path.as_posix() for path in folder.glob("*.toml")))


def items(incomplete: str) -> list[str]:
    """Files, and the ids of the items of the latest runs, with what lies around them: audit.toml::demo::conv1."""
    if "::" not in incomplete:
        return files(incomplete)
    ids = [item["id"].split("::") for result in _results() for item in result.get("items", [])]
    return _beginning(incomplete, ("::".join(parts[:depth]) for parts in ids for depth in range(2, len(parts) + 1)))


def models(incomplete: str) -> list[str]:
    """The models of audit.toml."""
    return _beginning(incomplete, _names("models"))


def layers(incomplete: str) -> list[str]:
    """The layers that audit.toml names, and those of the latest runs."""
    measured = (layer["name"] for result in _results() for layer in result.get("outline", {}).get("layers", []))
    return _beginning(incomplete, (*(name for name in _names("layers") if not set("*?[") & set(name)), *measured))


def components(incomplete: str) -> list[str]:
    """Checks, analyses and the parts of presets."""
    return _beginning(incomplete, (name for kind in registry.COMPONENTS for name in registry.names(kind)))


def _beginning(incomplete: str, names: Iterator[str] | tuple[str, ...]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _names(kind: str) -> tuple[str, ...]:
    """What the tables of a kind are called; nothing of a file that is not there or not right."""
    tables = _audit().get(kind)
    named = [table.get("name") for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
    several = [name if isinstance(name, list) else [name] for name in named]
    return tuple(name for names in several for name in names if isinstance(name, str))


def _audit() -> dict[str, Any]:
    try:
        return tomllib.loads(FILE.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}


def _results() -> Iterator[dict[str, Any]]:
    """results.json of the latest run of each model, where it is small enough to be read at once."""
    section = _audit().get("audit")
    reports = section.get("report", "reports") if isinstance(section, dict) else "reports"
    for path in Path(str(reports)).glob("*/latest/results.json"):
        try:
            if path.stat().st_size <= LARGEST:
                yield json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
