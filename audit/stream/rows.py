"""Vectors of pictures, batch by batch -> a file of (image, vector) rows on disk: memory holds a batch, not a layer."""

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

UNFINISHED = ".codes-"
"""How the names of folders begin in which rows are collected; they go when they are finished or given up."""


class Rows:
    """Appends each batch's vectors, float32, to an unfinished file in a folder of its own beside `path`.

    Nothing is kept in memory but the batch before, whose copy from the device is under way while the next one is
    computed. The file is an .npy of (image, code) pairs in the order of arrival; merging appends the other's file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pictures = 0
        self.units = 0
        self._part: Path | None = None
        self._copying: _Copy | None = None

    def append(self, images: Int[Tensor, " image"], vectors: Float[Tensor, "image unit"]) -> None:
        """Takes a batch, without waiting for the device."""
        copy = _Copy(images, vectors.detach())
        self._write()
        self._copying = copy
        self.units = vectors.shape[1]
        self.pictures += len(vectors)

    def merge(self, other: "Rows") -> None:
        """Takes the other's rows; its unfinished file is used up."""
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

    def finish(self) -> None:
        """Moves the whole file to `path`; OSError, with nothing at `path`, if it cannot be written."""
        self._complete()
        os.replace(self._unfinished, self.path)
        self._unfinished.parent.rmdir()

    def read(self) -> np.ndarray:
        """The rows so far, `image` and `code`, still on disk: they go with this object."""
        self._complete()
        return np.asanyarray(np.load(self._unfinished, mmap_mode="r", allow_pickle=False))

    def _complete(self) -> None:
        self._write()
        with open(self._unfinished, "r+b") as file:
            _write_header(file, self.units, self.pictures)
            file.flush()
            os.fsync(file.fileno())

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


def _write_header(file: BinaryIO, units: int, pictures: int) -> None:
    """That of an .npy; numpy makes it equally long whatever the number of pictures, so that it can be written again."""
    description = np.lib.format.dtype_to_descr(_row(units))
    header = {"descr": description, "fortran_order": False, "shape": (pictures,)}
    np.lib.format.write_array_header_2_0(file, header)


def _row(units: int) -> np.dtype:
    return np.dtype([("image", "<i8"), ("code", "<f4", (units,))])
