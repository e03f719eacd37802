"""[data] -> pictures by index: names, labels, pixels, and a fingerprint of the whole."""

import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from audit.config import DataSection
from audit.errors import DataError, SectionError
from audit.model.factory import made

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"})

Picture = Any  # a PIL image, a uint8 array (y, x[, channel]), or a float tensor (channel, y, x) of values in 0..1
Label = int | str | None  # an output's index, a class name to look up in the model's labels, or nothing


class Images(Protocol):
    """Pictures by index; an index stays the same picture for the whole run."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """What people call the picture: its path inside the folder, or its index."""

    def picture(self, index: int) -> Picture:
        """The picture itself; DataError, naming it, if it cannot be read."""

    def label(self, index: int) -> Label:
        """What it shows, where that is known."""

    def fingerprint(self) -> str:
        """Changes when any picture does."""


def open_images(section: DataSection, folder: Path) -> Images:
    """The pictures that `[data]` names, found relative to `folder`; SectionError if there are none."""
    if section.folder is not None:
        images: Images = Folder.open(folder / Path(section.folder).expanduser())
    else:
        images = Made.open(section, folder)
    return images if section.limit is None else Spread(images, min(section.limit, len(images)))


@dataclass(frozen=True)
class Folder:
    """Picture files below a folder, in the order of their paths; a file's first folder is its class."""

    root: Path
    files: tuple[Path, ...]

    @classmethod
    def open(cls, root: Path) -> "Folder":
        """All pictures below `root`; SectionError("folder") if it is missing or holds none."""
        if not root.is_dir():
            raise SectionError("folder", f'there is no folder "{root}"; name an existing folder of pictures')
        files = tuple(sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES))
        if not files:
            raise SectionError(
                "folder", f'no pictures in "{root}"; files ending in {", ".join(sorted(SUFFIXES))} are read'
            )
        return cls(root, files)

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        return self.files[index].relative_to(self.root).as_posix()

    def picture(self, index: int) -> Picture:
        try:
            with Image.open(self.files[index]) as picture:
                picture.load()
                return picture
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f'cannot read the picture "{self.files[index]}": {error}; repair or remove it') from error

    def label(self, index: int) -> Label:
        parts = self.files[index].relative_to(self.root).parts
        return parts[0] if len(parts) > 1 else None

    def fingerprint(self) -> str:
        """Of paths and contents."""
        digest = hashlib.sha256()
        for index, path in enumerate(self.files):
            digest.update(f"{self.name(index)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


@dataclass(frozen=True)
class Made:
    """A Dataset that a user's function returned: `dataset[i]` is a picture or (picture, label)."""

    dataset: Any
    source: str

    @classmethod
    def open(cls, section: DataSection, folder: Path) -> "Made":
        """Calls the factory; SectionError naming the option at fault."""
        dataset = made(str(section.factory), section.arguments, folder)
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise SectionError(
                "factory",
                f"{section.factory} returned a {type(dataset).__name__}; it must return a Dataset with a length, of "
                "(picture, label)",
            )
        if len(dataset) == 0:
            raise SectionError("factory", f"{section.factory} returned a Dataset without pictures")
        return cls(dataset, _source(type(dataset), section))

    def __len__(self) -> int:
        return len(self.dataset)

    def name(self, index: int) -> str:
        return f"picture {index}"

    def picture(self, index: int) -> Picture:
        return self._example(index)[0]

    def label(self, index: int) -> Label:
        label = self._example(index)[1]
        return label if label is None or isinstance(label, str) else int(label)

    def _example(self, index: int) -> tuple[Any, Any]:
        try:
            example = self.dataset[index]
        except Exception as error:
            raise DataError(f"picture {index} of the data factory failed: {type(error).__name__}: {error}") from error
        return (example[0], example[1]) if isinstance(example, tuple | list) else (example, None)

    def fingerprint(self) -> str:
        """Of the Dataset's source file, its factory and arguments, its length, and up to 16 pictures spread over it."""
        digest = hashlib.sha256(self.source.encode())
        digest.update(str(len(self)).encode())
        for index in spread(len(self), min(16, len(self))):
            digest.update(np.ascontiguousarray(self.picture(index)).tobytes())
        return digest.hexdigest()


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

    def fingerprint(self) -> str:
        return hashlib.sha256(f"{self.whole.fingerprint()}{self.count}".encode()).hexdigest()

    def _index(self, index: int) -> int:
        return index * len(self.whole) // self.count


def spread(length: int, count: int) -> list[int]:
    """`count` indices spread evenly over `length`, the first included."""
    return [index * length // count for index in range(count)]


def label_index(images: Images, labels: Sequence[str], outputs: int) -> dict[int, int]:
    """Image index -> output index, for the images whose label is known.

    A class name is looked up in `labels`, as the whole label or as its first word ("n01440764 tench"); without labels
    the sorted class names are the outputs, if they are as many. DataError for a name or an index that is no output.
    """
    given = {index: label for index in range(len(images)) if (label := images.label(index)) is not None}
    of_name = _outputs_by_name(sorted({label for label in given.values() if isinstance(label, str)}), labels, outputs)
    found = {index: of_name[label] if isinstance(label, str) else label for index, label in given.items()}
    for index, output in found.items():
        if not 0 <= output < outputs:
            raise DataError(
                f'"{images.name(index)}" has the label {output}; the model has {outputs} outputs (0 to {outputs - 1})'
            )
    return found


def _outputs_by_name(classes: Sequence[str], labels: Sequence[str], outputs: int) -> Mapping[str, int]:
    if not labels:
        if classes and len(classes) != outputs:
            raise DataError(
                f"{len(classes)} class folders for {outputs} outputs: give the model its `labels`, in the order of the "
                "outputs, with names that start with the folders' names"
            )
        return {name: index for index, name in enumerate(classes)}
    words = {label.split()[0]: index for index, label in enumerate(labels) if label.split()}
    names = words | {label: index for index, label in enumerate(labels)}
    unknown = [name for name in classes if name not in names]
    if unknown:
        raise DataError(
            f'no label starts with the class folder "{unknown[0]}" ({len(unknown)} of {len(classes)} folders are '
            f'unknown); the labels begin "{labels[0]}"'
        )
    return {name: names[name] for name in classes}


def _source(kind: type, section: DataSection) -> str:
    """The source of the Dataset's class, the factory's name and its arguments."""
    try:
        text = Path(inspect.getsourcefile(kind) or "").read_text()
    except (OSError, TypeError):
        text = kind.__qualname__
    return text + json.dumps([section.factory, section.arguments], sort_keys=True, default=str)
