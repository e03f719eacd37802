"""Memory is kept inside and given back afterwards."""

import ctypes
import platform
import resource
from pathlib import Path

import pytest
import torch

from audit.model import allocator
from audit.model.allocator import kept_memory

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library allocates")
TENSORS, NUMBERS = 8, 7 * 2**20  # 28 MiB each: more in all than glibc keeps by itself, each less than it maps alone


def faults(work) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    work()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def fill() -> None:
    tensors = [torch.empty(NUMBERS) for _ in range(TENSORS)]
    for tensor in tensors:
        tensor.numpy()[::512] = 1  # touches every page of 4 KiB twice


@glibc
def test_freed_memory_is_kept_inside_and_given_back_afterwards():
    size = 4 * NUMBERS * TENSORS
    with kept_memory():
        fill()
        kept = resident()
        again = faults(fill)
    assert kept - resident() > size / 2
    assert again < faults(fill) / 2


def test_an_error_passes_and_the_allocator_is_as_usual(monkeypatch):
    told = []
    monkeypatch.setattr(allocator, "_tell", lambda _, numbers: told.append(numbers))
    monkeypatch.setattr(allocator, "_is_set_up", lambda: False)
    with pytest.raises(KeyError), kept_memory():
        raise KeyError("mine")
    assert told in ([], [allocator.KEPT, allocator.USUAL])


@pytest.mark.parametrize("variable", ["MALLOC_MMAP_MAX_", "GLIBC_TUNABLES"])
def test_who_sets_up_the_allocator_keeps_it_so(variable, monkeypatch):
    monkeypatch.setenv(variable, "glibc.malloc.mmap_max=1")
    monkeypatch.setattr(allocator, "_tell", lambda *_: pytest.fail("the allocator was told something"))
    with kept_memory():
        pass


def test_elsewhere_nothing_happens(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    with kept_memory():
        assert torch.ones(3).sum() == 3
