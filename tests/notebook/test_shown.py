"""What a run, a layer and a unit show: the report's own parts alone in a frame, which loads and runs nothing."""

import dataclasses
import re
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest

from audit.notebook import LayerView, Run, UnitView, open_run
from audit.records import Report
from audit.store import write
from tests.render.test_html import Page


@pytest.fixture(scope="module")
def outputs(run: Run, reports: ModuleType) -> list[str]:
    """Of the run, and of layers and units with pictures and without, some with markup in their names."""
    views = [run, run["conv1"], run["conv1"][7], run["conv2"], run[reports.EVIL], run[reports.EVIL][5], run["fc"][1]]
    return [view._repr_html_() for view in views]


def framed(output: str) -> Page:
    """The page that stands in the frame of a notebook's output."""
    outside = Page(output)
    assert outside.open == []
    ((_, frame),) = [(tag, found) for tag, found in outside.elements if tag == "iframe"]
    assert frame["sandbox"] == ""
    page = Page(frame["srcdoc"])
    assert page.open == []
    return page


def shown(view: Run | LayerView | UnitView) -> Page:
    """What a view shows."""
    return framed(view._repr_html_())


def test_a_run_shows_its_verdict_its_counts_and_what_needs_attention(run: Run, report: Report) -> None:
    page = shown(run)
    assert "squeeze <b>net</b>" in page.text
    for text in (
        "2 items failed and 1 item could not be evaluated, of 21.",
        "dead-units",
        "8.333 %",
        "no pictures: give",
    ):
        assert text in page.text
    for verdict in report.verdicts:
        shows = any(f"item stop {verdict.outcome}" in found.get("class", "") for _, found in page.elements)
        assert shows == (verdict.outcome in ("failed", "error"))
    text = repr(run)
    assert text.startswith("squeeze <b>net</b>: error. 2 items failed")
    assert "✗ squeeze <b>net</b>::conv1::dead-units: 2 of 24 units never fire" in text
    assert "layers: conv1, relu1, conv2, " in text


def test_a_layer_shows_its_facts_its_units_and_how_they_compare(run: Run) -> None:
    page = shown(run["conv1"])
    for text in ("Conv2d, 24", "28, each position sees 9", "How the units of conv1 compare", "flagged"):
        assert text in page.text
    assert len([found for tag, found in page.elements if tag == "i" and "--x" in found.get("style", "")]) == 4
    assert "conv2" in shown(run["conv2"]).text
    assert "pictures of 4 units: optimized, max-patches, deconv" in repr(run["conv1"])


def test_a_unit_shows_its_numbers_findings_and_panels(run: Run) -> None:
    page = shown(run["conv1"][11])
    assert [found["data-kind"] for _, found in page.elements if "data-kind" in found] == [
        "optimized",
        "max-patches",
        "deconv",
    ]
    assert len([tag for tag, _ in page.elements if tag == "img"]) == 6
    for text in ("fires on images", "yosinski-4", "Strongest patches", run["conv1"][11].captions("optimized")[35]):
        assert text in page.text
    flagged = shown(run["conv1"][7])
    assert "dead-units unit 7 fires on 0 of 500 images" in flagged.text
    assert "No picture of this unit was made" in flagged.text
    text = repr(run["conv1"][3])
    assert text.startswith("conv1, unit 3\nfailed: dead-units: unit 3 fires on 0 of 500 images\nmean 0, std 0, ")
    assert text.endswith("\npictures: optimized, max-patches, deconv")


def test_what_is_shown_loads_nothing_runs_nothing_and_leads_nowhere_else(run: Run, outputs: list[str]) -> None:
    for output in outputs:
        page = framed(output)
        (policy,) = [found["content"] for _, found in page.elements if found.get("http-equiv")]
        assert "default-src 'none'" in policy
        assert "script" not in {tag for tag, _ in page.elements}
        assert all(source.startswith("data:image/") for source in page.all("src"))
        here = set(page.all("id"))
        for link in page.all("href"):
            assert link == "data:," or unquote(link.removeprefix("about:srcdoc#")) in here
    links = shown(run["conv1"][11]).all("href")
    assert "about:srcdoc#pictures/conv1/11/optimized" in links


def test_untrusted_text_stays_text(outputs: list[str], reports: ModuleType) -> None:
    for output in outputs:
        assert {tag for tag, _ in Page(output).elements} == {"style", "div", "iframe"}
        page = framed(output)
        assert not {"b", "script"} & {tag for tag, _ in page.elements}
        assert not [name for _, found in page.elements for name in found if name.startswith("on")]
    assert reports.EVIL in framed(outputs[-2]).text
    assert "<script>alert(2)</script>" in framed(outputs[-1]).text


def test_the_style_names_only_what_is_ours(run: Run) -> None:
    (style,) = re.findall("<style>(.*?)</style>", run._repr_html_().split("<iframe")[0], re.DOTALL)
    for selector in re.findall(r"([^{}]+)\{", style):
        assert all(each.strip().endswith(" .deepvis-audit") for each in selector.split(","))


def test_control_characters_do_not_reach_a_terminal(report: Report, tmp_path: Path) -> None:
    write(dataclasses.replace(report, model="a\x1b[31mb", pictures=()), tmp_path / "run")
    assert "\x1b" not in repr(open_run(tmp_path / "run"))


def test_what_was_neither_measured_nor_pictured_says_so(report: Report, tmp_path: Path) -> None:
    write(Report(report.audit, report.model, report.outline, ()), tmp_path / "run")
    empty = open_run(tmp_path / "run")
    assert "Nothing was evaluated" in shown(empty).text
    assert "No picture of this unit was made, and it was not measured." in shown(empty["conv1"][0]).text
    assert repr(empty["conv1"]).endswith("no number per unit, no picture")
    assert repr(empty["conv1"][0]) == "conv1, unit 0\nnot measured\nno picture"
