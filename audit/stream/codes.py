"""Activations -> a code per picture, a vector of the layer's units, on disk; codes are read back by image index."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.errors import AuditError, Unavailable
from audit.records import Table
from audit.stream.reducer import Activations

UNFINISHED = ".codes-"
"""How the names of folders begin in which codes are collected; they go when they are finished or given up."""


class Codes:
    """Appends each batch's codes to a file beside `path`, and moves it there when all are written.

    A code is the layer's vector, or for maps the mean of each unit over the positions; float32. Nothing is kept in
    memory but the batch before, whose copy from the device is under way while the next one is computed. The file is
    an .npy of (image, code) pairs in the order of arrival; merging appends the other's file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pictures = 0
        self.units = 0
        self._part: Path | None = None
        self._copying: _Copy | None = None

    def update(self, batch: Activations) -> None:
        codes = batch.maps.flatten(1) if batch.positions == 1 else batch.summary.mean
        copy = _Copy(batch.images, codes.detach())
        self._write()
        self._copying = copy
        self.units = codes.shape[1]
        self.pictures += len(codes)

    def merge(self, other: "Codes") -> None:
        """Takes the other's codes; its unfinished file is used up."""
        if other.pictures == 0:
            return
        self._write()
        other._write()
        self.units, self.pictures = other.units, self.pictures + other.pictures
        with open(other._unfinished, "rb") as rest, open(self._unfinished, "ab") as file:
            np.lib.format.read_magic(rest)
            np.lib.format.read_array_header_2_0(rest)
            shutil.copyfileobj(rest, file)
        other._unfinished.unlink()
        other.pictures = 0

    def compute(self, layer: str) -> Table:
        """Finishes the file. The table "codes" has one row: `layer`, `file` (its name), `pictures`, `units`.

        Raises Unavailable if no picture was shown; OSError, with nothing at `path`, if it cannot be written.
        """
        if self.pictures == 0:
            raise Unavailable(f"no picture was shown to {layer}, so there are no codes")
        self._write()
        self._finish()
        row = {"layer": [layer], "file": [self.path.name], "pictures": [self.pictures], "units": [self.units]}
        return Table("codes", {name: np.array(value) for name, value in row.items()})

    def _write(self) -> None:
        """Appends what was copied."""
        if self._copying is None:
            return
        images, codes = self._copying.done()
        rows = np.empty(len(images), _row(codes.shape[1]))
        rows["image"], rows["code"] = images, codes
        with open(self._unfinished, "ab") as file:
            rows.tofile(file)
        self._copying = None

    def _finish(self) -> None:
        with open(self._unfinished, "r+b") as file:
            _write_header(file, self.units, self.pictures)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._unfinished, self.path)
        self._unfinished.parent.rmdir()

    @property
    def _unfinished(self) -> Path:
        if self._part is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            folder = tempfile.mkdtemp(prefix=UNFINISHED, dir=self.path.parent)
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._part = Path(folder) / "codes.npy"
            with open(self._part, "wb") as file:
                _write_header(file, self.units, 0)
        return self._part


class _Copy:
    """A batch on its way to the host; on CUDA beside the computation, into memory that pages never leave."""

    def __init__(self, images: Int[Tensor, " image"], codes: Float[Tensor, "image unit"]) -> None:
        self.images = images
        self.codes = codes.float().to("cpu", non_blocking=codes.is_cuda, copy=True)  # the network may change its own
        self.copied = torch.cuda.current_stream(codes.device).record_event() if codes.is_cuda else None

    def done(self) -> tuple[Int[np.ndarray, " image"], Float[np.ndarray, "image unit"]]:
        if self.copied is not None:
            self.copied.synchronize()
        return self.images.cpu().numpy(), self.codes.numpy()


@dataclass(frozen=True)
class CodeFile:
    """Finished codes: `images`, ascending, and where each one's row is; the codes stay on disk until they are read."""

    rows: np.ndarray
    images: Int[np.ndarray, " image"]
    order: Int[np.ndarray, " image"]

    def __getitem__(self, images: Sequence[int]) -> Float[np.ndarray, "image unit"]:
        """The codes of those images, in their order, read now. KeyError names an image that has none."""
        wanted = np.asarray(images, dtype=np.int64)
        place = np.searchsorted(self.images, wanted).clip(None, len(self.images) - 1)
        missing = wanted[self.images[place] != wanted]
        if len(missing):
            raise KeyError(f"image {missing[0]} has no code; {len(self.images)} images have")
        return np.array(self.rows["code"][self.order[place]])


def open_codes(path: Path) -> CodeFile:
    """The codes in a file that `Codes` finished. Raises AuditError if it is not one."""
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
        images = np.array(rows["image"])
    except (OSError, ValueError, IndexError, EOFError) as error:
        raise AuditError(f"{path} holds no codes ({error}); measure them again") from error
    order = np.argsort(images, kind="stable")
    return CodeFile(rows, images[order], order)


def _write_header(file: BinaryIO, units: int, pictures: int) -> None:
    """That of an .npy; numpy makes it equally long whatever the number of pictures, so that it can be written again."""
    description = np.lib.format.dtype_to_descr(_row(units))
    header = {"descr": description, "fortran_order": False, "shape": (pictures,)}
    np.lib.format.write_array_header_2_0(file, header)


def _row(units: int) -> np.dtype:
    return np.dtype([("image", "<i8"), ("code", "<f4", (units,))])
