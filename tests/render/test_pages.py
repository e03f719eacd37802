"""What templates see: formatted numbers, sentences, anchors; and the templates themselves."""

import base64
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from audit.errors import StoreError
from audit.records import Item, Outcome, Outline, Pictures, Report, Scalars, Verdict
from audit.render import templates
from audit.render.charts import filters
from audit.render.charts.layers import draw
from audit.render.pages import build, columns, verdicts
from audit.render.pages.verdicts import headline
from audit.render.sprites import SCREEN_BYTES, for_print, for_screen
from audit.render.wording import anchor, link, number, percent, place
from audit.store.sprites import montage


@pytest.fixture(scope="module")
def report(report: Report) -> Report:
    """Without what has tests of its own, in test_sections.py."""
    return dataclasses.replace(report, tables=(), claims=(), histograms=())


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "\N{EN DASH}"),
        (math.nan, "not a number"),
        (math.inf, "∞"),
        (-math.inf, "\N{MINUS SIGN}∞"),
        (0.0, "0"),
        (-3.0, "\N{MINUS SIGN}3"),
        (8.3333333, "8.333"),
        (12345.6, "12\N{NARROW NO-BREAK SPACE}346"),
        (0.00001234, "1.23e\N{MINUS SIGN}5"),
        (1e15, "1e15"),
    ],
)
def test_numbers_are_shown_with_four_digits(value: float | None, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.814, "81.4 %"),
        (1e-9, "< 0.1 %"),
        (1 - 1e-9, "> 99.9 %"),
        (math.nan, "not a number"),
    ],
)
def test_rounding_never_makes_none_or_all_of_some(share: float, shown: str) -> None:
    assert percent(share) == shown


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_some_is_never_shown_as_none_or_all(share: float) -> None:
    assert percent(share) not in ("0 %", "100 %")


@given(st.text(), st.text())
def test_anchors_differ_as_names_do_and_hold_no_space(one: str, other: str) -> None:
    for name in (anchor, lambda text: place("unit", text)):
        assert (name(one) == name(other)) == (one == other)
        assert not any(character.isspace() for character in name(one))
    assert "::" not in place("unit", one)


def test_an_ordinary_items_anchor_is_its_id() -> None:
    item = Item("audit.toml", "demo", "features.3.relu#2", "dead-units")
    assert anchor(item.id) == item.id == "audit.toml::demo::features.3.relu#2::dead-units"
    assert link(item.id) == "#audit.toml::demo::features.3.relu%232::dead-units"


def judged(*outcomes: Outcome) -> Report:
    verdicts = tuple(Verdict(Item("f", "m", str(i), "t"), outcome, "") for i, outcome in enumerate(outcomes))
    return Report("a", "m", Outline((3, 8, 8), ()), verdicts)


@pytest.mark.parametrize(
    ("outcomes", "sentence"),
    [
        ((), "Nothing was evaluated, so nothing passed."),
        (("skipped",), "Nothing was evaluated, so nothing passed."),
        (("passed",), "The one evaluated item is good."),
        (("passed", "passed", "skipped"), "All 2 evaluated items are good; 1 was skipped."),
        (("passed", "failed"), "1 item failed, of 2."),
        (("error", "error"), "2 items could not be evaluated, of 2."),
        (("failed", "error", "passed"), "1 item failed and 1 item could not be evaluated, of 3."),
    ],
)
def test_the_headline_says_what_became_of_the_items(outcomes: tuple[Outcome, ...], sentence: str) -> None:
    assert headline(judged(*outcomes)) == sentence


@pytest.mark.parametrize(
    ("limit", "asked", "shown"),
    [(0.34, 10.0, "at least 10 %, 0.34 % with chance"), (10.0, 10.0, "at least 10 %"), (10.0, None, "at least 10 %")],
)
def test_a_limit_is_shown_as_it_was_asked_and_as_chance_makes_it(limit: float, asked: float | None, shown: str) -> None:
    verdict = Verdict(Item("audit.toml", "m", None, "accuracy"), "passed", "", 50, limit, "at least", "%", asked=asked)
    assert verdicts.item(verdict, set()).limit == shown


def test_many_findings_fold_and_none_is_lost(report: Report) -> None:
    dead = next(verdict for verdict in report.verdicts if verdict.findings)
    many = dataclasses.replace(dead, findings=dead.findings[:1] * 100)
    page = build(dataclasses.replace(report, verdicts=(many,), pictures=()), for_print)
    (item,) = page.attention
    assert len(item.findings) == verdicts.FINDINGS
    assert len(item.findings) + len(item.more) == 100


def test_units_that_were_not_measured_are_not_counted_as_alive(report: Report) -> None:
    layer = report.outline.layers[0]
    shares = np.full(layer.units, np.nan)
    shares[:4] = [0, 0, 0.5, 1]
    scalars = (Scalars(layer.name, {"share_of_images": shares}),)
    row = build(dataclasses.replace(report, scalars=scalars, pictures=()), for_print).layers[0]
    assert (row.dead, row.images) == ("2 (of 4 measured)", "37.5 % (of 4 measured)")
    bare = build(dataclasses.replace(report, scalars=(), pictures=()), for_print).layers[0]
    assert (bare.dead, bare.images) == ("\N{EN DASH}", "\N{EN DASH}")


