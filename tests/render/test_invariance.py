"""Curves of transformed pictures -> a chart per unit, in both pages."""

import dataclasses

import numpy as np
import pytest

from audit.records import Pictures, Report
from audit.render.charts.invariance import invariance
from audit.render.pages import build
from audit.render.sprites import for_print, for_screen
from tests.render.test_html import filled

NAMES = ("scale", "rotation", "shift", "brightness", "noise")


def transformed(layer: str = "conv1") -> Pictures:
    """Two units with curves and one without."""
    rng = np.random.default_rng(0)
    numbers = {name: rng.uniform(0.2, 1.0, (3, 15)) for name in ("relative", "low", "high", "others")}
    for values in numbers.values():
        values[2] = np.nan
    numbers |= {"amount": np.tile([0.5, 1.0, 2.0], (3, 5)), "pictures": np.full((3, 15), 4.0)}
    tiles = rng.integers(0, 255, (3, 15, 8, 8, 3), dtype=np.uint8)
    captions = tuple(tuple(f"unit {unit}: tile {tile}" for tile in range(15)) for unit in range(3))
    return Pictures(layer, "invariance", (0, 11, 17), tiles, captions, NAMES, "Changed.", numbers)


def test_a_unit_has_a_panel_per_transformation() -> None:
    chart = invariance(transformed(), 11)
    assert chart is not None
    assert "mean over its 4 strongest pictures" in chart.text
    for title in ("size", "degrees", "shift, of the width", "brightness", "noise, of 255 levels"):
        assert title in chart.svg
    assert chart.svg.count("stroke-dasharray") == len(NAMES)  # the other pictures


def test_a_unit_without_a_curve_has_no_chart() -> None:
    assert invariance(transformed(), 17) is None
    assert invariance(transformed(), 5) is None
    assert invariance(None, 0) is None


@pytest.mark.parametrize(("template", "embed"), [("report.html", for_screen(1)), ("report-pdf.html", for_print)])
def test_both_pages_show_it_below_the_unit(report: Report, template: str, embed) -> None:
    shown = dataclasses.replace(report, tables=(), pictures=(transformed(),))
    page = build(shown, embed, whole=embed is for_print)
    text = filled(template, page)
    assert text.count("What it does not mind") >= 2
    (layer,) = page.pictured
    assert [unit.invariance is None for unit in layer.units] == [False, False, True]
    assert [block.name for block in layer.units[0].panels[0].blocks] == list(NAMES)
