"""The figure of all layers: deep layers first, four runs per unit, every image as large as what its unit sees."""

import base64
import dataclasses
import io

import numpy as np
from PIL import Image

from audit.records import Layer, Outline, Report
from audit.render.pages import build
from audit.render.pages.true_size import ACROSS, PREFERRED, RUNS, figure_of
from audit.render.sprites import for_screen


def decoded(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB"))


def test_deep_layers_come_first_and_every_pixel_is_a_pixel(report: Report) -> None:
    figure = figure_of(report)
    assert figure is not None
    assert [level.name for level in figure.levels] == ["fc", report.outline.layers[3].name, "conv1"]
    for level in figure.levels:
        pictures = next(p for p in report.pictures if p.layer == level.name and p.kind == "optimized")
        first = pictures.groups.index(PREFERRED) * 9
        side = pictures.tiles.shape[2]
        for unit in level.units:
            image, row = decoded(unit.image.uri), pictures.units.index(int(unit.chip))
            assert image.shape[:2] == (2 * side + 1, 2 * side + 1)
            assert unit.width == 2 * side + 1
            for run in range(RUNS):
                top, left = run // 2 * (side + 1), run % 2 * (side + 1)
                found = image[top : top + side, left : left + side].astype(int)
                assert np.abs(found - pictures.tiles[row, first + run]).mean() < (5 if side > 64 else 1e-9)


def test_small_inputs_are_enlarged_and_a_row_is_not_too_wide(report: Report) -> None:
    figure = figure_of(report)
    assert figure is not None
    assert figure.zoom == 3  # 64 pixels
    assert figure.across == ACROSS * 66
    for level in figure.levels:
        assert sum(unit.width for unit in level.units) <= figure.across or len(level.units) == 1


def test_units_that_could_not_be_pictured_are_left_out_and_the_others_counted(report: Report) -> None:
    figure = figure_of(report)
    assert figure is not None
    assert [unit.chip for unit in figure.levels[-1].units] == ["0", "11", "17"]
    assert "1 more unit below" in figure.levels[-1].text


def test_without_a_second_layer_there_is_no_figure(report: Report) -> None:
    only = tuple(pictures for pictures in report.pictures if pictures.layer == "conv1")
    assert figure_of(dataclasses.replace(report, pictures=only)) is None
    assert figure_of(dataclasses.replace(report, pictures=())) is None


def test_the_class_units_say_what_became_of_the_pictures_of_their_class(report: Report) -> None:
    page = build(report, for_screen(100))
    unit = page.pictured[-1].units[1]
    facts = {fact.name: fact.value for fact in unit.facts}
    columns = next(table for table in report.tables if table.name == "predictions").columns
    own = columns["label"] == 1
    right = own & (columns["predicted"] == 1) & np.isfinite(columns["confidence"])
    assert unit.is_class
    assert facts["pictures of the class"] == str(own.sum())
    assert facts["answered right"] == f"{100 * right.sum() / own.sum():.3g} %"
    assert facts["else mostly taken for"] in report.labels
    assert not any("class" in fact.name for fact in page.pictured[0].units[0].facts)


def test_classes_are_the_units_behind_which_nothing_has_weights() -> None:
    def layer(name: str, units: int, parameters: int = 0, same_as: str | None = None) -> Layer:
        return Layer(name, "", (units, 3, 3), parameters, False, None, None, same_as=same_as)

    scores, rectified, mean = layer("scores", 10, 50), layer("relu", 10), layer("mean", 10)
    block = layer("classifier", 10, 50, "mean")
    outline = Outline((3, 8, 8), (layer("conv", 10, 9), scores, rectified, mean, block))
    assert [each.name for each in outline.layers if outline.has_classes(each)] == [
        "scores",
        "relu",
        "mean",
        "classifier",
    ]
