"""report.pdf is to be signed: verdict and digests first, then why; made elsewhere, within limits, or it says why."""

import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pymupdf
import pytest

from audit.errors import StoreError, Unavailable
from audit.records import Finding, Item, Layer, Outline, Pictures, Report, Scalars, Verdict, Waiver
from audit.render import pdf
from audit.render.pages.selection import FEW
from audit.render.pages.strips import ACROSS, room
from audit.render.pages.verdicts import headline
from audit.store import write

UNITS = 300
FLAGGED = (7, 290)
WAIVER = Waiver("a.toml::m::conv::*", "pruned <b>on purpose</b>", "vision team", "2027-01-31", "waivers.toml:3")


@pytest.fixture(scope="module")
def printed(folder: Path) -> pymupdf.Document:
    return pymupdf.open(pdf.render(folder))


def many(units: int = UNITS) -> Report:
    """A layer of many pictured units, of which a failed and a waived item name one each."""

    def verdict(task: str, outcome: str, unit: int, **more: object) -> Verdict:
        finding = Finding("conv", unit, f"{task} says so <i>", 0.0)
        return Verdict(Item("a.toml", "m", "conv", task), outcome, f"{task} <b>", findings=(finding,), **more)  # type: ignore[arg-type]

    layers = (
        Layer("conv", "Conv2d", (units, 4, 4), 9, False, None, None),
        Layer("out", "Linear", (2,), 9, False, None, None),
    )
    noise = np.random.default_rng(0).integers(0, 256, (units, 4, 8, 8, 3), dtype=np.uint8)
    captions = tuple((f"strongest of {unit}",) * 4 for unit in range(units))
    return Report(
        "many",
        "m",
        Outline((3, 8, 8), layers),
        (verdict("dead-units", "failed", FLAGGED[0]), verdict("rare-units", "waived", FLAGGED[1], waiver=WAIVER)),
        (Scalars("conv", {"share_of_images": np.linspace(0, 1, units)}),),
        pictures=(Pictures("conv", "max-patches", tuple(range(units)), noise, captions, ("max patches",), "noise"),),
        provenance={"started": "2026-05-01T12:00:00+00:00", "weights digest": "ab" * 32},
    )


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> pymupdf.Document:
    folder = tmp_path_factory.mktemp("many") / "run"
    write(many(), folder)
    return pymupdf.open(pdf.render(folder))


def text(document: pymupdf.Document) -> str:
    """All words of a document with single spaces between them."""
    return " ".join(" ".join(page.get_text() for page in document).split())


def test_the_verdict_and_every_item_are_printed(printed: pymupdf.Document, report: Report) -> None:
    words = text(printed)
    assert headline(report) in words
    assert report.model in words
    without_breaks = words.replace(" ", "")
    for verdict in report.verdicts:
        assert verdict.message.replace(" ", "") in without_breaks
        assert verdict.item.task in words
    for name, value in report.provenance.items():
        assert name in words
        assert value.replace(" ", "") in without_breaks


def test_every_panel_is_one_picture_and_dead_units_say_so(printed: pymupdf.Document, report: Report) -> None:
    panels = [captions for pictures in report.pictures for captions in pictures.captions]
    dead = sum(captions[0].startswith("nothing to show") for captions in panels)
    pictures = {image[0] for page in printed for image in page.get_images()}
    assert len(pictures) == len(panels) - dead + 6  # those of the figure of all layers
    assert text(printed).count("nothing to show: dead unit") == dead == 6


def test_the_figure_of_all_layers_is_drawn_to_one_scale(printed: pymupdf.Document, report: Report) -> None:
    (page,) = [page for page in printed if "at true size" in page.get_text() and page.get_image_info()]
    drawn = page.get_image_info()
    scales = [(info["bbox"][2] - info["bbox"][0]) / info["width"] for info in drawn]
    assert len(drawn) == 6
    assert max(scales) == pytest.approx(min(scales), rel=0.02)
    assert min(info["width"] for info in drawn) == 2 * 9 + 1
    assert max(info["width"] for info in drawn) == 2 * 73 + 1


