"""Whatever strangers name is text, in every place and output: pages are made of the same as with harmless names."""

import dataclasses
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf
import pytest
from rich.console import Console
from typer.testing import CliRunner

from audit.advice.diagnosis import Symptom
from audit.advice.doctor import table as advice
from audit.analyses.pck import correspondences
from audit.baseline.numbers import Accepted, Baseline, Entry
from audit.baseline.table import shown
from audit.cli import app
from audit.records import Finding, Item, Layer, Pictures, Report, Scalars, Table, Verdict, Waiver
from audit.render import html, pdf
from audit.render.templates import CONTROLS
from audit.search.sheet import Picture, Row, Sheet
from audit.search.sheet import page as sheet_page
from audit.store import read, write
from tests.render import test_correspondence, test_detectors, test_fooling, test_invariance, test_inversion, test_mosaic
from tests.render.reports import EVIL, waves
from tests.render.reports import report as plausible
from tests.render.test_html import Page
from tests.render.test_markdown import Shown

HOSTILE = (
    " \"><script>alert(1)</script><img src=x onerror=alert(1)><iframe src=//evil.example></iframe>' onmouseover='a()'"
    " </style></title></svg></code></td> <!-- ]]> javascript:alert(1) [a](javascript:alert(1)) ![p](//evil.example/p)"
    " <https://evil.example> https://evil.example www.evil.example a@evil.example @someone #1 |x| **b** `c` ~~d~~ _e_"
    " {{ 7*7 }} {% raw %} {0} &lt; [bold red]x[/bold red] [/] :bomb: =cmd() +1 \\| ::error::x ##[error]x %0A::error::x"
    " \x1b[31m \x1b]0;owned\x07 \x08 \0 \u202e \u2066 \u6f22\u5b57 \U0001f469\u200d\U0001f52c " + "m" * 300
)
HARMLESS = " " + "word " * 3 + "m" * 300
SHORT = ' "><script>alert(1)</script><img src=x onerror=alert(1)> [a](javascript:alert(1)) {{ 7*7 }} \x1b[31m \0 \u202e'
SHOWN = CONTROLS.sub("\N{REPLACEMENT CHARACTER}", HOSTILE)

OF_TABLES = {"layer", "name", "reason", "label", "preset", "unmeasured", "variant", "change", "initialization", "shape"}
"""Columns whose texts come from strangers; others have words of ours."""

Word = Callable[[str], str]


def whole() -> Report:
    """A report with every section there is."""
    report = plausible()
    rng = np.random.default_rng(5)
    warps = tuple(test_correspondence.record(layer) for layer in ("conv2", EVIL))
    inverted = (
        test_inversion.record("fc", ("one.jpg",), 200, 11.0),
        test_inversion.record("conv1", ("one.jpg",), 9, 38),
    )
    directions = Pictures(
        "conv2", "directions", (0,), waves(4, 9, rng, 1.0)[None], (("caption",) * 4,), ("yosinski-1",), "", {}, ("way",)
    )
    detected = {"conv1": {3: 1, 11: 2}, EVIL: {5: 1}}
    columns = {
        layer: test_detectors.columns(24 if layer == "conv1" else 40, units) for layer, units in detected.items()
    }
    columns[EVIL] |= test_detectors.columns(40, {2: 0}, "concept")
    attacked = (test_fooling.attacked("fc"), dataclasses.replace(test_fooling.fooling("conv2"), units=(0, 1)))
    return dataclasses.replace(
        report,
        verdicts=(*report.verdicts, *_more()),
        scalars=tuple(Scalars(one.layer, {**one.columns, **columns.get(one.layer, {})}) for one in report.scalars),
        pictures=(
            *report.pictures,
            *attacked,
            *warps,
            *inverted,
            directions,
            test_mosaic.mosaic_pictures("relu1"),
            test_invariance.transformed("conv1"),
        ),
        tables=(
            *report.tables,
            test_fooling.table(),
            *correspondences(warps),
            *test_mosaic.tables(("relu1",)),
            Table("inversion", {**INVERTED, "layer": np.array(["conv1", "fc"])}),
            Table("detectors", {name: np.array(values) for name, values in DETECTED.items()}),
            Table("concepts", {"name": np.array(["striped"])}),
        ),
    )


