"""Presets -> tables of audit.toml, put into a file whose other bytes stay as they are."""

import json
import os
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from audit.ascent.presets import Preset
from audit.config.positions import tables
from audit.errors import AuditError

BOM = b"\xef\xbb\xbf"


def as_toml(presets: Mapping[str, Preset], remarks: Mapping[str, str]) -> str:
    """A table [presets.NAME] for each, a blank line between two; the remark is a comment inside the table."""
    return "\n".join(_table(name, preset, remarks[name]) for name, preset in presets.items())


def _table(name: str, preset: Preset, remark: str) -> str:
    written = preset.model_dump(include={"learning_rate", "regularizers"})
    lines = [
        f"[presets.{name}]",
        f"# {remark}",
        f"steps = {preset.steps}",
        f"learning_rate = {_value(written['learning_rate'])}",
        "regularizers = [",
        *(f"    {_value(regularizer)}," for regularizer in written["regularizers"]),
        "]",
    ]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def write_presets(file: Path, text: str) -> None:
    """Puts the tables of `text` into an audit file: in place of those of their names, else at its end.

    Whole or not at all. AuditError where the file cannot be read or written, or has these presets in another form.
    """
    try:
        before = file.read_bytes()
        after = with_presets(before, text)
        _replace(file.resolve(), after)
    except OSError as error:
        raise AuditError(f"cannot write the presets into {file}: {error.strerror or error}") from error
    except ValueError as error:
        raise AuditError(f"cannot write the presets into {file}: {error}") from error


def with_presets(contents: bytes, text: str) -> bytes:
    """The file with the tables; ValueError where it is no TOML, or has these presets in another form."""
    body = contents.removeprefix(BOM)
    own = tomllib.loads(text)["presets"]
    spans = _joined(
        body,
        [
            (start, end)
            for place, start, end in tables(body.decode())
            if len(place) > 1 and place[0] == "presets" and place[1] in own
        ],
    )
    line = b"\r\n" if b"\r\n" in body else b"\n"
    written = text.encode().replace(b"\n", line)
    if spans:
        begins, ends = [start for start, _ in spans], [end for _, end in spans]
        rest = (body[end:start] for end, start in zip(ends, [*begins[1:], len(body)], strict=True))
        after = b"".join([body[: begins[0]], written.rstrip(), *rest])
    else:
        after = body + line * _lines_between(body) + written
    _check(body.decode(), after.decode(), own)
    return contents[: len(contents) - len(body)] + after


def _joined(body: bytes, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans with nothing but white space between them as one."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and not body[joined[-1][1] : start].strip():
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def _lines_between(body: bytes) -> int:
    """How many ends of lines part the end of a file from a new table: an empty line, if there is anything before."""
    return (body.strip() != b"") + (body.strip() != b"" and not body.endswith(b"\n"))


def _check(before: str, after: str, own: Mapping[str, Any]) -> None:
    """ValueError unless only the presets of these names differ."""
    expected = tomllib.loads(before)
    presets = expected.get("presets", {})
    if not isinstance(presets, dict):
        raise ValueError("`presets` is no table there")
    expected["presets"] = {**presets, **own}
    try:
        same = _canonical(tomllib.loads(after)) == _canonical(expected)
    except tomllib.TOMLDecodeError:
        same = False
    if not same:
        names = ", ".join(own)
        raise ValueError(f"it has presets of these names ({names}) in a form of its own; take them out, or paste these")


def _canonical(tables: Mapping[str, Any]) -> str:
    """As text, in which NaN equals NaN."""
    return json.dumps(tables, sort_keys=True, default=str)


def _replace(file: Path, contents: bytes) -> None:
    """In one step, with the permissions that the file has."""
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as part:
        part.write(contents)
    try:
        shutil.copymode(file, part.name)
        os.replace(part.name, file)
    except OSError:
        Path(part.name).unlink(missing_ok=True)
        raise
