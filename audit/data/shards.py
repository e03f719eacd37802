"""Tar shards, here or at any address that fsspec knows -> pictures by index, each read when it is asked for."""

import glob
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
from jaxtyping import Float64, Int32, Int64

from audit import events
from audit.data.braces import expanded
from audit.data.damage import PictureError
from audit.data.decode import decoded
from audit.data.source import SILENCE, SUFFIXES, Columns, Label, Picture, fingerprint_of
from audit.data.tar import Sample, samples
from audit.errors import SectionError

INDEXERS = 8
"""Shards whose headers are read at a time."""
VERSIONS = (
    *("ETag", "etag", "md5", "md5Hash", "checksum", "crc32c", "blob_id"),
    *("mtime", "LastModified", "last_modified", "updated", "created"),
)
"""What file systems call the thing that changes with a file, the exact ones first."""


@dataclass(frozen=True)
class Shard:
    """A tar file in a file system of fsspec; `version` changes when it is written again."""

    system: Any
    path: str
    version: bytes

    def read(self, offset: int, size: int) -> bytes:
        """These bytes of it. Nothing is shared between calls, so threads do not disturb each other."""
        contents = bytes(self.system.cat_file(self.path, start=offset, end=offset + size))
        if len(contents) != size:
            raise ValueError(f"{len(contents)} bytes came instead of {size}; the shard was changed or cut off")
        return contents


@dataclass(frozen=True)
class Shards:
    """The pictures of all shards in the order of the shards, then of their place in them."""

    shards: tuple[Shard, ...]
    names: tuple[str, ...]
    labels: tuple[Label, ...]
    shard: Int32[np.ndarray, " picture"]
    offset: Int64[np.ndarray, " picture"]
    size: Int64[np.ndarray, " picture"]
    mtime: Float64[np.ndarray, " picture"]

    @classmethod
    def open(cls, patterns: str | Sequence[str], folder: Path, listener: events.Listener = SILENCE) -> "Shards":
        """Finds the shards and reads their headers; SectionError("shards") naming the one that cannot be used."""
        addresses = found(patterns, folder)
        with (
            events.work(listener, f"index of {len(addresses)} shards", len(addresses)) as advance,
            ThreadPoolExecutor(max_workers=INDEXERS) as pool,
        ):
            shards, contents = [], []
            for shard, inside in pool.map(_indexed, addresses):
                shards.append(shard)
                contents.append(inside)
                advance(1)
        if not any(contents):
            endings = ", ".join(sorted(SUFFIXES))
            raise SectionError("shards", f'no pictures in "{addresses[0]}"; files ending in {endings} are read')
        return cls._of(shards, contents)

    @classmethod
    def _of(cls, shards: Sequence[Shard], contents: Sequence[Sequence[Sample]]) -> "Shards":
        titles = _titles([shard.path for shard in shards])
        inside = [(place, sample) for place, some in enumerate(contents) for sample in some]
        return cls(
            shards=tuple(shards),
            names=tuple(f"{titles[place]}/{sample.picture.name}" for place, sample in inside),
            labels=tuple(sample.label for _, sample in inside),
            shard=np.array([place for place, _ in inside], np.int32),
            offset=np.array([sample.picture.offset for _, sample in inside], np.int64),
            size=np.array([sample.picture.size for _, sample in inside], np.int64),
            mtime=np.array([sample.picture.mtime for _, sample in inside], np.float64),
        )

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        return self.names[index]

    def picture(self, index: int) -> Picture:
        try:
            shard = self.shards[self.shard[index]]
            return decoded(shard.read(int(self.offset[index]), int(self.size[index])))
        except ValueError as error:
            raise PictureError(self.name(index), str(error)) from error
        except Exception as error:  # every file system has errors of its own
            raise PictureError(self.name(index), f"{type(error).__name__}: {error}") from error

    def label(self, index: int) -> Label:
        return self.labels[index]

    def columns(self) -> Columns:
        return {}

    def digest(self, index: int) -> bytes:
        """Of the shard's version and the picture's header; its contents are not fetched for it."""
        numbers = (self.offset[index].item(), self.size[index].item(), self.mtime[index].item())
        header = repr((self.names[index], numbers, self.labels[index]))
        return hashlib.sha256(self.shards[self.shard[index]].version + header.encode(errors="surrogateescape")).digest()

    def fingerprint(self, listener: events.Listener = SILENCE) -> str:
        return fingerprint_of(self, listener)


def found(patterns: str | Sequence[str], folder: Path) -> list[str]:
    """The addresses of all shards that the patterns mean, local ones relative to `folder`; SectionError("shards")."""
    addresses = [
        address
        for pattern in ((patterns,) if isinstance(patterns, str) else patterns)
        for name in _expanded(pattern)
        for address in _matching(name, folder)
    ]
    address, times = Counter(addresses).most_common(1)[0]
    if times > 1:
        raise SectionError("shards", f'"{address}" is named {times} times; its pictures would count {times} times')
    return addresses


def is_remote(pattern: str) -> bool:
    """Whether it is an address with a protocol, and not a path."""
    return "://" in pattern or "::" in pattern


def _expanded(pattern: str) -> list[str]:
    try:
        return expanded(pattern)
    except ValueError as error:
        raise SectionError("shards", str(error)) from error


def _matching(name: str, folder: Path) -> Iterator[str]:
    """The address itself, or those that its wildcards match, sorted."""
    wild = "*" if is_remote(name) else "*?["  # signed addresses have a "?"
    here = name if is_remote(name) else str(folder / Path(name).expanduser())
    if not any(sign in name for sign in wild) or (not is_remote(name) and Path(here).is_file()):
        yield here
        return
    if is_remote(name):
        system, path = _system(name)
        there = [str(system.unstrip_protocol(some)) for some in _tried(name, system.glob, path)]
    else:
        there = glob.glob(str(Path(name).expanduser()), root_dir=folder, recursive=True)
        there = [str(folder / some) for some in there]
    if not there:
        raise SectionError("shards", f'no shard matches "{name}"')
    yield from sorted(there)


def _indexed(address: str) -> tuple[Shard, list[Sample]]:
    system, path = _system(address)
    try:
        with system.open(path, "rb") as file:
            return Shard(system, path, _version(system, path)), list(samples(file))
    except FileNotFoundError as error:
        raise SectionError("shards", f'there is no shard "{address}"') from error
    except Exception as error:  # every file system has errors of its own
        said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise SectionError("shards", f'cannot use the shard "{address}": {said}') from error


def _system(address: str) -> tuple[Any, str]:
    system, path = _tried(address, fsspec.core.url_to_fs, address)
    return system, str(path)


def _tried(address: str, function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:  # a protocol that is unknown, a package that is missing, a refusal
        raise SectionError("shards", f'cannot reach "{address}": {type(error).__name__}: {error}') from error


def _version(system: Any, path: str) -> bytes:
    """Size and what the file system says of the contents' age; where it says nothing, the contents themselves."""
    info = system.info(path)
    known = next((str(info[name]) for name in VERSIONS if info.get(name)), None)
    if known is not None:
        return hashlib.sha256(f"{info.get('size')} {known}".encode()).digest()
    with system.open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _titles(paths: Sequence[str]) -> list[str]:
    """The files' own names, or their whole paths where two have the same."""
    names = [path.rpartition("/")[2] for path in paths]
    return names if len(set(names)) == len(names) else list(paths)