INVERTED = {name: np.array([1.0, 2.0]) for name in ("numbers", "pixels", "psnr", "low", "high", "ssim", "error")} | {
    name: np.array([1, 1]) for name in ("psnr_unknown", "pictures", "told", "others")
}
NUMBERS = ("random_detectors", "auc", "random_auc", "purity", "random_purity", "versus", "versus_low", "versus_high")
DETECTED = {
    "layer": ["conv1", EVIL],
    "of": ["class", "concept"],
    "unmeasured": ["7", "9"],
    **{name: [10, 10] for name in ("targets", "units", "detectors")},
    **{name: [0.5, 0.6] for name in NUMBERS},
}


def _more() -> tuple[Verdict, ...]:
    """Every outcome that a waiver makes, a plugin's check, and more findings than are shown at once."""
    waiver = Waiver("demo::*", "for a reason", "somebody", "2027-01-01", "waivers.toml:3")

    def verdict(task: str, outcome: Any, **more: Any) -> Verdict:
        return Verdict(Item("audit.toml", "squeeze <b>net</b>", "conv1", task), outcome, "so it is", **more)

    findings = tuple(Finding("conv1", unit, "is odd", 0.0) for unit in range(20))
    return (
        verdict("of a plugin", "failed", findings=findings, measured=1.0, limit=2.0, good="at least", unit="apples"),
        verdict("rare-units", "waived", waiver=waiver, findings=findings),
        verdict("always-on", "waiver-expired", waiver=waiver),
        verdict("calibration", "waiver-unused", waiver=waiver),
    )


def renamed(report: Report, word: Word) -> Report:
    """The report with every text of a stranger's changed."""

    def texts(value: Any) -> Any:
        return (
            tuple(map(texts, value)) if isinstance(value, tuple) else word(value) if isinstance(value, str) else value
        )

    def table(one: Table) -> Table:
        changed = {
            name: np.array([word(text) if text else text for text in column.tolist()])
            if name in OF_TABLES and column.dtype.kind == "U"
            else column
            for name, column in one.columns.items()
        }
        return dataclasses.replace(one, columns=changed)

    def layer(one: Layer) -> Layer:
        kind = one.kind if one.kind == "Conv2d" else word(one.kind)
        return dataclasses.replace(
            one, name=word(one.name), kind=kind, activation=one.activation and word(one.activation)
        )

    def verdict(one: Verdict) -> Verdict:
        item = Item(
            f"{word(one.item.file)}\udcff",
            word(one.item.model),
            one.item.layer and word(one.item.layer),
            word(one.item.task),
        )
        findings = tuple(
            dataclasses.replace(finding, layer=finding.layer and word(finding.layer), message=word(finding.message))
            for finding in one.findings
        )
        waiver = one.waiver and Waiver(*map(word, dataclasses.astuple(one.waiver)[:5]))
        return dataclasses.replace(
            one,
            item=item,
            findings=findings,
            waiver=waiver,
            message=f"{word(one.message)}\udcff",
            unit=one.unit and word(one.unit),
        )

    def pictures(one: Pictures) -> Pictures:
        groups = one.groups if one.kind != "optimized" else tuple(g if g == "none" else word(g) for g in one.groups)
        changed = {name: texts(getattr(one, name)) for name in ("layer", "captions", "note", "names")}
        return dataclasses.replace(one, **changed, groups=groups)

    def in_layer(one: Any) -> Any:
        return dataclasses.replace(one, layer=word(one.layer))

    def scalars(one: Scalars) -> Scalars:
        units = len(next(iter(one.columns.values())))
        return Scalars(word(one.layer), {**one.columns, word("of a plugin"): np.zeros(units)})

    return dataclasses.replace(
        report,
        audit=word(report.audit),
        model=word(report.model),
        outline=dataclasses.replace(report.outline, layers=tuple(map(layer, report.outline.layers))),
        verdicts=tuple(map(verdict, report.verdicts)),
        scalars=tuple(map(scalars, report.scalars)),
        strongest=tuple(map(in_layer, report.strongest)),
        histograms=tuple(map(in_layer, report.histograms)),
        tables=tuple(map(table, report.tables)),
        claims=tuple(dataclasses.replace(c, text=word(c.text), source=word(c.source)) for c in report.claims),
        pictures=tuple(map(pictures, report.pictures)),
        image_names={index: word(name) for index, name in report.image_names.items()},
        labels=texts(report.labels),
        provenance={**{name: word(text) for name, text in report.provenance.items()}, "weights digest": "0" * 64},
    )


