"""A report with many pictures is pages of layers beside their sprites: the same report, and every address is right."""

import dataclasses
import json
import re
import shutil
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from audit.records import Report
from audit.render import html
from audit.render.layout import ONE_FILE, layout_of
from audit.render.sprites import Beside
from audit.store import read, write
from tests.render.test_html import Page


@pytest.fixture(scope="module")
def pages(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report as a folder, moved elsewhere after it was rendered."""
    made = tmp_path_factory.mktemp("pages") / "run"
    shutil.copytree(folder, made)
    html.render(made, choice="folder")
    return Path(shutil.move(made, made.with_name("moved")))


@pytest.fixture(scope="module")
def parsed(pages: Path) -> dict[Path, Page]:
    """Every page of it."""
    files = [pages / "report.html", *sorted((pages / "report").glob("*.html"))]
    return {file: Page(file.read_text(encoding="utf-8")) for file in files}


def addresses(page: Page) -> list[str]:
    sheets = [found[1] for style in page.all("style") if (found := re.search(r'url\("(.*)"\)', style))]
    return [each for each in (*page.all("href"), *page.all("src"), *sheets) if not each.startswith("data:")]


def test_there_is_a_page_for_each_pictured_layer(parsed: dict[Path, Page], report: Report) -> None:
    layers = {pictures.layer for pictures in report.pictures}
    assert len(parsed) == 1 + len(layers)
    units = {(pictures.layer, unit) for pictures in report.pictures for unit in pictures.units}
    shown = [identifier for page in parsed.values() for identifier in page.all("id") if identifier.startswith("unit/")]
    assert len(shown) == len(set(shown)) == len(units)


def test_every_address_leads_to_a_part_of_a_page_or_to_a_file(parsed: dict[Path, Page], pages: Path) -> None:
    seen = 0
    for file, page in parsed.items():
        for address in addresses(page):
            path, _, fragment = address.partition("#")
            target = (file.parent / unquote(path)).resolve() if path else file
            assert target.is_file(), address
            assert target.is_relative_to(pages)
            if fragment:
                assert unquote(fragment) in parsed[target].all("id"), address
            seen += 1
    assert seen > 200


def test_the_search_leads_to_parts_of_pages(parsed: dict[Path, Page], pages: Path) -> None:
    text = (pages / "report" / "data.js").read_text(encoding="utf-8")
    data = json.loads(text.removeprefix("window.deepvisAudit = ").rstrip().removesuffix(";"))
    links = [layer["href"] for layer in data["layers"]] + [item[4] for item in data["items"]]
    links += [f"{layer['unit']}/{unit}" for layer in data["layers"] for unit in layer["pictured"]]
    for link in links:
        path, _, fragment = link.partition("#")
        assert unquote(fragment) in parsed[pages / path].all("id")


def test_a_block_is_the_part_of_its_sheet_that_shows_its_tiles(folder: Path) -> None:
    report = read(folder)
    looked_at = 0
    for record in report.pictures:
        for row in range(len(record.units)):
            for group in range(len(record.groups)):
                made = Beside(folder / "report", folder).block(record, row, group)
                assert made.crop is not None
                with Image.open(folder / unquote(made.uri)) as image:
                    sheet = np.asarray(image.convert("RGB"))
                assert sheet.shape[1] == round(made.crop.across * made.width)
                assert sheet.shape[0] == round(made.crop.down * made.height)
                top, left = round(made.crop.top * made.height), round(made.crop.left * made.width)
                part = sheet[top : top + made.height, left : left + made.width]
                tile = record.tiles[row, group * 9]
                assert np.array_equal(part[: tile.shape[0], : tile.shape[1]], tile)
                gutters = [round(share * made.width / 3) for share in made.crop.gutter]
                assert gutters == [made.width // 3 - tile.shape[1], made.height // 3 - tile.shape[0]]
                looked_at += 1
    assert looked_at > 50


def test_one_file_is_made_of_what_is_small_or_asked_for(report: Report, folder: Path, tmp_path: Path) -> None:
    assert layout_of(report, folder, "auto").one_file
    assert not layout_of(report, folder, "folder").one_file
    (tmp_path / "sprites").mkdir()
    with (tmp_path / "sprites" / "large.jpg").open("wb") as file:
        file.truncate(ONE_FILE)
    assert not layout_of(report, tmp_path, "auto").one_file
    assert layout_of(report, tmp_path, "file").one_file


def test_what_an_earlier_rendering_left_is_taken_away(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "run")
    html.render(tmp_path / "run", choice="folder")
    (tmp_path / "run" / "report" / "999-old.html").touch()
    html.render(tmp_path / "run", choice="folder")
    assert not (tmp_path / "run" / "report" / "999-old.html").exists()
    html.render(tmp_path / "run", choice="file")
    assert not (tmp_path / "run" / "report").exists()
    write(read(tmp_path / "run"), tmp_path / "other")
    assert not (tmp_path / "other" / "report").exists()


def test_a_page_that_is_too_large_to_hand_on_is_said(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.touch()
    assert html.warning(tmp_path) is None
    with page.open("wb") as file:
        file.truncate(60_000_000)
    assert "60 MB large" in (html.warning(tmp_path) or "")


def test_names_of_layers_lead_nowhere_else(report: Report, reports: ModuleType, folder: Path) -> None:
    evil = dataclasses.replace(report.outline.layers[0], name="../../up")
    outline = dataclasses.replace(report.outline, layers=(evil, *report.outline.layers[1:]))
    pictures = tuple(
        dataclasses.replace(record, layer="../../up") if record.layer == "conv1" else record
        for record in report.pictures
    )
    layout = layout_of(dataclasses.replace(report, outline=outline, pictures=pictures), folder, "folder")
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+\.html", page) for page in layout.pages.values())
    assert len(set(layout.pages.values())) == len(layout.pages) == 3