def test_an_analysis_that_failed_says_so_where_its_pictures_would_be(report: Report) -> None:
    broken = tuple(
        dataclasses.replace(verdict, outcome="error", message="out of memory")
        if (verdict.item.layer, verdict.item.task) == ("fc", "deconv")
        else verdict
        for verdict in report.verdicts
    )
    pictures = tuple(each for each in report.pictures if (each.layer, each.kind) != ("fc", "deconv"))
    page = build(dataclasses.replace(report, verdicts=broken, pictures=pictures), for_print, whole=True)
    panels = {panel.kind: panel for panel in page.pictured[-1].units[0].panels}
    assert panels["deconv"].status == "nothing to show: out of memory"
    assert panels["optimized"].status == ""


def test_labels_name_the_units_of_the_last_layer_only(report: Report) -> None:
    first, *_, last = build(report, for_print, whole=True).pictured
    assert [unit.label for unit in last.units] == list(report.labels[:2])
    assert {unit.label for unit in first.units} == {""}


def test_every_number_of_every_measured_unit_is_searched(report: Report) -> None:
    search = build(dataclasses.replace(report, pictures=()), for_print).search
    assert [layer["units"] for layer in search["layers"]] == [layer.units for layer in report.outline.layers]
    measured = {scalars.layer: scalars for scalars in report.scalars}
    for layer in search["layers"]:
        values = np.frombuffer(base64.b64decode(layer["values"]), "<f4").reshape(-1, layer["units"])
        headings = [search["columns"][column][0] for column in layer["columns"]]
        columns_ = columns.columns_of(report)[layer["name"]]
        assert headings == [columns.COLUMNS.get(name, name) for name in columns_]
        for row, name in zip(values, columns_, strict=True):
            assert np.array_equal(row, measured[layer["name"]].columns[name].astype("f4"), equal_nan=True)


def test_small_pictures_stay_sharp_and_large_ones_small() -> None:
    tiles = np.random.default_rng(0).integers(0, 256, (9, 9, 9, 3), dtype=np.uint8)
    assert for_screen(1)(tiles, 1).sharp
    assert montage(tiles).shape == (27, 27, 3)
    large = np.zeros((9, 300, 200, 3), dtype=np.uint8)
    few, many = for_screen(10)(large, 1), for_screen(100_000)(large, 1)
    assert (few.width, few.height) == (3 * 133, 3 * 200)
    assert (many.width, many.height) == (3 * 48, 3 * 72)
    assert SCREEN_BYTES < 50e6
    printed = for_print(tiles, 1)
    assert (printed.width, printed.height) == (9 * 12 * 3 + 2 * 3, 9 * 12 * 3 + 2 * 3)


def test_charts_are_drawings_with_ids_of_their_own(report: Report) -> None:
    charts = draw(report)
    assert [chart.title for chart in charts] == ["How often units fire", "How strongly units fire"]
    for chart in charts:
        assert chart.svg.startswith("<svg")
        assert "<img" not in chart.svg
        assert "currentColor" in chart.svg


@pytest.mark.parametrize(
    ("measured", "titles"),
    [
        ({}, []),
        ({"mean": np.zeros(3)}, []),
        ({"mean": np.zeros(3), "std": np.ones(3)}, ["How strongly units fire"]),
        ({"share_of_images": np.array([0, np.nan, 1])}, ["How often units fire"]),
        ({"share_of_images": np.full(3, np.nan)}, []),
        ({name: np.full(3, np.nan) for name in ("frequency", "is_colour", "mean_activated")}, []),
        (
            {name: np.ones(3) for name in ("frequency", "is_colour", "mean_activated")},
            ["Do low frequencies fire more?"],
        ),
        (
            {name: np.zeros(3) for name in ("frequency", "is_colour", "gradient_energy")},
            ["Does more gradient arrive at high frequencies?"],
        ),
        ({name: np.ones(3) for name in ("frequency", "next_weight")}, []),
    ],
)
def test_a_chart_without_its_numbers_is_left_out(
    measured: dict[str, np.ndarray], titles: list[str], report: Report
) -> None:
    shown = dataclasses.replace(report, scalars=(Scalars("conv1", measured),))
    assert [chart.title for chart in (*draw(shown), *filters.draw(shown))] == titles


def test_templates_are_found_in_the_package_or_else_in_the_checkout(tmp_path: Path) -> None:
    package = tmp_path / "somewhere" / "audit"
    package.mkdir(parents=True)
    with pytest.raises(StoreError, match="no templates"):
        templates.find(package)
    for folder in (package.parent / "templates", package / "templates"):
        folder.mkdir()
        (folder / "report.html").touch()
        assert templates.find(package) == folder
    assert (templates.find() / "report.css").is_file()


def test_a_name_that_a_template_misspells_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        templates.environment().from_string("{{ page.verdcit }}").render(page=judged())


def test_a_template_escapes_what_it_is_given() -> None:
    shown = templates.environment().from_string('<a title="{{ text }}">{{ text }}</a>').render(text='"><b>&')
    assert shown == '<a title="&#34;&gt;&lt;b&gt;&amp;">&#34;&gt;&lt;b&gt;&amp;</a>'


def test_an_unknown_kind_of_pictures_has_a_place_after_the_known(report: Report) -> None:
    def renamed(kind: str) -> Callable[[Pictures], Pictures]:
        return lambda pictures: dataclasses.replace(pictures, kind=kind)

    extra = renamed("a <new> kind")(report.pictures[0])
    page = build(dataclasses.replace(report, pictures=(extra, *report.pictures)), for_print, whole=True)
    assert [panel.title for panel in page.pictured[0].units[0].panels][-1] == "a <new> kind"
