"""The summary in Markdown: no longer than it may be, the worst first, and strangers' text stays text."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from audit.records import Report
from audit.render.markdown import COMMENT, SUMMARY, code, markdown
from audit.render.plain import in_a_line
from tests.render.findings import HOSTILE, WEIGHTS, findings, of_every_outcome, report, verdict

OURS = {"h3", "p", "strong", "code", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "details", "summary"}


class Shown(HTMLParser):
    """The elements and the text that a browser makes of a page; the texts of code by themselves."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.text, self.codes, self.inside = "", list[str](), False
        self.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "code":
            self.inside = True
            self.codes.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "code"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.inside:
            self.codes[-1] += data


def rows(text: str) -> int:
    return len(re.findall(r"^\| \S+ (?:failed|error|passed) \|", text, re.MULTILINE))


def left_out(text: str, part: str) -> int:
    found = re.search(rf"(\d+) {part}s?\b", text.partition("\n")[0])
    return int(found[1]) if found else 0


def test_strangers_text_is_shown_as_it_is_and_makes_nothing() -> None:
    text = markdown([of_every_outcome()])
    shown = Shown(text)
    assert shown.elements <= OURS
    assert not shown.attributes
    assert shown.codes.count(in_a_line(HOSTILE)) == 5  # audit's name, and messages of four items
    assert any(of.startswith("demo conv`1|<img src=x onerror=alert(1)> ::error file=x::owned") for of in shown.codes)
    assert not re.search(r"://|www\.|\]\(", text)
    assert "\r" not in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())


def test_every_row_of_a_table_has_all_of_its_cells_and_no_other() -> None:
    for line in markdown([of_every_outcome()]).splitlines():
        if line.startswith("| "):
            assert line.count("|") - 1 in (3, 5)
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown([of_every_outcome()]))
    assert page.count("<tr>") == 7 + 4  # of seven items, and heads of four tables


@pytest.mark.parametrize(
    "text", ["", "a_b", "`", "``x``", "a|b", "\\|", "&amp;", "*a*", "http://a.b", "WWW.a.b", "ä ✗", "</code>"]
)
def test_code_shows_a_text(text: str) -> None:
    assert "".join(Shown(f"| {code(text)} |\n|---|\n| {code(text)} |\n").codes) == 2 * text


def test_it_says_what_was_measured_and_of_what() -> None:
    failed = verdict("dead-units", "failed", "2 of 24", "conv1", measured=8.333, limit=5.0, good="at most", unit="%")
    shown = Shown(markdown([report(replace(failed, findings=findings(14)), verdict("accuracy", "passed"))]))
    assert "✗ demo: 1 item failed, of 2." in shown.text
    assert "1 failed · 0 error · 1 passed · 0 skipped" in shown.text
    assert {"8.333 %", "5 %", "audit.toml::demo::conv1::dead-units", WEIGHTS, "Fast"} <= set(shown.codes)
    assert sum("fires on 0 of" in of for of in shown.codes) == 12
    assert "and 2 more: see the report" in shown.text


def test_a_waiver_is_shown_with_its_reason_owner_and_day() -> None:
    codes = Shown(markdown([of_every_outcome()])).codes
    assert {"ann@example.org", "2027-01-01"} <= set(codes)
    assert any(of.startswith("known since May") for of in codes)


def many() -> list[Report]:
    """30,000 failed items with a finding each, one in error at the end, and 1000 that passed."""
    failed = [verdict("dead-units", "failed", "1 is dead", f"conv{n}", findings=findings(1)) for n in range(30_000)]
    passed = [verdict("rare-units", "passed", "all fire", f"conv{number}") for number in range(1000)]
    return [report(*passed, *failed), report(verdict("accuracy", "error", "no pictures"), model="other")]


@pytest.mark.parametrize("most", [400, 1000, 5000, COMMENT, SUMMARY])
def test_30_000_findings_stay_below_the_limit_and_what_is_dropped_is_counted(most: int) -> None:
    text = markdown(many(), most)
    assert len(text.encode()) <= most
    assert text.startswith(f"**Shortened to {most:,} bytes: ")
    assert rows(text) + left_out(text, "refused item") == 30_001
    assert left_out(text, "passed item") == 1000
    assert left_out(text, "finding line") == 60_000
    if most >= 5000:
        assert "| ! error |" in text
    if most <= 5000:
        assert Shown(text).elements <= OURS


def test_what_passed_is_left_out_before_what_failed() -> None:
    passed = [verdict("rare-units", "passed", "all fire", f"conv{number}") for number in range(1000)]
    text = markdown([report(*passed, *(verdict("dead-units", "failed", "dead", f"c{n}") for n in range(50)))], 20_000)
    assert text.count("✗ failed") == 50
    assert 0 < text.count("✓ passed") == 1000 - left_out(text, "passed item")
    assert "</details>" in text


def test_nothing_is_said_to_be_left_out_where_nothing_is() -> None:
    whole = markdown([of_every_outcome()])
    assert "Shortened" not in whole
    assert markdown([of_every_outcome()], len(whole.encode())) == whole
    assert "Shortened" in markdown([of_every_outcome()], len(whole.encode()) - 1)


def test_nothing_that_passed_is_no_success() -> None:
    text = markdown([report(verdict("accuracy", "skipped", "not today"))])
    assert "✗ <code>demo</code>: Nothing was evaluated, so nothing passed." in text
