"""A tar file -> where each picture in it lies, and its label; only headers and labels are read."""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Protocol, cast, runtime_checkable

from audit.data.source import SUFFIXES, Label

BLOCK = 512
COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


@runtime_checkable
class File(Protocol):
    """What a file system opens for reading; fsspec's files are no `BinaryIO`."""

    def seek(self, offset: int, /) -> Any: ...

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a tar: `size` bytes from `offset`, last changed at `mtime` seconds."""

    name: str
    offset: int
    size: int
    mtime: float


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture inside a tar and its label."""

    picture: Member
    label: Label


def samples(file: File) -> Iterator[Sample]:
    """The pictures of a seekable tar file in the order in which they begin; ValueError where it is none, or damaged.

    The layout is webdataset's: files whose paths are equal up to the first dot of their names are one sample. Its label
    is what `.cls` holds (an index or a class name), else the "label" of `.json`. `.txt` is a caption, not a label.
    Samples without a picture are passed over.
    """
    _refuse_compressed(file)
    grouped: dict[str, dict[str, Member]] = {}
    for member in _members(file):
        stem, ending = _split(member.name)
        if ending in grouped.setdefault(stem, {}):
            raise ValueError(f'"{member.name}" is in it twice')
        grouped[stem][ending] = member
    for parts in grouped.values():
        pictures = [member for ending, member in parts.items() if f".{ending}" in SUFFIXES]
        if len(pictures) > 1:
            raise ValueError(
                f'"{pictures[0].name}" and "{pictures[1].name}" are pictures of one sample; give one of them an ending '
                'that says what it is, such as ".mask.png"'
            )
        if pictures:
            yield Sample(pictures[0], _label(file, parts))


def _split(name: str) -> tuple[str, str]:
    """("a/0001", "seg.png") of "a/0001.seg.png"; endings ignore case."""
    folder, slash, file = name.rpartition("/")
    stem, _, ending = file.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()


def _refuse_compressed(file: File) -> None:
    file.seek(0)
    start = file.read(8)
    file.seek(0)
    for magic, name in COMPRESSED.items():
        if start.startswith(magic):
            raise ValueError(
                f"it is compressed ({name}), so that no single picture can be reached; unpack it to a plain .tar, "
                "which is hardly larger, as pictures are compressed themselves"
            )


def _members(file: File) -> Iterator[Member]:
    """Every file with contents. `tarfile` takes a broken header for the end; what stands there tells."""
    try:
        with tarfile.open(fileobj=cast(IO[bytes], file), mode="r:") as tar:
            while (info := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # it would keep all of them
                if info.isreg() and not info.issparse() and not info.name.rpartition("/")[2].startswith("."):
                    yield Member(info.name.removeprefix("./"), info.offset_data, info.size, float(info.mtime))
            end = tar.offset
    except tarfile.TarError as error:
        raise ValueError(f"it is no tar file, or a damaged one: {error}") from error
    file.seek(end)
    block = file.read(BLOCK)
    if block and (len(block) < BLOCK or any(block)):
        raise ValueError(f"it is damaged: there is no header at byte {end:,}, where the next file should begin")


def _label(file: File, parts: dict[str, Member]) -> Label:
    if (member := parts.get("cls")) is not None:
        text = _text(file, member).strip()
        if not text:
            raise ValueError(f'"{member.name}" is empty; it should hold the index or the name of a class')
        return int(text) if text.isascii() and text.lstrip("-").isdecimal() else text
    if (member := parts.get("json")) is not None:
        return _json_label(_json(_text(file, member), member.name), member.name)
    return None


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f'"{name}" is no JSON: {error}') from error


def _json_label(contents: Any, name: str) -> Label:
    label = contents.get("label") if isinstance(contents, dict) else None
    if label is not None and (isinstance(label, bool) or not isinstance(label, int | str)):
        raise ValueError(f'"{name}" has the label {label!r}; a label is the index of an output or the name of a class')
    return label


def _text(file: File, member: Member) -> str:
    file.seek(member.offset)
    try:
        return file.read(member.size).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f'"{member.name}" is not UTF-8 text') from error
