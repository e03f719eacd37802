"""The ranking of local detectors: the surest first, hidden layers only, with links and patches where there are any."""

import dataclasses

import numpy as np
import pytest

from audit.records import Report, Scalars, Table
from audit.render.pages import build
from audit.render.pages.detectors import SHOWN, detectors_section
from audit.render.sprites import for_print
from audit.render.wording import DASH
from tests.render.reports import EVIL
from tests.render.test_html import filled


def columns(units: int, detected: dict[int, int], of: str = "class") -> dict[str, np.ndarray]:
    """Of those units, the higher the number the surer."""
    target = np.full(units, -1.0)
    target[list(detected)] = list(detected.values())
    word = "label" if of == "class" else "concept"
    auc = {
        f"{of}_auc{end}": np.linspace(0.5, 0.9, units) + more for end, more in (("", 0), ("_low", -0.1), ("_high", 0.1))
    }
    purity = {
        f"{word}_purity{end}": np.full(units, share) for end, share in (("", 4 / 9), ("_low", 0.1), ("_high", 0.7))
    }
    return {f"detected_{of}": target, **auc, **purity, "label_count": np.full(units, 5.0)}


@pytest.fixture
def found(report: Report) -> Report:
    scalars = (
        Scalars("conv1", columns(24, {3: 1, 11: 2})),
        Scalars("relu1", columns(24, dict.fromkeys(range(24), 0))),
        Scalars(EVIL, columns(40, {5: 1, 30: 2}) | columns(40, {2: 0}, "concept")),
        Scalars("fc", columns(10, {1: 1})),
    )
    table = {
        "layer": ["relu1", EVIL, EVIL],
        "of": ["class", "class", "concept"],
        "targets": [10, 10, 1],
        "units": [24, 40, 40],
        "unmeasured": ["", "7, 9", "7, 9"],
        "detectors": [24, 2, 1],
        "random_detectors": [0.5, 0.25, np.nan],
        "auc": [0.7, 0.8, 0.9],
        "random_auc": [0.6, 0.7, np.nan],
        "purity": [0.4, 0.5, 0.6],
        "random_purity": [0.3, 0.3, np.nan],
        "versus": [0.7, 0.5, np.nan],
        "versus_low": [0.6, 0.4, np.nan],
        "versus_high": [0.8, 0.6, np.nan],
    }
    concepts = Table("concepts", {"name": np.array(["<b>striped</b>"])})
    tables = (Table("detectors", {name: np.array(values) for name, values in table.items()}), concepts)
    return dataclasses.replace(report, scalars=scalars, tables=tables)


def test_the_surest_units_of_hidden_layers_come_first(found: Report) -> None:
    section = build(found, for_print).detectors
    assert section is not None
    classes, concepts = section.rankings
    assert classes.title == "26 units of hidden layers surely find one of the classes"
    places = [(row.layer, row.unit) for row in classes.rows]
    assert places[:2] == [("relu1", "23"), ("relu1", "22")]
    assert {layer for layer, _ in places} == {"relu1", EVIL}  # conv1 is rectified by relu1, fc has the classes
    assert len(places) == SHOWN
    assert classes.left_out == "6 more units in units.parquet."
    (only,) = concepts.rows
    assert (only.layer, only.unit, only.finds, only.auc, only.interval) == (
        EVIL,
        "2",
        "<b>striped</b>",
        "0.521",
        "0.421 to 0.621",
    )
    assert only.purity == "44.4 % (10 % to 70 %)"
    assert classes.rows[0].purity == "44.4 % (10 % to 70 %), 5 labels"


def test_pictured_units_have_a_link_and_their_patches(found: Report) -> None:
    section = build(found, for_print).detectors
    assert section is not None
    shown = {(row.layer, row.unit): row for ranking in section.rankings for row in ranking.rows}
    assert shown[EVIL, "30"].patches is not None
    assert shown[EVIL, "30"].href.endswith("/30")
    assert shown["relu1", "23"].patches is None
    assert shown["relu1", "23"].href == ""


def test_layers_that_are_not_known_stay_unknown_and_units_are_named(found: Report) -> None:
    section = build(found, for_print).detectors
    assert section is not None
    assert section.layers.rows[2][1:] == ("concepts", "1", "1 of 40", DASH, "0.900", DASH, "60 %", DASH)
    assert f"{EVIL}: 7, 9." in section.layers.text
    assert section.chart is not None


@pytest.mark.parametrize("template", ["report.html", "report-pdf.html"])
def test_names_of_concepts_are_text_on_the_page(found: Report, template: str) -> None:
    page = filled(template, build(found, for_print))
    assert "Local detectors" in page
    assert "&lt;b&gt;striped" in page
    assert "<b>striped" not in page


def test_without_detectors_there_is_no_section(report: Report) -> None:
    assert detectors_section(report, {}, for_print) is None
