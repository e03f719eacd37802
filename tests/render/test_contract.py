"""docs/templates.md says every name that a template may use, and what it shows works."""

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from audit.records import Report
from audit.render import html, own
from audit.render.templates import CONTRACT, find

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def contract() -> ModuleType:
    spec = importlib.util.spec_from_file_location("contract", ROOT / "scripts" / "contract.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(heading: str) -> list[str]:
    """The first cells of the first table that follows."""
    return re.findall(r"^\| (.*?) \|", PAGE.partition(heading)[2].partition("|---")[2].partition("\n\n")[0], re.M)


def test_every_name_is_documented_with_its_type_and_meaning_and_no_other(contract: ModuleType) -> None:
    wanted = contract.made(PAGE)
    assert wanted == PAGE, "a name is new (say what it means), or gone (raise CONTRACT): python scripts/contract.py"
    known = contract.meanings(PAGE)
    assert len(known) > 200
    assert not [name for name, meaning in known.items() if not meaning]


def test_a_name_that_is_new_or_gone_is_seen(contract: ModuleType) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| `headline` |"))
    assert contract.made(PAGE.replace(f"{row}\n", "")) != PAGE.replace(f"{row}\n", "")
    assert contract.made(PAGE.replace(row, f"{row}\n| `gone` | text | long ago |")) == PAGE


def test_types_are_said_in_words(contract: ModuleType) -> None:
    said: Callable[[object], str] = contract.said
    assert said(tuple[tuple[int, tuple[str, ...]], ...]) == "list of (whole number, list of text)"
    assert said(bool | None) == "yes or no, or none"


def test_the_version_is_the_last_of_its_table_and_the_one_that_is_shown() -> None:
    assert rows("## Versions")[-1] == str(CONTRACT)
    assert f"needs_contract({CONTRACT})" in PAGE


def test_every_template_of_a_report_and_every_block_is_listed() -> None:
    assert set(own.replaceable()) <= set(re.findall(r"`([\w.-]+)`", " ".join(rows("| file | makes"))))
    listed = {name for row in rows("| block | holds") for name in re.findall(r"`(\w+)`", row)}
    for page, only in (("report.html", set[str]()), ("report-pdf.html", {"navigation"})):
        blocks = re.findall(r"{% block (\w+) %}", (find() / page).read_text(encoding="utf-8"))
        assert set(blocks) == listed - only


def test_the_templates_that_are_shown_make_a_page(report: Report, folder: Path, tmp_path: Path) -> None:
    shown = re.findall(r"^```jinja\n{# templates/(.*?) #}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in shown] == ["report.html", "report.css"]
    for name, text in shown:
        (tmp_path / name).write_text(text, encoding="utf-8")
    page = html.render(folder, own.checked(tmp_path)).read_text(encoding="utf-8")
    html.render(folder)
    assert f"<title>ACME squeeze &lt;b&gt;net&lt;/b&gt;: {report.outcome}</title>" in page
    assert f"<p>{report.provenance['checkpoint']}</p>" in page
    assert "h1 { font-family: serif; }" in page
