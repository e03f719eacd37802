"""10,000 audit.toml files that something happened to: a configuration, or mistakes with file and line; nothing else."""

import copy
import datetime
import json
import math
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from audit.config import read
from audit.errors import ConfigError
from audit.gate.text import printable
from tests.audits import AUDIT, MODEL, Folder, environment

ROOT = Path(__file__).parents[1]
LEAST = '[[models]]\nname = "m"\nfactory = "nets.py:net"\n'
IN_ALL = 10_000
Place = tuple[str | int, ...]


def _blocks() -> list[str]:
    """Every piece of an audit.toml that the documentation shows, as a file of its own."""
    pages = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("**/*.md"))]
    found = [block for page in pages for block in re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)]
    whole = [block if "[[models]]" in block else LEAST + block for block in found]
    return [text for text in whole if _tables(text) is not None]


def _tables(text: str | bytes) -> dict[str, Any] | None:
    """The tables of a text that is TOML; None of another."""
    try:
        return tomllib.loads(text if isinstance(text, str) else text.decode())
    except ValueError:
        return None


REAL = [path.read_text(encoding="utf-8") for path in (ROOT / "audit.toml", *sorted(ROOT.glob("examples/*.toml")))]
TEXTS = REAL + _blocks()
TABLES = [tables for text in TEXTS if (tables := _tables(text)) is not None]

ODD_TEXTS = st.text(max_size=8) | st.sampled_from(
    [
        *("", "*", "[", "..", "\x1b[31m", "\x00", "\u202e", "é" * 300, "random:0", "9-1", "torchvision:", ":", "a:b:c"),
        *("${", "${}", "${DEEPVIS_NOWHERE}", "${DEEPVIS_NOWHERE:-x}", "$${", "file.py:" + "x" * 2000, "nan", "true"),
        *("accuracy", "defaults", "dead-units", "yosinski-1", "blur", "cuda:99999999999999999999", "all", "flagged"),
    ]
)
ODD_NUMBERS = st.integers() | st.floats() | st.sampled_from([-1, 0, -0.0, 2**63, -(2**63) - 1, 10**80, 1e308, 5e-324])
ODD_DATES = st.sampled_from([datetime.date(1979, 5, 27), datetime.time(7, 32), datetime.datetime(1979, 5, 27, 7, 32)])
ODD = st.recursive(
    ODD_TEXTS | ODD_NUMBERS | st.booleans() | ODD_DATES | st.sampled_from([math.nan, math.inf, -math.inf]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXTS, inner, max_size=3),
    max_leaves=4,
)
ODD_KEYS = ODD_TEXTS | st.sampled_from(
    ["name", "check", "layers", "models", "presets", "audit", "steps", "regularizer"]
)


def places(value: Any, place: Place = ()) -> list[Place]:
    """The place of every value inside of a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    own = [place] if place else []
    return own + [found for key, entry in inner for found in places(entry, (*place, key))]


def at(tables: Any, place: Place) -> Any:
    for key in place:
        tables = tables[key]
    return tables


def renamed(table: Any, key: str | int, name: str) -> None:
    if isinstance(table, dict):
        table[name] = table.pop(key)


def doubled(table: Any, key: str | int, name: str) -> None:
    if isinstance(table, dict):
        table[name] = copy.deepcopy(table[key])
    else:
        table.append(copy.deepcopy(table[key]))


def put(table: Any, key: Any, value: Any) -> None:
    table[key] = value


def deleted(table: Any, key: Any, _: Any) -> None:
    del table[key]


def nested(table: Any, key: Any, deep: int) -> None:
    for level in range(deep):
        table[key] = {"x": table[key]} if level % 3 else [table[key]]


def added(table: Any, _: Any, new: tuple[str, Any]) -> None:
    if isinstance(table, dict):
        table[new[0]] = new[1]
    else:
        table.append(new[1])


CHANGES: dict[str, tuple[Callable[[Any, Any, Any], None], st.SearchStrategy[Any]]] = {
    "values": (put, ODD),
    "numbers": (put, ODD_NUMBERS),
    "texts": (put, ODD_TEXTS),
    "renamed": (renamed, ODD_KEYS),
    "deleted": (deleted, st.none()),
    "doubled": (doubled, ODD_KEYS),
    "nested": (nested, st.integers(1, 40)),
    "added": (added, st.tuples(ODD_KEYS, ODD)),
}
"""What happens to tables: what is done at a place, and with what. What comes of it is written as TOML again."""


@st.composite
def changed(draw: st.DrawFn, kind: str) -> bytes:
    """A real file in which something happened to one to three values or keys."""
    change, odd = CHANGES[kind]
    tables = copy.deepcopy(draw(st.sampled_from(TABLES)))
    for _ in range(draw(st.integers(1, 3))):
        if where := places(tables):
            *outer, key = draw(st.sampled_from(where))
            change(at(tables, tuple(outer)), key, draw(odd))
    return written(tables).encode()


@st.composite
def cut(draw: st.DrawFn, pieces: st.SearchStrategy[bytes]) -> bytes:
    """A real file in which one to three pieces of the text were replaced."""
    text = draw(st.sampled_from(TEXTS)).encode()
    for _ in range(draw(st.integers(1, 3))):
        start, length = draw(st.integers(0, len(text))), draw(st.integers(0, 40))
        text = text[:start] + draw(pieces) + text[start + length :]
    return text


MARKS = ["[", "]", "[[", "{", "}", "=", ".", ",", '"', "'", '"""', "#", "\n", "\r", "\x00", "\\", "[audit]\n", "1e400"]
FILES = {
    **{kind: changed(kind) for kind in CHANGES},
    "pieces": cut(st.sampled_from(MARKS).map(str.encode)),
    "bytes": cut(st.binary(max_size=4)),
}


