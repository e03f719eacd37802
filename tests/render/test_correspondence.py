"""Correspondence on the page: all methods of a layer, tolerances in columns, examples in full size, names as text."""

import dataclasses

import numpy as np
import pytest

from audit.analyses.pck import correspondences
from audit.records import Pictures, Report
from audit.render.pages import build
from audit.render.pages.correspondence import correspondence_section
from audit.render.sprites import for_print
from audit.render.wording import DASH
from tests.render.reports import EVIL
from tests.render.test_html import filled

SHARES = {"features": 0.75, "pixels": 0.5, "daisy": 0.25, "still": 0.125, "chance": 0.01}


def record(layer: str) -> Pictures:
    """Of four warped pictures: what SHARES say within 0.05, and half as much within the stride."""
    numbers = {f"{name}_0.05": np.full((1, 4), share) for name, share in SHARES.items()}
    numbers |= {f"{name}_stride": np.full((1, 4), share / 2) for name, share in SHARES.items()}
    numbers |= {"identity": np.ones((1, 4)), "keypoints": np.full((1, 4), 100.0), "moved": np.full((1, 4), 12.34)}
    tiles = np.random.default_rng(0).integers(0, 255, (1, 4, 30, 64, 3), np.uint8)
    captions = (tuple(f"<b>{index}</b>.jpg" for index in range(4)),)
    names = ("pictures and their warps",)
    return Pictures(layer, "correspondence", (0,), tiles, captions, ("warps",), "How it was made.", numbers, names)


@pytest.fixture
def found(report: Report) -> Report:
    pictures = (record("conv2"), record(EVIL))
    return dataclasses.replace(report, pictures=(*report.pictures, *pictures), tables=tuple(correspondences(pictures)))


def test_every_method_of_a_layer_has_a_row(found: Report) -> None:
    page = correspondence_section(found)
    assert page is not None
    (grid,), (chart,) = page.section.grids, page.section.charts
    assert [column.name for column in grid.columns][2:4] == ["within 0.05", "within stride"]
    assert len(grid.rows) == 2 * len(SHARES)
    assert grid.rows[0] == ("conv2", "features", "75.0 % (75.0 to 75.0)", "37.5 % (37.5 to 37.5)", "100 %", "400")
    assert grid.rows[1][4] == DASH
    assert "within 0.05 of the longer side" in chart.text


def test_examples_are_shown_in_full_size_and_not_among_the_units(found: Report) -> None:
    page = build(found, for_print)
    assert page.correspondence is not None
    assert [example.layer for example in page.correspondence.examples] == ["conv2", "conv2", EVIL, EVIL]
    assert {(example.image.width, example.image.height) for example in page.correspondence.examples} == {(64, 30)}
    assert "conv2" not in [layer.name for layer in page.pictured]
    (row,) = [layer for layer in page.layers if layer.name == "conv2"]
    assert row.href == "#tables"


@pytest.mark.parametrize("template", ["report.html", "report-pdf.html"])
def test_captions_are_text(found: Report, template: str) -> None:
    page = filled(template, build(found, for_print))
    assert "Keypoints that are found" in page
    assert "&lt;b&gt;0" in page
    assert "<b>0</b>.jpg" not in page


def test_without_it_there_is_no_section(report: Report) -> None:
    assert correspondence_section(report) is None
