"""report.html shows everything, loads nothing, and shows untrusted text as text."""

import base64
import dataclasses
import hashlib
import io
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from audit.errors import StoreError
from audit.records import Outline, Report
from audit.render import html
from audit.render.pages import ReportPage
from audit.render.templates import environment
from audit.render.wording import anchor
from audit.store import read, write

VOID = {"meta", "link", "img", "br", "hr", "input", "path", "line", "rect", "circle"}


class Page(HTMLParser):
    """Elements with their attributes, the text, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute of <{tag}> twice"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data

    def all(self, name: str) -> list[str]:
        """Every value of an attribute."""
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def filled(template: str, page: ReportPage) -> str:
    """The page as a template of ours shows it, with all inside it."""
    if template == "report.html":
        return html.text(page).decode("utf-8")
    return environment().get_template(template).render(page=page, version="0")


@pytest.fixture(scope="module")
def parsed(page: str) -> Page:
    return Page(page)


def test_every_element_is_closed_and_every_id_is_unique(parsed: Page) -> None:
    assert parsed.open == []
    identifiers = parsed.all("id")
    assert len(identifiers) > 50
    assert len(set(identifiers)) == len(identifiers)
    assert not [identifier for identifier in identifiers if re.search(r"\s", identifier) or not identifier]


def test_every_link_leads_to_a_part_of_the_page(parsed: Page) -> None:
    identifiers, links = set(parsed.all("id")), [link for link in parsed.all("href") if link != "data:,"]
    assert len(links) > 50
    for link in links:
        assert link.startswith("#")
        assert unquote(link[1:]) in identifiers


def test_nothing_is_loaded_and_nothing_runs(page: str, parsed: Page) -> None:
    tags = {tag for tag, _ in parsed.elements}
    assert not tags & {
        "iframe",
        "object",
        "embed",
        "form",
        "base",
        "audio",
        "video",
        "source",
        "image",
        "use",
    }
    assert all(source.startswith("data:image/") for source in parsed.all("src"))
    assert not [name for _, attributes in parsed.elements for name in attributes if name.startswith("on")]
    assert [attributes["rel"] for tag, attributes in parsed.elements if tag == "link"] == ["icon"]
    style = page[page.index("<style>") : page.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style


def test_nothing_but_the_pages_own_script_may_run(page: str, parsed: Page) -> None:
    (policy,) = [a["content"] for _, a in parsed.elements if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:"
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    runs = [text for attributes, text in scripts if "type=" not in attributes or 'id="vega"' in attributes]
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in runs}
    assert len(runs) == 2
    assert set(rules["script-src"].split()) == hashes
    assert all('type="application/json"' in each for each, text in scripts if text not in runs)
    assert len(scripts) == len([tag for tag, _ in parsed.elements if tag == "script"])


def test_untrusted_markup_is_shown_as_text(parsed: Page, reports: ModuleType) -> None:
    for text in (reports.EVIL, "squeeze <b>net</b>", "<script>alert(3)</script>", 'evil"><b>'):
        assert text in parsed.text or any(text in title for title in parsed.all("title"))
    assert "<script>alert(2)</script>" in parsed.text
    assert not [attributes for tag, attributes in parsed.elements if tag == "img" and "onerror" in attributes]
    assert "b" not in {tag for tag, _ in parsed.elements}


def test_control_characters_do_not_reach_the_page(report: Report, tmp_path: Path) -> None:
    odd = "a\0b\x1b[31m\u202ec\udcff"
    write(dataclasses.replace(report, model=odd, pictures=(), labels=(odd,)), tmp_path / "run")
    text = html.render(tmp_path / "run").read_text(encoding="utf-8")
    assert "a\ufffdb\ufffd[31m\ufffdc\ufffd" in text
    assert not re.search("[\0-\x08\x0b-\x1f\u202a-\u202e]", text)


def test_every_item_is_there_with_its_outcome_numbers_and_message(parsed: Page, report: Report) -> None:
    identifiers = parsed.all("id")
    for verdict in report.verdicts:
        assert anchor(verdict.item.id) in identifiers
        assert verdict.message in parsed.text
    assert "8.333 %" in parsed.text
    assert "at most 5 %" in parsed.text
    assert "not a number" in parsed.text
    assert "2 items failed and 1 item could not be evaluated, of 21." in parsed.text
    place = [identifiers.index(anchor(verdict.item.id)) for verdict in report.verdicts]
    wrong = [index for index, v in zip(place, report.verdicts, strict=True) if v.outcome in ("failed", "error")]
    assert max(wrong) < min(set(place) - set(wrong))


def test_every_layer_unit_and_number_is_there(parsed: Page, report: Report) -> None:
    for layer in report.outline.layers:
        assert layer.name in parsed.text
    for fact in report.provenance.values():
        assert fact in parsed.text
    units = [identifier for identifier in parsed.all("id") if identifier.startswith("unit/")]
    assert len(units) == len({(pictures.layer, unit) for pictures in report.pictures for unit in pictures.units})


def test_every_picture_is_there_with_its_captions(parsed: Page, report: Report, folder: Path) -> None:
    shown = {}
    for tag, attributes in parsed.elements:
        if tag == "img" and "run" not in attributes["alt"]:  # those are of the figure of all layers
            shown[attributes["alt"].split(";")[0]] = attributes["src"]
    expected, void = 0, 0
    for pictures in read(folder).pictures:
        for unit, tiles, captions in zip(pictures.units, pictures.tiles, pictures.captions, strict=True):
            if captions[0] == "nothing to show: dead unit":
                void += 1
                continue
            assert all(caption in parsed.text for caption in captions)
            for index, group in enumerate(pictures.groups):
                expected += 1
                title = {"optimized": "Optimized images", "max-patches": "Strongest patches", "deconv": "Deconvnet"}
                name = f"{title[pictures.kind]} of unit {unit} of {pictures.layer}"
                source = shown[f"{name}, {group}" if len(pictures.groups) > 1 else name]
                image = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGB"))
                side = tiles.shape[1]
                assert image.shape == (3 * side, 3 * side, 3)
                for tile in range(9):
                    top, left = tile // 3 * side, tile % 3 * side
                    difference = image[top : top + side, left : left + side].astype(int) - tiles[index * 9 + tile]
                    assert np.abs(difference).mean() < (5 if side > 64 else 1e-9)
    assert len(shown) == expected == 7 * 6  # 7 living units: 4 presets, patches, deconvs
    assert void == 6
    assert parsed.text.count("nothing to show: dead unit") == void


def test_pictures_have_texts_and_the_page_has_a_language_and_headings_in_order(page: str, parsed: Page) -> None:
    assert all(attributes.get("alt") for tag, attributes in parsed.elements if tag == "img")
    assert ("html", {"lang": "en"}) in parsed.elements
    levels = [int(tag[1]) for tag, _ in parsed.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.count('role="img"') == len(re.findall(r'<figure class="chart">', page)) == 2 + 5 + 3 + 3 + 3


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours by the definition of WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_text_colour_has_enough_contrast_in_light_and_dark(page: str) -> None:
    schemes = re.findall(r":root \{(.*?)\}", page, re.DOTALL)
    assert len(schemes) == 2
    for scheme in schemes:
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", scheme))
        for text in ("ink", "soft", "link", "good", "bad", "odd", "none"):
            assert contrast(colours[text], colours["page"]) >= 4.5
            assert contrast(colours[text], colours["raised"]) >= 4.5
        for text in ("good", "bad", "odd", "none"):
            assert contrast(colours[text], colours[f"{text}-back"]) >= 4.5
            assert contrast(colours["soft"], colours[f"{text}-back"]) >= 4.5


def test_a_report_without_any_measurement_is_a_page(tmp_path: Path) -> None:
    write(Report("audit", "empty", Outline((3, 8, 8), ()), ()), tmp_path / "run")
    page = Page(html.render(tmp_path / "run").read_text(encoding="utf-8"))
    assert "Nothing was evaluated, so nothing passed." in page.text
    assert "failed" in page.text
    assert "units" not in page.all("id")


def test_a_folder_without_a_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no report"):
        html.render(tmp_path)
