"""What is shown of claims, pictures, trials, weights and distributions; and that whatever is missing is left out."""

import dataclasses
from types import ModuleType

import numpy as np
import pytest
from scipy.stats import binomtest

from audit.checks.answers import Answers
from audit.checks.reliability import confusions, reliability
from audit.records import Histogram, Report, Table
from audit.render.charts import distributions, layers
from audit.render.pages import ReportPage, build
from audit.render.pages.paper import paper_section
from audit.render.pages.pictures import pictures_section
from audit.render.pages.weights import weights_section
from audit.render.sprites import for_print
from audit.render.wording import DASH, MINUS
from tests.render.test_html import filled


@pytest.fixture(scope="module")
def shown(report: Report) -> ReportPage:
    return build(dataclasses.replace(report, pictures=()), for_print)


def answers(label: list[int], predicted: list[int], confidence: list[float]) -> Answers:
    columns = (np.array(label), np.array(predicted), np.array(confidence), np.zeros(len(label), dtype=np.int64))
    return Answers(np.arange(len(label)), *columns)


def test_a_claim_is_shown_with_what_was_found_here(shown: ReportPage) -> None:
    assert shown.paper is not None
    holds, against, unknown, distance = shown.paper.claims
    assert (holds.sign, holds.outcome, holds.measured, holds.between) == (
        "✓",
        "holds",
        f"{MINUS}0.62",
        f"{MINUS}0.81 to {MINUS}0.33",
    )
    assert (against.outcome, against.source) == ("contradicted", 'a <b>"book"</b>')
    assert (unknown.measured, unknown.between, unknown.count) == ("not known", f"{MINUS}1 to 1", "2")
    assert distance.interval is None
    assert holds.interval is not None
    assert unknown.interval is not None
    assert holds.interval.count("<path") > unknown.interval.count("<path")  # the point is missing


def test_each_column_of_the_first_filters_has_its_chart(shown: ReportPage) -> None:
    assert shown.paper is not None
    assert [chart.title for chart in shown.paper.charts] == [
        "Do low frequencies fire more?",
        "Are high frequencies read with larger weights?",
        "Does more gradient arrive at high frequencies?",
        "Are colourful filters coarse?",
        "Is a layer's variance that of few units?",
    ]
    assert "22 filters of conv1:" in shown.paper.charts[0].text
    assert "Without 2 filters of which a number is not known" in shown.paper.charts[0].text


def test_reliability_agrees_with_its_definition() -> None:
    random = np.random.default_rng(0)
    confidence = random.permutation(np.linspace(0.1, 1, 200))
    label = random.integers(0, 5, 200)
    predicted = np.where(random.random(200) < confidence, label, (label + 1) % 5)
    groups = list(reliability(answers(label.tolist(), predicted.tolist(), [*confidence[:-1].tolist(), np.nan])))
    assert len(groups) == 9  # of 199, 20 or more each
    assert sum(group.count for group in groups) == 199
    order = sorted(range(199), key=lambda picture: confidence[picture])
    first = order[: groups[0].count]
    right = sum(label[picture] == predicted[picture] for picture in first)
    assert groups[0].confidence == pytest.approx(np.mean([confidence[picture] for picture in first]))
    assert groups[0].accuracy == right / len(first)
    interval = binomtest(int(right), len(first)).proportion_ci(0.99, method="wilson")
    assert (groups[0].low, groups[0].high) == pytest.approx((interval.low, interval.high), rel=1e-12, abs=1e-15)


def test_nobody_is_reliable_without_a_picture() -> None:
    assert list(reliability(answers([1], [1], [np.nan]))) == []
    assert [group.count for group in reliability(answers([1, 2], [1, 1], [0.5, 0.5]))] == [2]


