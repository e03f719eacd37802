"""Attacks, attacked pictures and fooling images -> one section, in both pages."""

import dataclasses
from urllib.parse import unquote

import numpy as np
import pytest

from audit.records import Pictures, Report, Table
from audit.render.pages import build
from audit.render.pages.fooling import ATTACKED, fooling_section
from audit.render.sprites import for_print, for_screen
from tests.render.test_html import Page, filled

EPSILONS = (0.0, 1.0, 4.0)


def table(flat: int = 0) -> Table:
    top1 = {"noise": (0.75, 0.75, 0.5), "FGSM": (0.75, 0.5, 0.25), "PGD": (0.75, 0.25, 0.0)}
    rows = [(name, *pair) for name, shares in top1.items() for pair in zip(EPSILONS, shares, strict=True)]
    return Table(
        "adversarial",
        {
            "attack": np.array([attack for attack, _, _ in rows]),
            "epsilon": np.array([epsilon for _, epsilon, _ in rows]),
            "pictures": np.full(9, 64),
            "right": np.array([round(64 * share) for _, _, share in rows]),
            "top1": np.array([share for _, _, share in rows]),
            "confidence": np.full(9, 0.9),
            "flat": np.full(9, flat),
        },
    )


def attacked(layer: str) -> Pictures:
    tiles = np.random.default_rng(0).integers(0, 255, (2, 3, 8, 8, 3), dtype=np.uint8)
    captions = (("cat, 99 %", "at most 1 of 255", "dog, 98 %"), ("dog, 97 %", "at most 4 of 255", "cat, 91 %"))
    names = ("a.png", "<b>.png")
    groups = ("picture", "change", "attacked")
    return Pictures(layer, ATTACKED, (0, 1), tiles, captions, groups, "Under PGD.", names=names)


def fooling(layer: str) -> Pictures:
    """Two classes, two presets of two images; the second without a prior is the more certain, or not known."""
    tiles = np.zeros((2, 4, 8, 8, 3), np.uint8)
    tiles[:, 3] = 200
    sure = np.array([[0.2, 0.3, 0.4, 0.999], [0.1, 0.1, np.nan, np.nan]])
    captions = (("",) * 4,) * 2
    return Pictures(
        layer,
        "optimized",
        (1, 2),
        tiles,
        captions,
        ("yosinski-3", "none"),
        "",
        {"confidence": sure, "activation": sure},
    )


@pytest.fixture
def whole(report: Report) -> Report:
    layer = report.outline.layers[-1].name
    return dataclasses.replace(report, tables=(table(),), pictures=(attacked(layer), fooling(layer)))


def test_the_table_is_a_line_per_size_of_the_attack(whole: Report) -> None:
    section = fooling_section(whole, for_print)
    assert section is not None
    (grid,) = section.grids
    assert [column.name for column in grid.columns] == ["levels of 255", "noise", "FGSM", "PGD"]
    assert grid.rows[1] == ("1", "75 % (90 %)", "50 % (90 %)", "25 % (90 %)")
    assert [row[0] for row in grid.rows] == ["0", "1", "4"]
    assert "no gradient" not in grid.text
    flat = fooling_section(dataclasses.replace(whole, tables=(table(flat=3),)), for_print)
    assert flat is not None
    assert "At 3 pictures the loss has no gradient" in flat.grids[0].text
    (chart,) = section.charts
    assert chart.title == "How little change fools it?"
    assert all(word in chart.svg for word in ("noise", "FGSM", "PGD", "accuracy"))


def test_each_attacked_picture_is_a_row_of_three(whole: Report) -> None:
    section = fooling_section(whole, for_screen(1))
    assert section is not None
    pictures, _ = section.galleries
    assert [(name, len(figures)) for name, figures in pictures.rows] == [("a.png", 3), ("<b>.png", 3)]
    assert pictures.rows[0][1][2].caption == "dog, 98 %"
    assert pictures.text.startswith("Under PGD.")


def test_the_most_certain_image_without_a_prior_fools_and_an_unknown_one_does_not(whole: Report) -> None:
    section = fooling_section(whole, for_screen(1))
    assert section is not None
    ((_, figures),) = section.galleries[1].rows
    assert [figure.caption for figure in figures] == [f"{whole.labels[1]}, 99.9 %"]


@pytest.mark.parametrize(("template", "embed"), [("report.html", for_screen(1)), ("report-pdf.html", for_print)])
def test_both_pages_show_the_section_and_no_panel_of_a_unit(whole: Report, template: str, embed) -> None:
    page = build(whole, embed, whole=embed is for_print)
    text = filled(template, page)
    assert 'href="#fooling"' in text
    assert text.count("dog, 98 %") >= 1
    assert "&lt;b&gt;.png" in text
    assert "<b>.png" not in text
    (layer,) = page.pictured
    assert [panel.kind for panel in layer.units[0].panels] == ["optimized"]


def test_no_link_leads_nowhere_where_a_layer_has_attacked_pictures_alone(whole: Report) -> None:
    page = build(dataclasses.replace(whole, pictures=whole.pictures[:1]), for_screen(1))
    assert page.pictured == ()
    parsed = Page(filled("report.html", page))
    links = {unquote(link[1:]) for link in parsed.all("href") if link.startswith("#")}
    assert len(links) > 20
    assert links <= set(parsed.all("id"))


def test_nothing_that_fools_is_no_section(report: Report) -> None:
    assert fooling_section(dataclasses.replace(report, tables=(), pictures=()), for_print) is None