def plain(text: str) -> str:
    return re.sub(r"[^\w .,:/-]", "", text)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The same run with hostile texts and with harmless ones."""
    folder, report = tmp_path_factory.mktemp("named"), whole()
    for name, end in (("hostile", HOSTILE), ("harmless", HARMLESS)):
        write(renamed(report, lambda text, end=end: plain(text) + end), folder / name)
    return {name: folder / name for name in ("hostile", "harmless")}


class Parts(Page):
    """A page as the sequence of what it is made of; texts of drawings, which are cut to fit, stand apart."""

    def __init__(self, text: str) -> None:
        self.texts: list[str] = []
        super().__init__(text)

    def handle_data(self, data: str) -> None:
        super().handle_data(data)
        if not {"svg", "script", "style"} & set(self.open) and data.strip():
            self.texts.append(data)

    @property
    def shape(self) -> list[tuple[str, list[str]]]:
        """Elements outside of drawings with the names of their attributes."""
        return [(tag, sorted(attributes)) for tag, attributes in self.elements if tag not in DRAWN]


DRAWN = {"path", "line", "rect", "circle", "text", "tspan", "g", "defs", "clippath", "svg"}
READ = ("title", "alt", "aria-label")


def compared(hostile: str, harmless: str) -> tuple[Parts, Parts]:
    """Both pages, if they are made of the same and say the same but for the words themselves."""
    one, other = Parts(hostile), Parts(harmless)
    assert one.open == other.open == []
    assert one.shape == other.shape
    assert [text.replace(SHOWN, HARMLESS) for text in one.texts] == other.texts
    for name in READ:
        assert [text.replace(SHOWN, HARMLESS) for text in one.all(name)] == other.all(name)
    return one, other


OWN_PICTURE = re.compile(r'url\("data:image/(png|jpeg);base64,[A-Za-z0-9+/=]*"\)')


def harmless_markup(page: Parts) -> bool:
    tags = {tag for tag, _ in page.elements}
    links = [*page.all("href"), *page.all("src"), *page.all("xlink:href")]
    return (
        not tags & {"iframe", "object", "embed", "form", "base", "foreignobject", "use", "image", "a:href"}
        and all(link.startswith(("#", "data:image/", "data:,")) for link in links)
        and not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
        and not [style for style in page.all("style") if re.search("url|expression|evil", OWN_PICTURE.sub("", style))]
    )


def test_the_page_is_made_of_the_same(runs: Mapping[str, Path]) -> None:
    hostile, harmless = (html.render(folder).read_text(encoding="utf-8") for folder in runs.values())
    page, _ = compared(hostile, harmless)
    assert harmless_markup(page)
    assert not CONTROLS.search(hostile)
    anchors = page.all("id")
    assert len(set(anchors)) == len(anchors)
    assert len(page.texts) > 2000
    assert sum(SHOWN in text for text in page.texts) > 500
    ours = {
        "audit",
        "squeeze bnet/b",
        "Linear",
        "reason",
        "somebody",
        "apples",
        "tench",
        "yosinski-1",
        "cut off",
        "way",
    }
    assert not [word for word in ours if not any(f"{word}{SHOWN}" in text for text in page.texts)]


def test_what_scripts_read_is_data(runs: Mapping[str, Path]) -> None:
    page = html.render(runs["hostile"]).read_text(encoding="utf-8")
    scripts = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    said = [text for script in scripts for text in texts(json.loads(script))]
    assert len(scripts) > 5
    assert not [script for script in scripts if re.search("[<>&]", script)]
    assert not [text for text in said if CONTROLS.search(text)]
    assert sum(SHOWN in text for text in said) > 100


def on_paper() -> Report:
    """What is read in a second on paper: a few layers, one pictured unit, every outcome, every kind of text."""
    report = whole()
    optimized = next(one for one in report.pictures if one.layer == "fc" and one.kind == "optimized")
    one_unit = dataclasses.replace(
        optimized, units=optimized.units[:1], tiles=optimized.tiles[:1], captions=optimized.captions[:1], numbers={}
    )
    outcomes = {verdict.outcome: verdict for verdict in report.verdicts}
    return dataclasses.replace(
        report,
        outline=dataclasses.replace(report.outline, layers=report.outline.layers[-2:]),
        verdicts=tuple(outcomes.values()),
        scalars=(),
        strongest=(),
        histograms=(),
        claims=report.claims[:1],
        tables=tuple(table for table in report.tables if table.name in ("damaged", "preprocessing")),
        pictures=(one_unit,),
    )


def test_no_text_makes_a_link_a_picture_or_a_script_on_paper(tmp_path: Path) -> None:
    documents = []
    for name, end in (("hostile", SHORT), ("harmless", " word word")):
        write(renamed(on_paper(), lambda text, end=end: plain(text) + end), tmp_path / name)
        documents.append(pymupdf.open(pdf.render(tmp_path / name)))
    hostile, harmless = documents
    text = "".join("".join(page.get_text().split()) for page in hostile)
    for said in ("<script>alert(1)</script>", "onerror=alert(1)", "{{7*7}}", "[a](javascript:alert(1))"):
        assert text.count(said) > 40
    pictures = [{image[0] for page in document for image in page.get_images()} for document in documents]
    assert len(pictures[0]) == len(pictures[1]) == 1
    for page in hostile:
        assert not [link for link in page.get_links() if link["kind"] not in (pymupdf.LINK_GOTO, pymupdf.LINK_NAMED)]
    objects = [hostile.xref_object(number) for number in range(1, hostile.xref_length())]
    assert not [one for one in objects if re.search(r"/(JavaScript|JS|URI|Launch|EmbeddedFile)\b", one)]
    assert [entry[0] for entry in hostile.get_toc()] == [entry[0] for entry in harmless.get_toc()]


def shape(value: Any) -> Any:
    """JSON without its texts; those that stand for a key stay, whatever they are."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else type(value).__name__