def test_classes_and_flagged_units_are_in_full(printed: pymupdf.Document, report: Report) -> None:
    words = text(printed)
    for unit, name in enumerate(report.labels[:2]):
        assert f"unit {unit} {name}" in words
    assert words.count("pictures of the class") == words.count("else mostly taken for") == 2
    assert re.search(r"unit 3 ✗ dead-units \(page \d+\) unit 3 fires on 0 of 500 images", words)


def test_the_first_page_is_what_is_signed(printed: pymupdf.Document, report: Report, folder: Path) -> None:
    words = " ".join(printed[0].get_text().split())
    digest = hashlib.sha256((folder / "results.json").read_bytes()).hexdigest()
    assert f"✗ {report.outcome}" in words or f"! {report.outcome}" in words
    assert words.count("accept with waivers") == words.count("refuse") == 3
    assert digest in words
    assert words.count(f"data not known · configuration not known · results.json {digest[:12]}") == 3
    for page in printed:
        assert f"{report.provenance['started']} · results.json {digest[:12]}" in page.get_text()


def test_contents_say_on_which_page_each_part_is(printed: pymupdf.Document) -> None:
    pages = {" ".join(title.split()): page for level, title, page in printed.get_toc() if level < 3}
    lines = re.findall(r"([^\n]+)\n(?:\. ?\n)+(\d+)\n", printed[1].get_text())
    found = {title.strip(): int(number) for title, number in lines}
    assert len(found) > 8
    for title, number in found.items():
        assert pages.get(title, pages.get(f"Units of {title}")) == number, title
    for number in found.values():
        assert number > 1


@pytest.mark.parametrize("document", ["printed", "sheets"])
def test_no_page_is_wasted_and_no_heading_stands_alone(document: str, request: pytest.FixtureRequest) -> None:
    pages = request.getfixturevalue(document)
    chapters = {page for level, _, page in pages.get_toc() if level == 1}
    for number, page in enumerate(pages, start=1):
        lines, pictures = list(body(page)), [info["bbox"][3] for info in page.get_image_info()]
        lowest = max([line["bbox"][3] for line in lines] + pictures)
        assert lowest > page.rect.height / 3 or number == len(pages) or number + 1 in chapters, number
        last = max(lines, key=lambda line: line["bbox"][3])
        heading = all("Bold" in span["font"] and span["size"] > 9 for span in last["spans"])
        assert not heading or lowest > last["bbox"][3], (number, last)


def body(page: pymupdf.Page) -> Iterator[dict[str, object]]:
    """Lines of text between the running heads and the foot."""
    for block in page.get_text("dict")["blocks"]:
        for line in block.get("lines", ()):
            if page.rect.height * 0.06 < line["bbox"][1] < page.rect.height * 0.94 and line["spans"]:
                yield line


