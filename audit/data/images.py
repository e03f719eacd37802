"""[data] -> pictures by index: names, labels, pixels, and a fingerprint of the whole."""

import hashlib
import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from audit.config import DataSection
from audit.errors import DataError, SectionError
from audit.model.factory import made

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"})

Picture = Any  # a PIL image, a uint8 array (y, x[, channel]), or a float tensor (channel, y, x) of values in 0..1
Label = int | str | None  # an output's index, a class name to look up in the model's labels, or nothing


@runtime_checkable
class Images(Protocol):
    """Pictures by index; an index stays the same picture for the whole run."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """What people call the picture: its path inside the folder, or its index."""

    def picture(self, index: int) -> Picture:
        """The picture itself; DataError, naming it, if it cannot be read."""

    def label(self, index: int) -> Label:
        """What it shows, where that is known."""

    def digest(self, index: int) -> bytes:
        """SHA-256 of the picture and its label."""

    def fingerprint(self) -> str:
        """Changes when any picture, name or label does, and only then."""


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
        files = tuple(sorted(_files(root)))
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

    def digest(self, index: int) -> bytes:
        try:
            return hashlib.sha256(self.files[index].read_bytes()).digest()
        except OSError as error:
            raise DataError(f'cannot read the picture "{self.files[index]}": {error}; repair or remove it') from error

    def fingerprint(self) -> str:
        return _combined(self)


@dataclass(frozen=True)
class Made:
    """A Dataset that a user's function returned: `dataset[i]` is a picture or (picture, label).

    It is asked for one picture at a time, since Datasets share open files. Labels are remembered: a picture is not made
    again for its label alone.
    """

    dataset: Any
    labels: dict[int, Label] = field(default_factory=dict, repr=False, compare=False)
    lock: Any = field(default_factory=Lock, repr=False, compare=False)

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
        return cls(dataset)

    def __len__(self) -> int:
        return len(self.dataset)

    def name(self, index: int) -> str:
        return f"picture {index}"

    def picture(self, index: int) -> Picture:
        return self._example(index)[0]

    def label(self, index: int) -> Label:
        if index not in self.labels:
            self._example(index)
        return self.labels[index]

    def digest(self, index: int) -> bytes:
        picture, label = self._example(index)
        return hashlib.sha256(_content(picture) + repr(label).encode()).digest()

    def fingerprint(self) -> str:
        return _combined(self)

    def _example(self, index: int) -> tuple[Picture, Label]:
        try:
            with self.lock:
                example = self.dataset[index]
        except Exception as error:
            raise DataError(f"picture {index} of the data factory failed: {type(error).__name__}: {error}") from error
        picture, label = example[:2] if isinstance(example, tuple | list) and len(example) > 1 else (example, None)
        self.labels[index] = _plain_label(label, index)
        return picture, self.labels[index]


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

    def digest(self, index: int) -> bytes:
        return self.whole.digest(self._index(index))

    def fingerprint(self) -> str:
        return _combined(self)

    def _index(self, index: int) -> int:
        return index * len(self.whole) // self.count


def label_index(images: Images, labels: Sequence[str], outputs: int) -> dict[int, int]:
    """Image index -> output index, for the images whose label is known.

    A class name is looked up in `labels`, as the whole label or as its first word ("n01440764 tench"); without labels
    the sorted class names are the outputs, if they are as many. DataError for a name or an index that is no output, and
    for a name that fits several labels.
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
    found = {name: _outputs_named(name, labels) for name in classes}
    unknown = [name for name in classes if not found[name]]
    if unknown:
        raise DataError(
            f'no label starts with the class folder "{unknown[0]}" ({len(unknown)} of {len(classes)} folders are '
            f'unknown); the labels begin "{labels[0]}"'
        )
    for name, (first, *others) in found.items():
        if others:
            raise DataError(
                f'the class "{name}" may be output {first} ("{labels[first]}") or {others[0]} ("{labels[others[0]]}"); '
                "give both the label and the class a name of their own"
            )
    return {name: outputs[0] for name, outputs in found.items()}


def _outputs_named(name: str, labels: Sequence[str]) -> list[int]:
    """The outputs whose whole label is the name, else those whose first word is."""
    whole = [output for output, label in enumerate(labels) if label == name]
    return whole or [output for output, label in enumerate(labels) if label.split()[:1] == [name]]


def _plain_label(label: object, index: int) -> Label:
    if label is None or isinstance(label, str):
        return label
    try:
        return operator.index(label)  # type: ignore[arg-type]  # tensors and numpy's integers have an index
    except TypeError as error:
        raise DataError(
            f"picture {index} of the data factory has the label {label!r}; a label is the index of an output, the name "
            "of a class, or None"
        ) from error


def _files(root: Path) -> Iterator[Path]:
    """Every picture file below `root`, through linked folders too; hidden files and folders are passed over."""

    def refuse(error: OSError) -> None:
        raise SectionError("folder", f'cannot read the folder "{error.filename}": {error.strerror}')

    for folder, inner, names in os.walk(root, onerror=refuse, followlinks=True):
        here = Path(folder).resolve()
        inner[:] = [name for name in inner if name[0] != "." and not here.is_relative_to((here / name).resolve())]
        yield from (Path(folder, name) for name in names if name[0] != "." and Path(name).suffix.lower() in SUFFIXES)


def _combined(images: Images) -> str:
    digest = hashlib.sha256()
    for index in range(len(images)):
        digest.update(f"{images.name(index)}\0".encode() + images.digest(index))
    return digest.hexdigest()


def _content(picture: Picture) -> bytes:
    """Type, shape and numbers."""
    if isinstance(picture, Tensor):
        numbers = picture.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        return f"{picture.dtype}{tuple(picture.shape)}".encode() + numbers.tobytes()
    shown = picture.convert("RGBA") if isinstance(picture, Image.Image) and picture.mode == "P" else picture
    array = np.ascontiguousarray(shown)
    return f"{array.dtype}{array.shape}".encode() + array.tobytes()
