"""Every page of the cookbook is run: its Python files, and the audits that use them."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from audit import registry
from audit.config import read
from audit.records import Report
from audit.registry.kinds import KINDS
from tests.plugins import audited, outcomes

PAGES = Path(__file__).parents[1] / "docs" / "cookbook"


def recipes(page: str) -> Iterator[tuple[dict[str, str], str]]:
    """For each audit.toml of a page the Python files since the one before, by the names they give, and its text."""
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


def cooked(page: str, number: int, path: Path) -> Report:
    """The report of that recipe, all of whose items have passed."""
    files, text = list(recipes(page))[number]
    published = audited(path, text, **files)
    assert not published.failures
    assert {verdict.outcome for verdict in published.report.verdicts} == {"passed"}
    return published.report


def test_every_page_is_run_here() -> None:
    counts = {page.stem: len(list(recipes(page.stem))) for page in PAGES.glob("*.md")}
    assert counts == {"check": 1, "statistic": 1, "analysis": 2, "regularizer": 2, "renderer": 1, "plugins": 1}


def test_the_page_of_plugins(tmp_path: Path) -> None:
    ((files, text),) = recipes("plugins")
    assert not files
    (tmp_path / "audit.toml").write_text(text + '[[models]]\nname = "m"\nfactory = "nets.py:net"\n', encoding="utf-8")
    checks, _ = next(recipes("check"))
    (tmp_path / "audit_checks.py").write_text(checks["audit_checks.py"], encoding="utf-8")
    with registry.using(read(tmp_path / "audit.toml").plugins):
        assert registry.load("check", "quiet-units")
    page = (PAGES / "plugins.md").read_text(encoding="utf-8")
    ((metadata,),) = [re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)]
    assert tomllib.loads(metadata)["project"]["entry-points"].keys() == {KINDS["check"].group}
    assert {f"`{kind.group.removeprefix('deepvis_audit')}`" for kind in KINDS.values()} - {"`.checks`"} <= set(
        re.findall(r"`\.\w+`", page)
    )
    for kind in KINDS:
        assert f'`@{kind}("name")`' in page


def test_a_check(tmp_path: Path) -> None:
    report = cooked("check", 0, tmp_path)
    assert [id_ for id_ in outcomes(report) if id_.endswith("quiet-units")] == [
        f"audit.toml::demo::relu{number}::quiet-units" for number in (1, 2, 3)
    ]


def test_a_statistic_and_a_check_that_reads_it(tmp_path: Path) -> None:
    report = cooked("statistic", 0, tmp_path)
    tasks = [verdict.item.task for verdict in report.verdicts]
    assert tasks == ["activations", "kurtosis", "heavy-tails"]
    units = parquet.read_table(tmp_path / "reports/demo/latest/units.parquet").to_pydict()
    numbers = np.array(units["kurtosis"])
    assert len(numbers) > 8
    assert (numbers[np.isfinite(numbers)] >= 1).all()  # as of any distribution
    assert report.verdicts[-1].measured == pytest.approx(np.nanmedian(numbers))
    assert "kurtosis" in (tmp_path / "reports/demo/latest/report.html").read_text(encoding="utf-8")


def test_an_analysis(tmp_path: Path) -> None:
    report = cooked("analysis", 0, tmp_path)
    assert list(outcomes(report)) == ["audit.toml::demo::conv1::signs"]
    numbers = parquet.read_table(tmp_path / "reports/demo/latest/pictures.parquet").to_pydict()
    assert numbers["kind"] == ["signs"] * 8
    assert all(0 <= share <= 1 for share in numbers["signs_positive"])
    assert "of the weights are positive" in (tmp_path / "reports/demo/latest/report.html").read_text(encoding="utf-8")


def test_an_overview(tmp_path: Path) -> None:
    report = cooked("analysis", 1, tmp_path)
    assert [verdict.message for verdict in report.verdicts] == ["20 pictures"]
    table = parquet.read_table(tmp_path / "reports/demo/latest/tables/code_lengths.parquet").to_pydict()
    assert min(table["length"]) > 0


def test_a_regularizer(tmp_path: Path) -> None:
    (pictures,) = cooked("regularizer", 0, tmp_path).pictures
    assert "soft-clip limit 60" in pictures.note


def test_a_transform_and_a_parametrization(tmp_path: Path) -> None:
    (pictures,) = cooked("regularizer", 1, tmp_path).pictures
    assert "sigmoid" in pictures.note
    assert "mirror" in pictures.note


def test_a_renderer(tmp_path: Path) -> None:
    cooked("renderer", 0, tmp_path)
    written = (tmp_path / "reports/demo/latest/verdicts.csv").read_text(encoding="utf-8").splitlines()
    assert written[0] == "item,outcome,measured,limit,message"
    assert written[1].startswith("audit.toml::demo::degenerate-weights,passed,")
