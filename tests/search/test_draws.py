"""Random settings: the same from the same seed, within their ranges, and ranges that hold Table 1 of the paper."""

import math
from pathlib import Path

import pytest

from audit.ascent.presets import YOSINSKI, Preset
from audit.search.draws import PRESENT, RANGES, STEPS, Range, cut, drawn, draws
from audit.search.settings import OPTIONS, options

COLUMN = {
    "decay": "decay",
    "blur width": "blur_width",
    "blur every": "blur_every",
    "clip-norm": "clip_norm",
    "clip-contribution": "clip_contribution",
    "rate": "rate",
    "progress": "progress",
    "progress max": "progress_max",
}


def test_every_range_has_a_column_of_the_log() -> None:
    assert set(COLUMN) == set(RANGES)
    assert {*COLUMN.values(), "steps"} == set(OPTIONS)


def test_a_seed_makes_the_same_settings_and_another_seed_others() -> None:
    assert draws(20, 7) == draws(20, 7)
    ours, others = ([draw.preset for draw in draws(20, seed)] for seed in (7, 8))
    assert not set(ours) & set(others)


def test_more_settings_begin_with_the_same_ones() -> None:
    assert draws(30, 3)[:10] == draws(10, 3)


def test_settings_are_all_different() -> None:
    assert len({draw.preset for draw in draws(300, 0)}) == 300


def test_every_option_stays_in_its_range_and_reaches_both_ends_of_it() -> None:
    found = [options(draw.preset) for draw in draws(600, 0)]
    assert {one["steps"] for one in found} == set(STEPS)
    for option, limits in RANGES.items():
        values = [one[COLUMN[option]] for one in found if COLUMN[option] in one]
        assert limits.low <= min(values) <= max(values) <= limits.high
        low, high, smallest, largest = (
            (math.log(number) if limits.logarithmic else number)
            for number in (limits.low, limits.high, min(values), max(values))
        )
        assert smallest < low + 0.05 * (high - low)
        assert largest > high - 0.05 * (high - low)


def test_a_range_is_drawn_evenly_or_evenly_over_its_logarithm() -> None:
    assert [Range(2.0, 10.0).at(share) for share in (0.0, 0.5, 1.0)] == [2, 6, 10]
    assert [Range(0.01, 100.0, logarithmic=True).at(share) for share in (0.0, 0.25, 0.5, 1.0)] == [0.01, 0.1, 1, 100]
    assert Range(0.0, 1.0).at(1 / 3) == 0.333


def test_each_regularizer_is_there_as_often_as_it_is_said() -> None:
    found = [options(draw.preset) for draw in draws(600, 1)]
    for option in ("decay", "blur_width", "clip_norm", "clip_contribution", "progress"):
        share = sum(option in one for one in found) / len(found)
        assert abs(share - PRESENT) < 4 * math.sqrt(PRESENT * (1 - PRESENT) / len(found))
    assert all(("rate" in one) != ("progress" in one) for one in found)


@pytest.mark.parametrize("name", YOSINSKI)
def test_the_ranges_hold_table_1(name: str) -> None:
    own = options(YOSINSKI[name])
    assert own.pop("steps") in STEPS
    for option, limits in RANGES.items():
        value = own.pop(COLUMN[option], None)
        assert value is None or limits.low < value <= limits.high
    assert not own


def test_the_page_says_the_ranges() -> None:
    page = (Path(__file__).parents[2] / "docs" / "search.md").read_text(encoding="utf-8")
    for option, limits in RANGES.items():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{option}` |")]
        low, high, how = (cell.strip() for cell in row.split("|")[2:5])
        assert (float(low), float(high)) == (limits.low, limits.high)
        assert how == ("evenly over the logarithm" if limits.logarithmic else "evenly")


def test_regularizers_stand_in_the_order_of_the_paper() -> None:
    order = ["decay", "blur", "clip-norm", "clip-contribution"]
    for draw in draws(100, 0):
        names = [regularizer.model_dump()["regularizer"] for regularizer in draw.preset.regularizers]
        assert names == sorted(names, key=order.index)


def test_settings_can_be_cut_but_never_grow() -> None:
    assert [cut(Preset(steps=500, learning_rate=1.0), steps).steps for steps in (None, 20, 900)] == [500, 20, 500]
    whole, short = drawn(3, 0), draws(4, 0, steps=5)[3].preset
    assert short == whole.model_copy(update={"steps": 5})