def texts(value: Any) -> list[str]:
    """Every text of a document, keys included."""
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in texts(each)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


def exported(folder: Path, name: str) -> str:
    result = CliRunner().invoke(app, ["export", str(folder), *name.split()])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("output", ["--sarif -", "--statement -"])
def test_documents_for_programs_have_the_same_form(output: str, runs: Mapping[str, Path]) -> None:
    hostile, harmless = (exported(folder, output) for folder in runs.values())
    assert shape(json.loads(hostile)) == shape(json.loads(harmless))
    assert not [text for text in texts(json.loads(hostile)) if CONTROLS.search(text)]


def test_markdown_is_made_of_the_same(runs: Mapping[str, Path]) -> None:
    hostile, harmless = (Shown(exported(folder, "--markdown -")) for folder in runs.values())
    assert hostile.elements == harmless.elements
    assert hostile.attributes == harmless.attributes == set()
    assert len(hostile.codes) == len(harmless.codes) > 50
    assert any("<script>alert(1)</script>" in code for code in hostile.codes)
    assert not CONTROLS.search(hostile.text)


def test_annotations_are_as_many_commands(runs: Mapping[str, Path]) -> None:
    hostile, harmless = (exported(folder, "--annotations") for folder in runs.values())
    lines = hostile.splitlines()
    assert len(lines) == len(harmless.splitlines())
    assert all(re.fullmatch(r"::error (file=[^:,]*,line=\d+,)?title=[^:,]*::[^\n]*", line) for line in lines)
    assert not CONTROLS.search(hostile.replace("\n", ""))


def test_a_contact_sheet_is_made_of_the_same() -> None:
    def sheet(end: str) -> str:
        pixels = np.zeros((9, 9, 3), np.uint8)
        rows = tuple(Row(f"r{end}", (f"l{end}",), (Picture(pixels, (f"p{end}",)),), begin) for begin in (f"b{end}", ""))
        return sheet_page(Sheet(f"title{end}", f"lead{end}", ((f"column{end}", 1),), rows))

    page, _ = compared(sheet(HOSTILE), sheet(HARMLESS))
    assert harmless_markup(page)


def test_what_is_stored_is_what_is_read(runs: Mapping[str, Path]) -> None:
    stored = read(runs["hostile"])
    assert stored.model == plain("squeeze <b>net</b>") + HOSTILE
    assert stored.labels[0] == f"tench{HOSTILE}"


def test_nothing_moves_the_cursor_or_is_read_as_a_style_on_a_terminal() -> None:
    accepted = Accepted(
        HOSTILE, HOSTILE, HOSTILE, HOSTILE, items={HOSTILE: Entry("dead-units", 1.0, HOSTILE, "at most")}
    )
    symptom = Symptom(HOSTILE, "slow", HOSTILE, HOSTILE)
    for table in (shown(Baseline({f"demo{HOSTILE}": accepted})), advice([symptom])):
        screen = io.StringIO()
        Console(file=screen, width=20_000, highlight=False).print(table)
        assert "[bold red]x[/bold red] [/] :bomb:" in screen.getvalue()
        assert not CONTROLS.search(screen.getvalue())