def test_the_labels_that_are_confused_most_come_first() -> None:
    pairs = [(0, 1)] * 3 + [(2, 0)] * 2 + [(1, 0)] * 2 + [(3, 2)] + [(0, 0)] * 5 + [(4, -1)] * 6
    label, predicted = (list(those) for those in zip(*pairs, strict=True))
    found = confusions(answers(label, predicted, [0.5] * len(pairs)))
    assert [(one.label, one.predicted, one.count, one.pictures) for one in found] == [
        (0, 1, 3, 8),
        (1, 0, 2, 2),
        (2, 0, 2, 2),
    ]


def test_pictures_are_shown_by_how_sure_and_how_alike_they_are(shown: ReportPage) -> None:
    assert shown.pictures is not None
    titles = [chart.title for chart in shown.pictures.charts]
    assert titles[:2] == ["Is it right as often as it is sure?", "Are some kinds of pictures harder?"]
    assert "The 479 pictures with a label in 10 groups" in shown.pictures.charts[0].text
    assert "Without 1 picture that has no finite confidence" in shown.pictures.charts[0].text
    drawn = shown.pictures.charts[1].svg
    for name in ("accuracy by brightness", "accuracy by camera &lt;b&gt;", "&lt;i&gt;new&lt;/i&gt;"):
        assert name in drawn
    assert "serial" not in drawn  # a text of 500 kinds
    assert "accuracy by width" not in drawn  # all alike


def test_tables_of_pictures_say_what_was_found(shown: ReportPage) -> None:
    assert shown.pictures is not None
    damaged, confused, ways, flips, flickers = shown.pictures.grids
    assert damaged.title == "1 picture could not be shown"
    assert damaged.rows == (('<b>"7"</b>.jpg', "cut off"),)
    assert ("pictures that could not be shown", "1") in [(fact.name, fact.value) for fact in shown.numbers]
    assert all(row[0] != row[1] for row in confused.rows)
    assert len(confused.rows) == 10
    assert any("<script>alert(2)</script>" in row for row in confused.rows)
    assert ways.rows[0] == ("as configured", DASH, "200", "80 %", "70 %", "0", "0")
    assert ways.rows[1][3] == DASH
    assert flips.rows == (("0.01", "12.5 %", "2 %", "0.01"), ("0.1", "50 %", "20 %", "0.3"))
    assert flickers.rows == (("32", "12", "25 %", "25 %", "0.25"),)


def test_weights_are_listed_with_their_oddities(shown: ReportPage, reports: ModuleType) -> None:
    assert shown.weights is not None
    parameters, correlations = shown.weights.grids
    assert parameters.rows[1][0] == f"{reports.EVIL}.bias"
    assert parameters.rows[1][3:6] == ("100 %", "24", "3")
    assert [row[2] for row in correlations.rows] == ["3.5", "not a number", "9"]


def test_layers_flicker_beside_the_probabilities_and_what_is_not_known_is_left_out(report: Report) -> None:
    (table,) = [table for table in report.tables if table.name == "flicker"]
    chart = layers.flicker(table)
    assert chart is not None
    assert "12 frames" in chart.text
    assert "probabilities" in chart.svg
    assert ">fc<" not in chart.svg  # not a number
    assert layers.flicker(None) is None


def test_noise_that_moves_a_layer_without_end_or_not_at_all_is_not_drawn() -> None:
    def table(change: list[float]) -> Table:
        columns = {"sigma": np.array([0.1, 0.2]), **{name: np.array(change) for name in ("change", "low", "high")}}
        return Table("noise", {"layer": np.array(["a", "a"]), **columns})

    assert layers.noise(table([np.inf, np.nan])) is None
    assert layers.noise(table([0.0, 0.0])) is None
    drawn = layers.noise(table([0.1, np.inf]))
    assert drawn is not None
    assert "NaN" not in drawn.svg