def written(tables: dict[str, Any]) -> str:
    """Tables as TOML: sections with headers, where they have the form of one, everything below in one line."""
    plain = {name: value for name, value in tables.items() if not _is_section(value)}
    lines = [f"{_key(name)} = {_value(value)}" for name, value in plain.items()]
    for name, value in tables.items():
        if name in plain:
            continue
        header = f"[{_key(name)}]" if isinstance(value, dict) else f"[[{_key(name)}]]"
        for table in [value] if isinstance(value, dict) else value:
            lines += [header, *(f"{_key(key)} = {_value(entry)}" for key, entry in table.items())]
    return "\n".join(lines) + "\n"


def _is_section(value: Any) -> bool:
    tables = value if isinstance(value, list) else [value]
    return bool(tables) and all(isinstance(table, dict) for table in tables)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _text(value)
        case dict():
            return "{ " + ", ".join(f"{_key(key)} = {_value(entry)}" for key, entry in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(_value, value)) + "]"
        case datetime.date() | datetime.time():
            return value.isoformat()
    return repr(value)


def _text(text: str) -> str:
    """JSON's escapes are TOML's, but for pairs of surrogates, which stand as they are, and DEL."""
    shown = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in shown)


def mistakes(path: Path, text: bytes, environment: Mapping[str, str]) -> str | None:
    """What the program says of a file, every line of it looked at; None of a file that is right."""
    path.write_bytes(text)
    try:
        read(path, environment)
    except ConfigError as error:
        said = printable(str(error.seen_from(path.parent)))
    else:
        return None
    lines = text.decode("utf-8", "replace").count("\n") + 1
    assert said
    for line in said.splitlines():
        place = re.match(r"audit\.toml:(\d+):(\d+): \S", line)
        assert place or line.startswith("  "), said
        assert place is None or (1 <= int(place[1]) <= lines and int(place[2]) >= 1), said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize("kind", FILES)
def test_a_file_is_right_or_its_mistakes_have_file_and_line(kind: str, tmp_path: Path) -> None:
    tried: Counter[str] = Counter()

    @given(FILES[kind])
    @settings(
        max_examples=IN_ALL // len(FILES),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    def each(text: bytes) -> None:
        tried["files"] += 1
        tried["TOML"] += _tables(text) is not None
        tried["wrong"] += mistakes(tmp_path / "audit.toml", text, {}) is not None

    each()
    assert tried["files"] >= IN_ALL // len(FILES)
    assert tried["wrong"] > tried["files"] / 4
    if kind in CHANGES:  # which are eight of ten kinds: so at least half of all still parse
        assert tried["TOML"] == tried["files"]


def test_at_least_half_of_the_kinds_make_files_that_are_still_toml() -> None:
    assert 2 * len(CHANGES) >= len(FILES)
    assert len(FILES) * (IN_ALL // len(FILES)) == IN_ALL


def test_the_program_says_the_same_of_many_at_once_and_exits_4(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, AUDIT + MODEL)
    known = {**environment(), "DEEPVIS_DATA": str(tmp_path)}
    texts: set[bytes] = set()

    @given(st.one_of(*FILES.values()))
    @settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def gathered(text: bytes) -> None:
        if b"IMAGENET1K" not in text and mistakes(tmp_path / "audit.toml", text, known):  # which would be downloaded
            texts.add(text)

    gathered()
    names = [f"{number}.toml" for number in range(len(texts))]
    for name, text in zip(names, sorted(texts), strict=True):
        (tmp_path / name).write_bytes(text)
    result = folder.run(*names, DEEPVIS_DATA=str(tmp_path))
    assert len(names) > 50
    assert result.returncode == 4, result.stdout
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    told = {line.partition(":")[0] for line in result.stderr.splitlines() if not line.startswith("  ")}
    assert told == set(names), {name: (tmp_path / name).read_bytes() for name in told ^ set(names)}
