"""Files of users: what stands in them now is what runs."""

import os
import sys
from pathlib import Path

import pytest

from audit.importing import importable, module_of


def test_a_change_of_equal_size_in_the_same_second_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file, beside = tmp_path / "plugin.py", tmp_path / "beside.py"
    for number in (1, 2):
        file.write_text(f"from beside import other\nown = {number}\n")
        beside.write_text(f"other = {number}\n")
        for path in (file, beside):
            os.utime(path, (1_000_000_000, 1_000_000_000))
        with importable(file):
            module = module_of(file)
        assert module.own == number
        assert module.other == number
    assert not list(tmp_path.glob("__pycache__/*"))
