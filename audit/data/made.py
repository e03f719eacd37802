"""A Dataset that a user's function returned -> pictures by index."""

import hashlib
import operator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from audit import events
from audit.config import DataSection
from audit.data.damage import PictureError
from audit.data.source import SILENCE, Columns, Label, Picture, fingerprint_of
from audit.errors import DataError, SectionError
from audit.model.factory import made

PROBED = 3
"""How many pictures are asked whether a Dataset's own list of labels is what it gives."""


@dataclass(frozen=True)
class Made:
    """A Dataset: `dataset[i]` is a picture or (picture, label).

    It is asked for one picture at a time, since Datasets share open files. Labels are remembered: a picture is not made
    again for its label alone. So are failures: a picture that could not be made once is damaged for the whole run.
    """

    dataset: Any
    targets: Any = None  # a list, an array or a tensor of labels
    labels: dict[int, Label] = field(default_factory=dict, repr=False, compare=False)
    failed: dict[int, str] = field(default_factory=dict, repr=False, compare=False)
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
        return cls(dataset, _targets(dataset))

    def __len__(self) -> int:
        return len(self.dataset)

    def name(self, index: int) -> str:
        return f"picture {index}"

    def picture(self, index: int) -> Picture:
        return self._example(index)[0]

    def label(self, index: int) -> Label:
        """None for a picture that cannot be made: it will be listed as damaged."""
        if index not in self.labels and self.targets is not None:
            self.labels[index] = _plain_label(self.targets[index], index)
        if index not in self.labels:
            try:
                self._example(index)
            except PictureError:
                return None
        return self.labels[index]

    def columns(self) -> Columns:
        return {}

    def digest(self, index: int) -> bytes:
        try:
            picture, label = self._example(index)
            return hashlib.sha256(_content(picture) + repr(label).encode()).digest()
        except PictureError:
            return hashlib.sha256(b"damaged").digest()

    def fingerprint(self, listener: events.Listener = SILENCE) -> str:
        """Every picture is made once for it."""
        return fingerprint_of(self, listener)

    def _example(self, index: int) -> tuple[Picture, Label]:
        if index in self.failed:
            raise PictureError(self.name(index), self.failed[index])
        try:
            with self.lock:
                example = self.dataset[index]
            picture, label = example[:2] if isinstance(example, tuple | list) and len(example) > 1 else (example, None)
            if isinstance(picture, Image.Image):
                picture.load()  # a lazy one fails here, where it is still known whose it is
        except Exception as error:
            reason = f"the data factory failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
            self.failed[index] = reason
            raise PictureError(self.name(index), reason) from error
        self.labels[index] = _plain_label(label, index)
        return picture, self.labels[index]


def _targets(dataset: Any) -> Any:
    """The Dataset's own list of labels (torchvision's `targets`), where a look at some pictures confirms it."""
    targets = getattr(dataset, "targets", None)
    if targets is None or not hasattr(targets, "__getitem__") or len(targets) != len(dataset):
        return None
    probes = sorted({place * (len(dataset) - 1) // (PROBED - 1) for place in range(PROBED)})
    return targets if all(_agrees(dataset, targets, index) for index in probes) else None


def _agrees(dataset: Any, targets: Any, index: int) -> bool:
    try:
        return bool(_plain_label(dataset[index][1], index) == _plain_label(targets[index], index))
    except Exception:  # then the labels are read with the pictures, which says what is wrong
        return False


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


def _content(picture: Picture) -> bytes:
    """Type, shape and numbers."""
    if isinstance(picture, Tensor):
        numbers = picture.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        return f"{picture.dtype}{tuple(picture.shape)}".encode() + numbers.tobytes()
    shown = picture.convert("RGBA") if isinstance(picture, Image.Image) and picture.mode == "P" else picture
    array = np.ascontiguousarray(shown)
    if array.dtype.hasobject:  # its bytes would be addresses
        raise PictureError(type(picture).__name__, "is no picture")
    return f"{array.dtype}{array.shape}".encode() + array.tobytes()
