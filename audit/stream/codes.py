"""Activations -> a code per picture, a vector of the layer's units, on disk; codes are read back by image index."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from audit.errors import AuditError, Unavailable
from audit.records import Table
from audit.stream.reducer import Activations
from audit.stream.rows import Rows


class Codes:
    """Appends each batch's codes to a file beside `path`, and moves it there when all are written.

    A code is the layer's vector, or for maps the mean of each unit over the positions; float32. Memory holds a batch.
    """

    def __init__(self, path: Path) -> None:
        self.rows = Rows(path)

    def update(self, batch: Activations) -> None:
        self.rows.append(batch.images, batch.maps.flatten(1) if batch.positions == 1 else batch.summary.mean)

    def merge(self, other: "Codes") -> None:
        """Takes the other's codes; its unfinished file is used up."""
        self.rows.merge(other.rows)

    def compute(self, layer: str) -> Table:
        """Finishes the file. The table "codes" has one row: `layer`, `file` (its name), `pictures`, `units`.

        Raises Unavailable if no picture was shown; OSError, with nothing at `path`, if it cannot be written.
        """
        rows = self.rows
        if rows.pictures == 0:
            raise Unavailable(f"no picture was shown to {layer}, so there are no codes")
        rows.finish()
        row = {"layer": [layer], "file": [rows.path.name], "pictures": [rows.pictures], "units": [rows.units]}
        return Table("codes", {name: np.array(value) for name, value in row.items()})


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
