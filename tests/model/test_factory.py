"""Factories by name."""

from pathlib import Path

import pytest

from audit.errors import SectionError
from audit.model.factory import made


@pytest.mark.parametrize("name", ["alexnet", ":alexnet", "net.py:", ""])
def test_a_name_without_a_function_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SectionError, match=r"write package\.module:function or file\.py:function") as caught:
        made(name, {}, tmp_path)
    assert caught.value.option == "factory"


def test_functions_of_modules_and_of_files_are_called_with_their_arguments(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("class Pair:\n    @staticmethod\n    def of(a, b=2):\n        return a, b\n")
    assert made("own.py:Pair.of", {"a": 1}, tmp_path) == (1, 2)
    assert made("fractions:Fraction.from_float", {"f": 0.5}, tmp_path) == 0.5


def test_two_files_of_one_name_do_not_share_their_neighbours(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "parts").mkdir(parents=True)
        (tmp_path / name / "parts" / "__init__.py").write_text(f"from parts.inner import who\nname = {name!r}\n")
        (tmp_path / name / "parts" / "inner.py").write_text(f"who = {name!r}\n")
        (tmp_path / name / "net.py").write_text("import parts\n\ndef who():\n    return parts.name + parts.who\n")
    assert [made(f"{name}/net.py:who", {}, tmp_path) for name in ("a", "b", "a")] == ["aa", "bb", "aa"]
