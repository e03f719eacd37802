"""The figure of inversions: a row per picture over all layers, by depth, and what is said of privacy."""

import base64
import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from audit.records import Pictures, Report, Table
from audit.render.pages import build
from audit.render.pages.inversion import inversions_of
from audit.render.sprites import for_screen
from audit.render.wording import DASH

LAYERS = ("conv1", "fc")


def record(layer: str, names: tuple[str, ...], shade: int, psnr: float) -> Pictures:
    """Pictures of one shade each, and reconstructions of `shade`."""
    tiles = np.zeros((len(names), 2, 8, 6, 3), np.uint8)
    tiles[:, 0] = np.arange(10, 10 + len(names), dtype=np.uint8)[:, None, None, None]
    tiles[:, 1] = shade
    numbers = {"psnr": np.array([[np.nan, psnr + row] for row in range(len(names))])}
    captions = tuple((name, "caption") for name in names)
    units = tuple(range(len(names)))
    return Pictures(layer, "inversion", units, tiles, captions, ("a", "b"), f"note of {layer}", numbers, names)


@pytest.fixture
def inverted(report: Report) -> Report:
    records = record("fc", ("one.jpg",), 200, 11.04), record("conv1", ("one.jpg", "two.jpg"), 100, 38.2)
    columns = {
        "layer": np.array(LAYERS),
        **{name: np.array([1, 1]) for name in ("numbers", "pixels")},
        "pictures": np.array([2, 1]),
        **{name: np.array([38.7, 11.04]) for name in ("psnr", "low", "high")},
        "ssim": np.array([0.99, np.nan]),
        "error": np.array([0.001234, 0.2]),
        "psnr_unknown": np.array([10.0, 10.0]),
        "told": np.array([2, 0]),
        "others": np.array([63, 63]),
    }
    return dataclasses.replace(report, pictures=records, tables=(*report.tables, Table("inversion", columns)))


def shade(uri: str) -> int:
    return int(np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("L"))[3, 3])


def test_a_row_is_a_picture_and_its_reconstructions_by_depth(inverted: Report) -> None:
    figure = inversions_of(inverted, for_screen(10))
    assert figure is not None
    assert figure.layers == LAYERS
    assert [row.name for row in figure.rows] == ["one.jpg", "two.jpg"]
    first, second = figure.rows
    assert [shade(cell.image.uri) for cell in first.cells if cell.image] == [10, 100, 200]
    assert [cell.psnr for cell in first.cells] == ["", "38.2 dB", "11 dB"]
    assert [cell.image is None for cell in second.cells] == [False, False, True]
    assert figure.notes == ("note of conv1", "note of fc")
    assert figure.grid.rows[0][-3:] == ("0.99", "0.0012", "2 of 2")
    assert figure.grid.rows[1][-3] == DASH


def test_privacy_is_said_with_the_numbers(inverted: Report) -> None:
    figure = inversions_of(inverted, for_screen(10))
    assert figure is not None
    assert "The codes of conv1 give the pictures back at 38.7 dB (median), those of fc at 11 dB" in figure.privacy
    assert "From the codes of conv1 every reconstruction" in figure.privacy
    assert "63 other pictures" in figure.privacy
    assert "no proof of the opposite" in figure.privacy


def test_a_layer_that_was_only_inverted_leads_to_the_figure(inverted: Report) -> None:
    page = build(inverted, for_screen(10))
    assert not page.pictured
    links = {row.name: row.href for row in page.layers}
    assert links["conv1"] == links["fc"] == "#inversion"


def test_without_inversions_there_is_no_figure(report: Report) -> None:
    assert inversions_of(report, for_screen(10)) is None