def test_few_units_are_in_full_and_of_many_those_that_are_flagged(sheets: pymupdf.Document) -> None:
    titles = [title for level, title, _ in sheets.get_toc() if level == 3]
    assert titles == [f"unit {unit}" for unit in FLAGGED]
    words, shown = text(sheets), room(many(FEW).pictures)
    assert FEW < shown < UNITS - 2
    others = [unit for unit in range(UNITS) if unit not in FLAGGED]
    captions = {int(unit) for unit in re.findall(r"\b(\d+): fires on", words)}
    assert captions == set(others[:shown])
    assert f"{UNITS - 2 - shown} more units are in report.html" in words
    pictures = {image[0] for page in sheets for image in page.get_images()}
    assert len(pictures) == 2 + -(-shown // ACROSS[1])


def test_the_same_run_makes_the_same_bytes_wherever_it_lies(sheets: pymupdf.Document, tmp_path: Path) -> None:
    write(many(), tmp_path / "elsewhere")
    assert pdf.render(tmp_path / "elsewhere").read_bytes() == Path(sheets.name).read_bytes()


def test_a_waiver_is_printed_with_its_reason_owner_and_last_day(sheets: pymupdf.Document) -> None:
    words = text(sheets)
    assert "Waived until 2027-01-31, vision team answers for it. pruned <b>on purpose</b> waivers.toml:3" in words
    assert re.search(r"conv, unit 290: rare-units says so <i> \(page \d+\)", words)
    assert re.search(r"unit 290 ~ rare-units \(page \d+\) rare-units says so <i>", words)


def test_it_is_tagged_and_has_bookmarks_page_numbers_and_a_language(printed: pymupdf.Document) -> None:
    catalog = printed.xref_object(printed.pdf_catalog())
    assert {"/StructTreeRoot", "/MarkInfo", "/ViewerPreferences"} <= set(re.findall(r"/\w+", catalog))
    assert "/Lang (en)" in catalog
    assert 'pdfuaid:part="1"' in printed.get_xml_metadata()
    metadata = printed.metadata
    assert metadata["title"].startswith("squeeze <b>net</b>: error")
    assert metadata["creator"].startswith("deepvis-audit")
    assert "results.json" in metadata["keywords"]
    assert metadata["creationDate"] == "D:20260501120000+00'00"
    objects = [printed.xref_object(xref) for xref in range(1, printed.xref_length())]
    figures = [one for one in objects if "/S /Figure" in one]
    assert len(figures) > 20
    assert all("/Alt" in figure for figure in figures)
    titles = [title for _, title, _ in printed.get_toc()]
    assert {"Verdict", "What needs attention", "Layers", "Units of conv1", "unit 17", "Provenance"} <= set(titles)
    pages = len(printed)
    assert pages > 4
    for index, page in enumerate(printed, start=1):
        assert f"{index} / {pages}" in page.get_text()


def test_it_is_made_in_another_process(printed: pymupdf.Document) -> None:
    assert len(printed)
    assert "weasyprint" not in sys.modules


def test_without_pango_the_command_that_installs_it_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weasyprint.py").write_text("raise OSError(\"cannot load library 'libpango-1.0-0'\")\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(Unavailable, match=r"libpango-1\.0-0") as error:
        pdf.render(folder)
    command = {"linux": "apt-get install libpangoft2-1.0-0 libharfbuzz-subset0", "darwin": "brew install pango"}
    assert command.get(sys.platform, "installation notes") in str(error.value)
    assert "\n" not in str(error.value)


def test_a_renderer_that_breaks_or_hangs_is_an_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match="no report in"):
        pdf.render(tmp_path)
    (tmp_path / "weasyprint.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(StoreError, match="not ready after 1 s"):
        pdf.render(folder, timeout=1)
    (tmp_path / "weasyprint.py").write_text("raise RuntimeError('broken')\n")
    with pytest.raises(StoreError, match="RuntimeError: broken"):
        pdf.render(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit the memory of a process")
def test_a_renderer_that_takes_too_much_memory_is_an_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weasyprint.py").write_text("bytearray(2**31)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(StoreError, match="takes more than 1024 MiB of memory; picture fewer units"):
        pdf.render(folder, memory=2**30)
    (tmp_path / "weasyprint.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    with pytest.raises(StoreError, match="ended by SIGKILL; memory may have run out"):
        pdf.render(folder)
    assert not [path for path in folder.iterdir() if path.name.startswith(".report-pdf")]


def test_a_picture_that_is_not_shown_is_an_error(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outline = Outline(report.outline.input_shape, report.outline.layers[:1])
    write(Report("a", "m", outline, report.verdicts[:1], pictures=report.pictures[:1]), tmp_path / "run")
    (tmp_path / "sitecustomize.py").write_text(
        "import dataclasses\n"
        "import audit.render.sprites as sprites\n"
        "made = sprites.Print.picture\n"
        "def elsewhere(self, pixels):\n"
        "    return dataclasses.replace(made(self, pixels), uri='file:///etc/hostname')\n"
        "sprites.Print.picture = elsewhere\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(StoreError, match="is not beside the page"):
        pdf.render(tmp_path / "run")
