"""A folder -> pictures by index: its files in the order of their paths, the first folder of a path being the class."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from audit import events
from audit.data.damage import PictureError
from audit.data.decode import decoded
from audit.data.source import SILENCE, SUFFIXES, Columns, Label, Picture, digest_of, fingerprint_of
from audit.errors import SectionError


@dataclass(frozen=True)
class Folder:
    """Picture files below a folder; `files` are their paths in it, with "/"."""

    root: Path
    files: tuple[str, ...]  # texts, since a million of Path are a gigabyte

    @classmethod
    def open(cls, root: Path) -> "Folder":
        """All pictures below `root`; SectionError("folder") if it is missing or holds none."""
        if not root.is_dir():
            raise SectionError("folder", f'there is no folder "{root}"; name an existing folder of pictures')
        files = tuple(sorted(_files(root), key=lambda file: file.split("/")))
        if not files:
            raise SectionError(
                "folder", f'no pictures in "{root}"; files ending in {", ".join(sorted(SUFFIXES))} are read'
            )
        return cls(root, files)

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        return self.files[index]

    def picture(self, index: int) -> Picture:
        try:
            return decoded(self.root / self.files[index])
        except ValueError as error:
            raise PictureError(self.name(index), str(error)) from error

    def label(self, index: int) -> Label:
        first, inside, _ = self.files[index].partition("/")
        return first if inside else None

    def columns(self) -> Columns:
        return {}

    def digest(self, index: int) -> bytes:
        return digest_of(self.root / self.files[index])

    def fingerprint(self, listener: events.Listener = SILENCE) -> str:
        return fingerprint_of(self, listener)


def _files(root: Path) -> Iterator[str]:
    """Every picture file below `root`, through linked folders too; hidden files and folders are passed over."""

    def refuse(error: OSError) -> None:
        raise SectionError("folder", f'cannot read the folder "{error.filename}": {error.strerror}')

    for folder, inner, names in os.walk(root, onerror=refuse, followlinks=True):
        here = Path(folder).resolve()
        inner[:] = [name for name in inner if name[0] != "." and not here.is_relative_to((here / name).resolve())]
        below = Path(folder).relative_to(root)
        for name in names:
            if name[0] != "." and os.path.splitext(name)[1].lower() in SUFFIXES:
                yield (below / name).as_posix()
