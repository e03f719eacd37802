"""Every page of the cookbook is run: its Python files, and the audits that use them, by the installed program."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from tests.audits import Folder

PAGES = Path(__file__).parents[1] / "docs" / "cookbook"


def recipes(page: str) -> Iterator[tuple[dict[str, str], str]]:
    """For each audit.toml of a page its text, and the Python files since the one before, by the names that they give."""
    files: dict[str, str] = {}
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language == "python":
            name = re.match(r"# (\w+\.py)\n", block)
            assert name, f"{page}: a block of Python begins with the name of its file"
            files[name[1]] = block
        elif language == "toml":
            yield files, block
            files = {}


def cooked(page: str, number: int, path: Path) -> Folder:
    """The recipe of that number, run; its items have all passed, or failed as a check may."""
    files, text = list(recipes(page))[number]
    folder = Folder.of(path, text)
    for name, block in files.items():
        (path / name).write_text(block, encoding="utf-8")
    result = folder.run()
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_every_page_is_run_here() -> None:
    counts = {page.stem: len(list(recipes(page.stem))) for page in PAGES.glob("*.md")}
    assert counts == {"check": 1, "statistic": 1, "analysis": 2, "regularizer": 2, "renderer": 1}


def test_a_check(tmp_path: Path) -> None:
    outcomes = cooked("check", 0, tmp_path).outcomes()
    assert outcomes["audit.toml::demo::relu1::quiet-units"] == "passed"
    assert len(outcomes) > 3


def test_a_statistic_and_a_check_that_reads_it(tmp_path: Path) -> None:
    folder = cooked("statistic", 0, tmp_path)
    assert folder.outcomes() == dict.fromkeys(
        [f"audit.toml::demo::relu1::{task}" for task in ("activations", "kurtosis", "heavy-tails")], "passed"
    )
    units = parquet.read_table(tmp_path / "reports/demo/latest/units.parquet").to_pydict()
    assert len(units["kurtosis"]) > 8
    assert all(number > 1 for number in units["kurtosis"] if number == number)  # of any distribution
    (item,) = [one for one in folder.results()["items"] if one["id"].endswith("heavy-tails")]
    numbers = sorted(number for number in units["kurtosis"] if number == number)
    middle = numbers[len(numbers) // 2] + numbers[(len(numbers) - 1) // 2]
    assert item["measured"] == pytest.approx(middle / 2)
    assert "kurtosis" in (tmp_path / "reports/demo/latest/report.html").read_text(encoding="utf-8")


def test_an_analysis(tmp_path: Path) -> None:
    folder = cooked("analysis", 0, tmp_path)
    assert folder.outcomes() == {"audit.toml::demo::conv1::signs": "passed"}
    numbers = parquet.read_table(tmp_path / "reports/demo/latest/pictures.parquet").to_pydict()
    assert numbers["kind"] == ["signs"] * 8
    assert all(0 <= share <= 1 for share in numbers["signs_positive"])
    assert list((tmp_path / "reports/demo/latest/sprites").iterdir())


def test_an_overview(tmp_path: Path) -> None:
    folder = cooked("analysis", 1, tmp_path)
    assert folder.messages() == {"audit.toml::demo::conv3::code-lengths": "20 pictures"}
    table = parquet.read_table(tmp_path / "reports/demo/latest/tables/code_lengths.parquet").to_pydict()
    assert min(table["length"]) > 0


def test_a_regularizer(tmp_path: Path) -> None:
    folder = cooked("regularizer", 0, tmp_path)
    assert folder.outcomes() == {"audit.toml::demo::conv2::optimized": "passed"}
    assert "soft-clip limit 60" in (tmp_path / "reports/demo/latest/report.html").read_text(encoding="utf-8")


def test_a_transform_and_a_parametrization(tmp_path: Path) -> None:
    folder = cooked("regularizer", 1, tmp_path)
    assert folder.outcomes() == {"audit.toml::demo::conv2::optimized": "passed"}
    page = (tmp_path / "reports/demo/latest/report.html").read_text(encoding="utf-8")
    assert "mirror" in page
    assert "sigmoid" in page


def test_a_renderer(tmp_path: Path) -> None:
    cooked("renderer", 0, tmp_path)
    written = (tmp_path / "reports/demo/latest/verdicts.csv").read_text(encoding="utf-8").splitlines()
    assert written[0] == "item,outcome,measured,limit,message"
    assert written[1].startswith("audit.toml::demo::non-finite,passed,")