@pytest.mark.parametrize(
    "name", [None, "damaged", "predictions", "attributes", "parameters", "preprocessing", "noise", "flicker"]
)
@pytest.mark.parametrize("spoil", ["missing", "empty", "not a number", "another column"])
def test_a_table_that_says_nothing_is_left_out(name: str | None, spoil: str, report: Report) -> None:
    tables = tuple(
        spoiled
        for table in report.tables
        for spoiled in (_spoiled(table, spoil) if name in (None, table.name) else [table])
    )
    page = dataclasses.replace(report, tables=tables, claims=(), scalars=(), histograms=(), pictures=())
    sections = pictures_section(page), weights_section(page), paper_section(page)
    if name is None and spoil != "not a number":
        assert sections == (None, None, None)
    for section in sections:
        for chart in section.charts if section else ():
            assert "NaN" not in chart.svg


def _spoiled(table: Table, how: str) -> list[Table]:
    if how == "missing":
        return []
    if how == "another column":
        return [Table(table.name, {"something": np.arange(3)})]
    if how == "empty":
        return [Table(table.name, {name: column[:0] for name, column in table.columns.items()})]
    spoiled = {
        name: np.full(len(column), np.nan, column.dtype) if column.dtype.kind == "f" else column
        for name, column in table.columns.items()
    }
    return [Table(table.name, spoiled)]


def test_a_ridge_shows_the_share_of_values_in_each_cell() -> None:
    edges = np.array([0.0, 0.0, 1.0, 2.0, 4.0, 4.0])
    counts = np.array([60, 10, 20, 10, 0])
    histogram = Histogram("relu", np.stack([edges, np.zeros(6)]), np.stack([counts, counts]))
    shape = distributions._below(histogram, 0)
    assert shape is not None
    axis = np.linspace(0, 4, 9)
    rows = list(distributions._ridge(0, shape, 0.6, axis))
    assert [row["share"] for row in rows] == pytest.approx([0.5, 0.5, 1, 1, 0.25, 0.25, 0.25, 0.25])
    assert {row["unit"] for row in rows} == {"unit 0, 60 % zero"}
    assert distributions._below(histogram, 1) is None  # it is always zero


def test_a_bound_that_many_values_meet_is_a_peak_and_no_division_by_zero() -> None:
    histogram = Histogram("relu6", np.array([[0.0, 0.0, 3.0, 6.0, 6.0]]), np.array([[0, 10, 10, 80]]))
    shape = distributions._below(histogram, 0)
    assert shape is not None
    shares = [row["share"] for row in distributions._ridge(0, shape, 0.0, np.linspace(0, 6, 7))]
    assert np.argmax(shares) == 5
    assert np.isfinite(shares).all()


def test_distributions_of_pictured_units_are_drawn_without_those_that_do_not_vary(report: Report) -> None:
    (histogram, _) = report.histograms
    chart = distributions.ridges(histogram, (0, 2, 3, 99), "d")
    assert chart is not None
    assert chart.title == "How the values of 2 units of relu1 are distributed"
    assert "1 unit that does not vary is left out" in chart.text
    assert distributions.ridges(histogram, (2,), "d") is None
    broken = Histogram("relu1", np.full_like(histogram.edges, np.nan), histogram.counts)
    assert distributions.ridges(broken, (0, 1), "d") is None


def test_a_layer_shows_the_distributions_of_its_activation_function(report: Report) -> None:
    page = build(report, for_print, whole=True)
    drawn = {layer.name: layer.distribution for layer in page.pictured}
    assert drawn["conv1"] is not None
    assert "of relu1 are" in drawn["conv1"].title
    assert drawn["fc"] is None


def test_a_long_table_is_cut_on_paper_and_whole_on_the_screen(shown: ReportPage) -> None:
    assert shown.weights is not None
    rows = tuple((f"tensor {row}", *shown.weights.grids[0].rows[0][1:]) for row in range(100))
    section = dataclasses.replace(shown.weights, grids=(dataclasses.replace(shown.weights.grids[0], rows=rows),))
    page = dataclasses.replace(shown, weights=section)
    paper, screen = (filled(name, page) for name in ("report-pdf.html", "report.html"))
    assert "tensor 59" in paper
    assert "tensor 60" not in paper
    assert "40 more rows are in report.html" in paper
    assert "tensor 99" in screen
