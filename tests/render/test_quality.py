"""Numbers of optimized images on a page: a short row per preset, and nothing of what is not known."""

import dataclasses
from types import ModuleType

import numpy as np
import pytest

from audit.records import Report, Table
from audit.render.pages import build, quality
from audit.render.pages.units import UnitSection
from audit.render.sprites import for_print, for_screen
from audit.render.wording import DASH, MINUS

KNOWN = {
    "preset": "quick",
    "images": 9,
    "activation": 12.345,
    "of_strongest": 1.84,
    "rank": 1.0,
    "slope": -2.12,
    "natural_slope": -2.04,
    "diversity": 0.4,
    "pixel_diversity": 0.91,
    "sparsity": 0.5,
    "confidence": 0.9996,
    "recognised": 7.0,
}


def cells(**changed: float) -> dict[str, str]:
    grid = quality.grid_of([{**KNOWN, **changed}])
    assert grid is not None
    return dict(zip([column.name for column in grid.columns], grid.rows[0], strict=True))


def test_a_row_says_what_is_known_in_few_digits() -> None:
    assert cells() == {
        "preset": "quick",
        "reached": "12.3",
        "of strongest picture": "1.8 \N{MULTIPLICATION SIGN}",
        "rank": "1",
        "slope": f"{MINUS}2.1 (pictures {MINUS}2.0)",
        "gray": "50 %",
        "diversity": "0.40, pixels 0.91",
        "confidence": "> 99.9 %",
        "recognised": "7 of 9",
    }
    assert quality.line_of(KNOWN) == (
        f"12.3 (1.8 \N{MULTIPLICATION SIGN}) · rank 1 · slope {MINUS}2.1 · diversity 0.40 · confidence > 99.9 % · "
        "recognised 7 of 9"
    )


def test_what_is_not_known_is_left_out() -> None:
    nothing = dict.fromkeys(("of_strongest", "natural_slope", "recognised", "confidence", "sparsity"), np.nan)
    assert set(cells(**nothing)) == {"preset", "reached", "rank", "slope", "diversity"}
    assert cells(**nothing)["slope"] == f"{MINUS}2.1"
    assert quality.line_of({**KNOWN, **nothing}) == f"12.3 · rank 1 · slope {MINUS}2.1 · diversity 0.40"
    both = quality.grid_of([KNOWN, {**KNOWN, **nothing}])
    assert both is not None
    assert both.rows[1][-1] == DASH
    assert quality.grid_of([]) is None


@pytest.fixture(scope="module")
def units(report: Report) -> dict[tuple[str, int], UnitSection]:
    page = build(report, for_screen(100))
    return {(layer.name, int(unit.chip)): unit for layer in page.pictured for unit in layer.units}


def test_every_pictured_unit_has_a_row_per_preset(
    units: dict[tuple[str, int], UnitSection], reports: ModuleType
) -> None:
    for (layer, unit), section in units.items():
        assert section.numbers is not None
        assert tuple(row[0] for row in section.numbers.rows) == reports.PRESETS
        heads = {column.name for column in section.numbers.columns}
        assert ("recognised" in heads) == (layer == "fc")
        assert ("reached" in heads) == (unit not in reports.DEAD[layer])


def test_on_paper_a_block_tells_its_numbers_and_other_kinds_their_caption(report: Report) -> None:
    page = build(report, for_print, whole=True)
    unit = next(unit for layer in page.pictured if layer.name == "fc" for unit in layer.units)
    optimized, patches, _ = unit.panels
    assert all("recognised 7 of 9" in block.numbers for block in optimized.blocks)
    assert all(block.numbers == "" and block.short for block in patches.blocks)


def test_layers_stand_under_their_preset_by_depth(report: Report, reports: ModuleType) -> None:
    grid = quality.variation(report.tables)
    assert grid is not None
    assert [row[0] for row in grid.rows] == [preset for preset in reports.PRESETS for _ in range(len(grid.rows) // 4)]
    table = Table(
        "variation",
        {
            "layer": np.array(["conv1", "fc"]),
            "preset": np.array(["p", "p"]),
            "units": np.array([2, 5]),
            "pixels": np.array([0.111, 0.5]),
            "low": np.array([np.nan, 0.4]),
            "high": np.array([np.nan, 0.6]),
            "codes": np.array([0.02, np.nan]),
        },
    )
    few = quality.variation([table])
    assert few is not None
    assert few.rows == (("p", "conv1", "2", "0.11", DASH, "0.02"), ("p", "fc", "5", "0.50", "0.40 to 0.60", DASH))
    assert quality.variation(dataclasses.replace(report, tables=()).tables) is None
