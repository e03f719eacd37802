"""[data] -> pictures by index, whatever their source."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audit import events
from audit.config import DataSection
from audit.data.folder import Folder
from audit.data.labels import label_index
from audit.data.listed import Listed
from audit.data.made import Made
from audit.data.shards import Shards, found, is_remote
from audit.data.source import SILENCE, SUFFIXES, Columns, Images, Label, Picture, fingerprint_of
from audit.errors import SectionError

__all__ = ["SUFFIXES", "Images", "Label", "Picture", "Spread", "label_index", "leads_somewhere", "open_images"]


def open_images(section: DataSection, folder: Path, listener: events.Listener = SILENCE) -> Images:
    """The pictures that `[data]` names, found relative to `folder`; SectionError if there are none.

    The headers of tar shards are read for it, which `listener` hears of.
    """
    images = _opened(section, folder, listener)
    return images if section.limit is None else Spread(images, min(section.limit, len(images)))


def leads_somewhere(section: DataSection, folder: Path) -> bool:
    """Whether the files that [data] names are there, as far as that is seen without reading any; True for factories.

    An address is believed until it is opened.
    """
    if section.folder is not None:
        root = folder / Path(section.folder).expanduser()
        return any(path.suffix.lower() in SUFFIXES for path in root.rglob("*"))
    if section.list is not None:
        return (folder / Path(section.list).expanduser()).is_file()
    if section.shards is not None:
        return _shards_are_there(section, folder)
    return True


def _shards_are_there(section: DataSection, folder: Path) -> bool:
    assert section.shards is not None
    patterns = (section.shards,) if isinstance(section.shards, str) else section.shards
    local = [pattern for pattern in patterns if not is_remote(pattern)]
    try:
        return not local or all(Path(address).is_file() for address in found(local, folder))
    except SectionError:  # opening them says why
        return False


def _opened(section: DataSection, folder: Path, listener: events.Listener) -> Images:
    if section.folder is not None:
        return Folder.open(folder / Path(section.folder).expanduser())
    if section.list is not None:
        return Listed.open(folder / Path(section.list).expanduser())
    if section.shards is not None:
        return Shards.open(section.shards, folder, listener)
    return Made.open(section, folder)


@dataclass(frozen=True)
class Spread:
    """`count` pictures spread evenly over others."""

    whole: Images
    count: int

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        return self.whole.name(self._index(index))

    def picture(self, index: int) -> Picture:
        return self.whole.picture(self._index(index))

    def label(self, index: int) -> Label:
        return self.whole.label(self._index(index))

    def columns(self) -> Columns:
        chosen = np.array([self._index(index) for index in range(self.count)], np.int64)
        return {name: column[chosen] for name, column in self.whole.columns().items()}

    def digest(self, index: int) -> bytes:
        return self.whole.digest(self._index(index))

    def fingerprint(self, listener: events.Listener = SILENCE) -> str:
        return fingerprint_of(self, listener)

    def _index(self, index: int) -> int:
        return index * len(self.whole) // self.count
