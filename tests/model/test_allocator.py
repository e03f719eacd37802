"""Memory is kept inside and given back afterwards."""

import ctypes
import platform

import pytest
import torch

from audit.model import allocator
from audit.model.allocator import kept_memory


def test_an_error_passes_and_the_allocator_is_as_usual(monkeypatch):
    told = []
    monkeypatch.setattr(allocator, "_tell", lambda _, numbers: told.append(numbers))
    monkeypatch.setattr(allocator, "_is_set_up", lambda: False)
    with pytest.raises(KeyError), kept_memory():
        raise KeyError("mine")
    is_glibc = platform.libc_ver()[0] == "glibc"
    assert told == ([allocator.KEPT, allocator.USUAL] if is_glibc else [])


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
