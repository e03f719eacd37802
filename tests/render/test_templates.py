"""A user's templates take the place of the built-in ones; what is wrong with them is said with file and line."""

from collections.abc import Callable
from pathlib import Path

import pymupdf
import pytest

from audit.errors import ConfigError, TemplateError
from audit.records import Outline, Report
from audit.render import html, own, pdf
from audit.render.templates import CONTRACT, HEAD, find
from audit.store import write

Write = Callable[..., Path]
BEGIN = '<!doctype html>\n<html lang="en">\n<head>\n{% include "head.html" %}\n<title>t</title>\n</head>\n'


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A small run whose names are markup."""
    write(Report("<i>audit</i>", "<b>model</b>", Outline((3, 8, 8), ()), ()), tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def templates(tmp_path: Path) -> Write:
    """Writes templates into a folder."""

    def put(**files: str) -> Path:
        for name, text in files.items():
            path = tmp_path / "mine" / name.replace("__", "/").replace("_html", ".html").replace("_css", ".css")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path / "mine"

    return put


def shown(run: Path, templates: Path) -> str:
    return html.render(run, own.checked(templates)).read_text(encoding="utf-8")


def test_one_block_is_replaced_and_all_else_stays(run: Path, templates: Write) -> None:
    built_in = html.render(run).read_text(encoding="utf-8")
    folder = templates(
        report_html='{% extends "builtin/report.html" %}\n{% block title %}Ours: {{ page.model }}{% endblock %}\n'
        '{% block before %}{% include "parts/hello.html" %}{% endblock %}\n',
        parts__hello_html='<p class="ours">{{ page.audit }}, {{ 2 | plural("item") }}</p>\n',
    )
    text = shown(run, folder)
    assert "<title>Ours: &lt;b&gt;model&lt;/b&gt;</title>" in text
    assert '<p class="ours">&lt;i&gt;audit&lt;/i&gt;, 2 items</p>' in text
    theirs, ours = (set(page.splitlines()) for page in (built_in, text))
    assert len(ours - theirs) == 2
    assert [line for line in theirs - ours if "<title>" not in line] == []


def test_every_documented_block_of_both_pages_can_be_replaced(run: Path, templates: Write) -> None:
    blocks = ("title", "head", "style", "header", "before", "after", "provenance")
    for name in (*blocks, "navigation"):
        folder = templates(
            report_html=f'{{% extends "builtin/report.html" %}}{{% block {name} %}}block of ours{{% endblock %}}'
        )
        assert "block of ours" in shown(run, folder)
    ours = [f'{{% block {name} %}}<p id="{name}">{name} of ours</p>{{% endblock %}}' for name in blocks[2:]]
    folder = templates(**{"report-pdf_html": '{% extends "builtin/report-pdf.html" %}' + "".join(ours[1:])})
    text = "".join(page.get_text() for page in pymupdf.open(pdf.render(run, own.checked(folder))))
    assert all(f"{name} of ours" in text for name in blocks[3:])


def test_the_style_alone_can_be_replaced_or_added_to(run: Path, templates: Write) -> None:
    text = shown(run, templates(report_css='{% include "builtin/report.css" %}\nh1 { letter-spacing: 1em; }\n'))
    assert "h1 { letter-spacing: 1em; }" in text
    assert text.count("<style>") == 1
    assert (find() / "report.css").read_text(encoding="utf-8").splitlines()[0] in text


def test_what_is_filled_in_is_escaped_and_the_policy_stays(run: Path, templates: Write) -> None:
    text = shown(run, templates(report_html=BEGIN + "<body><h1>{{ page.model }}</h1></body></html>"))
    assert "<h1>&lt;b&gt;model&lt;/b&gt;</h1>" in text
    assert "default-src 'none'" in text
    without = BEGIN.replace('{% include "head.html" %}', "")
    late = BEGIN.replace("<head>", "<head><script>1</script>")
    loose = BEGIN.replace('{% include "head.html" %}', '<meta http-equiv="Content-Security-Policy" content="*">')
    for begin in (without, late, loose):
        with pytest.raises(TemplateError, match=r'report\.html:1: a page begins with .*\{% include "head\.html" %\}'):
            shown(run, templates(report_html=begin + "<body></body></html>"))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("{{ page.modle }}", 7, 'ReportPage has no "modle"; did you mean "model"?'),
        ("{{ pages.model }}", 7, 'there is no "pages"; did you mean "page"?'),
        ("\n{% for c in page.counts %}{{ c.numbr }}{% endfor %}", 8, 'Count has no "numbr"; did you mean "number"?'),
        ('{% import "parts.html" as p %}\n{{ p.chrt(1) }}', 8, 'parts.html has no "chrt"; did you mean "chart"?'),
        ('{% include "prats.html" %}', 7, 'there is no template "prats.html"; did you mean "parts.html"?'),
        ('{% include "report.html" %}', 7, "a template includes or extends itself; the built-in one is called builtin"),
        ("{{ 1 / 0 }}", 7, "division by zero"),
        (f"{{{{ needs_contract({CONTRACT + 1}) }}}}", 7, f"is made for version {CONTRACT + 1} of what a page holds"),
    ],
)
def test_what_fails_while_a_page_is_filled_has_its_line(
    text: str, line: int, said: str, run: Path, templates: Write
) -> None:
    page = html.render(run).read_bytes()
    folder = templates(report_html=f"{BEGIN}{text}")
    with pytest.raises(TemplateError) as error:
        shown(run, folder)
    assert str(error.value).startswith(f"{folder / 'report.html'}:{line}: ")
    assert said in str(error.value)
    assert (run / "report.html").read_bytes() == page


def test_a_template_may_ask_for_the_version_of_the_contract(run: Path, templates: Write) -> None:
    text = shown(run, templates(report_html=f"{BEGIN}{{{{ needs_contract({CONTRACT}) }}}}v{{{{ page.contract }}}}"))
    assert text.endswith(f"</head>\nv{CONTRACT}")


def test_what_a_built_in_template_misses_of_a_replaced_one_is_said(run: Path, templates: Write, report: Report) -> None:
    folder = templates(parts_html="{% macro strip(strip) %}{% endmacro %}")
    write(report, run)
    with pytest.raises(TemplateError, match=r'report\.html:\d+: parts\.html has no "section"'):
        shown(run, folder)


def test_the_same_is_said_of_the_pdf_which_is_made_elsewhere(run: Path, templates: Write) -> None:
    folder = templates(**{"report-pdf_html": "<p>\n{{ page.modle }}</p>"})
    with pytest.raises(TemplateError) as error:
        pdf.render(run, folder)
    assert str(error.value) == f'{folder}/report-pdf.html:2: ReportPage has no "modle"; did you mean "model"?'
    assert not (run / "report.pdf").exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("repport_html", "", "repport.html:1:1: no template of a report is called so; did you mean"),
        (HEAD.replace(".", "_"), "", "head.html:1:1: cannot be replaced"),
        ("sheet_html", "", "sheet.html:1:1: cannot be replaced"),
        ("builtin__a_html", "", 'builtin:1:1: no folder may be called "builtin"'),
        ("report_html", "\n{% for a in b %}\n{{ a }", "report.html:3:1: unexpected '}'"),
        ("report_css", "\n\n{{ 1 | plurall }}", "report.css:3:1: No filter named 'plurall'."),
        ("mine__part_html", "{% endfor %}", "part.html:1:1: Encountered unknown tag 'endfor'."),
    ],
)
def test_mistakes_are_found_before_anything_is_made(name: str, text: str, said: str, templates: Write) -> None:
    with pytest.raises(ConfigError) as error:
        own.checked(templates(**{name: text}))
    assert said in str(error.value)


def test_all_mistakes_come_at_once_and_hidden_files_are_none(templates: Write, tmp_path: Path) -> None:
    folder = templates(repport_html="", report_css="{{", mine__logo_txt="{{")
    (folder / ".DS_Store").write_bytes(b"\xff")
    (folder / "report.html~").write_text("{{")
    assert len(list(own.problems(folder))) == 2
    (folder / "parts.html").write_bytes(b"\xff")
    assert "parts.html:1:1: is not UTF-8 text" in "\n".join(map(str, own.problems(folder)))
    with pytest.raises(ConfigError, match="nowhere:1:1: is not there"):
        own.checked(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="is a file"):
        own.checked(folder / "parts.html")
