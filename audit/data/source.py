"""What every source of pictures offers: pictures by index, their names and labels, and a fingerprint of the whole."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Shaped

from audit import events
from audit.words import plural

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"})
READERS = 4
"""Threads that read files for their digests: a network folder answers several at once."""
TASK = 64
"""Pictures that a thread takes at a time."""
SILENCE = events.Silence()

Picture = Any  # a PIL image, a uint8 array (y, x[, channel]), or a float tensor (channel, y, x) of values in 0..1
Label = int | str | None  # an output's index, a class name to look up in the model's labels, or nothing
Columns = Mapping[str, Shaped[np.ndarray, " picture"]]


@runtime_checkable
class Images(Protocol):
    """Pictures by index; an index stays the same picture for the whole run. Any thread may call any method."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """What people call the picture: its path inside the folder, or its index."""

    def picture(self, index: int) -> Picture:
        """The picture itself; PictureError, naming it, if it is damaged."""

    def label(self, index: int) -> Label:
        """What it shows, where that is known."""

    def columns(self) -> Columns:
        """What else the source says of every picture, by name: numbers (NaN where unknown) or texts."""

    def digest(self, index: int) -> bytes:
        """Changes when the picture, its label or another word on it does. A damaged picture has one too."""

    def fingerprint(self, listener: events.Listener = SILENCE) -> str:
        """Changes when any picture, name, label or their order does."""


def fingerprint_of(images: Images, listener: events.Listener) -> str:
    """SHA-256 over the names and digests of all pictures, in their order."""

    def digests(start: int) -> tuple[int, bytes]:
        some = range(start, min(start + TASK, total))
        named = [f"{images.name(index)}\0".encode(errors="surrogateescape") + images.digest(index) for index in some]
        return len(some), b"".join(named)

    whole, total = hashlib.sha256(), len(images)
    with (
        events.work(listener, f"fingerprint of {plural(total, 'picture')}", total) as advance,
        ThreadPoolExecutor(max_workers=READERS) as pool,
    ):
        for count, named in pool.map(digests, range(0, total, TASK)):
            whole.update(named)
            advance(count)
    return whole.hexdigest()


def digest_of(path: Path, *words: object) -> bytes:
    """SHA-256 of a file's contents and of what else is said of it; the contents of a file that cannot be read are none.

    Contents, not times: a copied or touched folder keeps its fingerprint, and a picture that was replaced by one of
    equal size and time changes it. Reading costs a few percent of decoding.
    """
    try:
        with path.open("rb") as file:
            contents = hashlib.file_digest(file, "sha256").digest()
    except OSError:
        contents = b"unreadable"
    return hashlib.sha256(contents + repr(words).encode()).digest() if words else contents
