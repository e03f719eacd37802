"""report.pdf has the same verdict, is made in another process, and says what is missing where it cannot be made."""

import sys
from pathlib import Path

import pymupdf
import pytest

from audit.errors import StoreError, Unavailable
from audit.records import Outline, Report
from audit.render import pdf
from audit.render.pages.verdicts import headline
from audit.store import write


@pytest.fixture(scope="module")
def printed(folder: Path) -> pymupdf.Document:
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


def test_a_class_has_a_page_of_its_own(printed: pymupdf.Document, report: Report) -> None:
    pages = [page.get_text() for page in printed]
    first, second = (
        next(text for text in pages[2:] if f"unit {unit} {name}" in text) for unit, name in classes(report)
    )
    assert first != second
    assert all("pictures of the class" in text and "else mostly taken for" in text for text in (first, second))


def classes(report: Report) -> list[tuple[int, str]]:
    return list(enumerate(report.labels[:2]))


def test_a_unit_stands_on_one_page(printed: pymupdf.Document) -> None:
    for page in printed:
        for block in page.get_image_info():
            assert page.rect.contains(pymupdf.Rect(block["bbox"]))


def test_it_is_tagged_and_has_bookmarks_page_numbers_and_a_language(printed: pymupdf.Document) -> None:
    catalog = printed.xref_object(printed.pdf_catalog())
    assert "/StructTreeRoot" in catalog
    assert "/Lang (en)" in catalog
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


def test_a_picture_that_is_not_shown_is_an_error(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outline = Outline(report.outline.input_shape, report.outline.layers[:1])
    write(Report("a", "m", outline, report.verdicts[:1], pictures=report.pictures[:1]), tmp_path / "run")
    (tmp_path / "sitecustomize.py").write_text(
        "import audit.render.sprites as sprites\n"
        "made = sprites.for_print\n"
        "def elsewhere(tiles, groups):\n"
        "    import dataclasses\n"
        "    return dataclasses.replace(made(tiles, groups), uri='file:///etc/hostname')\n"
        "sprites.for_print = elsewhere\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(StoreError, match="disallowed protocol"):
        pdf.render(tmp_path / "run")
