"""glibc's allocator -> one that keeps the memory that it was given, for as long as a network runs over and over.

By itself it hands memory back to the kernel as soon as much of it is free, at the end of every step, and the kernel
clears every page again for the next one: up to a third of the time of a step (benchmarks/RESULTS.md).
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # malloc.h: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
MIB = 2**20
KEPT = {MMAP_THRESHOLD: 32 * MIB, TRIM_THRESHOLD: 2**31 - 1}
"""Tensors of up to 32 MiB, the most that glibc takes here, are kept; larger ones still come from the kernel."""

USUAL = {TRIM_THRESHOLD: 64 * MIB}
"""What glibc arrives at by itself, once tensors of 32 MiB were freed; the other threshold does, too."""


@contextmanager
def kept_memory() -> Iterator[None]:
    """Inside, the process keeps what it frees; afterwards it gives it back, and all is as usual.

    Nothing happens where another C library allocates, or where the environment sets up the allocator itself.
    """
    library = None if _is_set_up() else _glibc()
    if library is None:
        yield
        return
    try:
        _tell(library, KEPT)
        yield
    finally:
        _tell(library, USUAL)
        library.malloc_trim(0)


def _is_set_up() -> bool:
    return any(name.startswith("MALLOC_") for name in os.environ) or "malloc" in os.environ.get("GLIBC_TUNABLES", "")


def _glibc() -> ctypes.CDLL | None:
    """The C library of the process, if it is glibc."""
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 - asked whether it is there
    except (AttributeError, OSError, TypeError):  # musl, macOS; Windows has no library None
        return None
    return library


def _tell(library: ctypes.CDLL, numbers: dict[int, int]) -> None:
    for parameter, value in numbers.items():
        library.mallopt(parameter, value)
