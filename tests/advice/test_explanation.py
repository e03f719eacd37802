"""explain: every name that an audit.toml may have, and every status, from the one place where it is written."""

from pathlib import Path
from typing import get_args

import pytest

from audit import registry
from audit.advice.explanation import explained, known
from audit.advice.pages import PACKAGE, page, plain, row, sections
from audit.ascent.presets import BUILT_IN
from audit.errors import AuditError
from audit.records import Outcome

NAMES = [name for kind in registry.COMPONENTS for name in registry.names(kind)] + [*BUILT_IN, *get_args(Outcome)]


@pytest.mark.parametrize("name", NAMES)
def test_everything_has_a_line_and_an_explanation(name: str) -> None:
    lines = {one: line for entries in known().values() for one, line in entries}
    assert lines[name].strip()
    text = explained(name)
    assert text.startswith(f"# {name}\n")
    assert len(text) > len(name) + 20
    assert "](" not in text
    assert "![" not in text


@pytest.mark.parametrize("name", registry.names("check"))
def test_a_check_says_its_options_and_what_to_do(name: str) -> None:
    text, check = explained(name), registry.load("check", name)
    for option, info in check.model_fields.items():
        assert f"- `{option}` (" in text
        assert str(info.description) in text
    headings = sections(page(f"checks/{name}.md"))
    assert "What to do" in headings
    assert all(f"## {heading}\n\n{told}" in text for heading, told in headings.items())


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(AuditError, match=r'nothing is called "dead-unit"; did you mean "dead-units"\?'):
        explained("dead-unit")


def test_what_two_things_are_called_is_explained_as_both() -> None:
    assert explained("fourier").count("# fourier\n") == 2


def test_rows_and_plain_text() -> None:
    text = "| name | means |\n|---|---|\n| `a` | [one](x.md) \\| two |\n"
    assert row(text, "a") == {"name": "`a`", "means": "one | two"}
    assert row(text, "b") == {}
    assert plain("![x](y.png)\n\nSee [this](there.md#now).") == "See this."


def test_a_page_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="install deepvis-audit again"):
        page("checks/dead-units.md", tmp_path / "audit")
    assert (PACKAGE.parent / "docs").is_dir()
