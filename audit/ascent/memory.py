"""What an image of an ascent needs, and the memory that there is -> how many images make a batch.

The rule for speed decides in ordinary cases, so that a run can be repeated bit for bit: batches of another size round
differently. Only where memory is really short a batch is halved, as often as it takes.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from audit.ascent.rows import Rows

SHARE = 0.7
"""Of the memory that is free, how much a batch may need."""

PASSING = 1.5
"""What a step needs at its worst moment, over what autograd keeps for the way back: gradients are on their way, too."""

STATES = 3
"""How often a step holds what a row consists of: as it is, changed by a regularizer, and copied where rows leave."""

SIGNS = ("DefaultCPUAllocator", "bad_alloc", "out of memory", "could not create a memory", "ALLOC_FAILED")
"""What RuntimeErrors say, of torch and of the libraries below it, when there is no memory left."""


def default_batch(size: tuple[int, int], device: torch.device) -> int:
    """How many images of that size are fast together: the pixels of 4 (CPU) or 128 pictures of 224 x 224, or less.

    On a CPU the tensors of a larger batch pass 32 MiB, from where on glibc asks the kernel for fresh pages every time
    (mallopt, M_MMAP_THRESHOLD), and leave the processor's cache (benchmarks/RESULTS.md).
    """
    pictures, most = (4, 256) if device.type == "cpu" else (128, 2048)
    return max(1, min(most, pictures * 224 * 224 // (size[0] * size[1])))


def fitting(most: int, look: Callable[[int], Rows], device: torch.device) -> int:
    """`most`, or a half of it, a quarter, ...: the first that fits into the memory that is free now; at least 1.

    `look` takes one look at that many images and returns their rows.
    """
    room = free(device)
    if most == 1 or room is None:
        return most
    try:
        one = needed(look, 1)
        if most * one <= SHARE * room:
            return most
        each = needed(look, 2) - one  # weights, which a batch of any size keeps once, do not count
    except (RuntimeError, MemoryError) as error:
        if not is_shortage(error):
            raise
        return 1
    while most > 1 and most * each > SHARE * room:
        most //= 2
    return most


def needed(look: Callable[[int], Rows], count: int) -> float:
    """Bytes that a step with so many images needs, from what a look at them keeps: weights, maps and rows."""
    saved: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return value

    with saved_tensors_hooks(keep, lambda value: value):
        rows = look(count)
    state: int = sum(getattr(rows, field.name).nbytes for field in fields(rows))
    return PASSING * sum(saved.values()) + STATES * state


def is_shortage(error: BaseException) -> bool:
    """Whether it says that memory was too small, on whatever device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


def free(device: torch.device, root: Path = Path("/")) -> int | None:
    """Bytes that can be had without taking them from other programs; None where nobody knows.

    Of a CPU, under Linux: what is available, or what is left of the limits of the process's control groups if that is
    less. `root` is where /proc and /sys are.
    """
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    if device.type != "cpu":
        return None
    available = _numbers(root / "proc/meminfo").get("MemAvailable")
    left = list(_left(root)) + ([] if available is None else [1024 * available])
    return min(left, default=None)


def _left(root: Path) -> Iterator[int]:
    """Bytes left of the limit of each control group (version 2) that the process is in; files in cache can go."""
    top = root / "sys/fs/cgroup"
    own = next((line[3:].strip("/") for line in _lines(root / "proc/self/cgroup") if line.startswith("0::")), "")
    for group in (top / own, *(parent for parent in (top / own).parents if parent.is_relative_to(top))):
        limit, used = (next(iter(_lines(group / name)), "max") for name in ("memory.max", "memory.current"))
        if limit != "max" and used != "max":
            yield int(limit) - int(used) + _numbers(group / "memory.stat").get("inactive_file", 0)


def _numbers(file: Path) -> dict[str, int]:
    """The names and whole numbers of a file of the kernel, `MemAvailable:   123 kB` or `inactive_file 456`."""
    words = (line.replace(":", " ").split() for line in _lines(file))
    return {line[0]: int(line[1]) for line in words if len(line) > 1 and line[1].isdigit()}


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
