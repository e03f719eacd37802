"""t-SNE's mosaic on a page: every tile at its place, in a frame of its label's colour, and its layer's numbers."""

import dataclasses
import io
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from audit.records import Pictures, Report, Table
from audit.render.pages import build
from audit.render.pages.mosaic import ARRANGEMENTS, COLOURS, Mosaic, framed
from audit.render.sprites import PAGE_SIDE, for_print, for_screen
from audit.render.wording import DASH, percent
from tests.render.test_html import filled

LABELS = ("ape", "bee", "cat")
SIDE, ACROSS = 24, 3
LEFT_OVER = 7


def mosaic_pictures(layer: str, cells: int = ACROSS**2) -> Pictures:
    """Tiles of one gray each, the cell's number; one place is left over."""
    tiles = np.empty((1, cells, SIDE, SIDE, 3), np.uint8)
    tiles[:] = 10 + np.arange(cells, dtype=np.uint8)[:, None, None, None]
    captions = [f"picture {cell} · {LABELS[cell % 3]}" for cell in range(cells)]
    captions[LEFT_OVER] = "nothing to show: a place too many"
    return Pictures(layer, "tsne", (0,), tiles, (tuple(captions),), ("t-SNE",), "made so", names=("t-SNE",))


def tables(layers: tuple[str, ...], names: tuple[str, ...] = LABELS) -> tuple[Table, Table]:
    shown = [cell for cell in range(ACROSS**2) if cell != LEFT_OVER]
    rows = [(layer, names[cell % len(names)], cell // ACROSS, cell % ACROSS) for layer in layers for cell in shown]
    where = dict(zip(("layer", "label", "row", "column"), map(np.array, zip(*rows, strict=True)), strict=True))
    numbers = [
        (layer, name, 8, 0.9 - 0.1 * place, 0.4, np.nan if layer == "conv1" else 0.5)
        for layer in layers
        for place, name in enumerate(ARRANGEMENTS)
    ]
    columns = ("layer", "arrangement", "neighbours", "trustworthiness", "neighbours_kept", "label_agreement")
    quality = dict(zip(columns, map(np.array, zip(*numbers, strict=True)), strict=True))
    return Table("tsne", where), Table("tsne_quality", quality)


@pytest.fixture(scope="module")
def laid(report: Report) -> Report:
    """With mosaics of a layer that has pictured units and of one that has none."""
    layers = ("conv1", "relu1")
    (patches,) = (record for record in report.pictures if (record.layer, record.kind) == ("conv1", "max-patches"))
    pictures = (patches, *(mosaic_pictures(layer) for layer in layers))
    nothing: dict[str, tuple[()]] = dict.fromkeys(("scalars", "strongest", "histograms", "claims"), ())
    return dataclasses.replace(report, **nothing, pictures=pictures, tables=tables(layers))  # type: ignore[arg-type]


def mosaics(report: Report) -> dict[str, Mosaic]:
    page = build(report, for_screen(10))
    return {layer.name: layer.mosaic for layer in page.pictured if layer.mosaic}


def pixels(mosaic: Mosaic) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(b64decode(mosaic.image.uri.split(",")[1]))).convert("RGB"))


def test_each_tile_is_at_its_place_in_a_frame_of_its_label_s_colour(laid: Report) -> None:
    mosaic = mosaics(laid)["relu1"]
    image, cell = pixels(mosaic), SIDE + 4
    assert image.shape == (ACROSS * cell, ACROSS * cell, 3)
    assert [(key.name, key.colour) for key in mosaic.keys] == list(zip(LABELS, COLOURS, strict=False))
    for index in range(ACROSS**2):
        top, left = index // ACROSS * cell, index % ACROSS * cell
        assert (image[top + 2 : top + 2 + SIDE, left + 2 : left + 2 + SIDE] == 10 + index).all()
        colour = [255] * 3 if index == LEFT_OVER else [int(COLOURS[index % 3][at : at + 2], 16) for at in (1, 3, 5)]
        assert image[top, left].tolist() == image[top + cell - 1, left + 5].tolist() == colour
    assert mosaic.width == image.shape[1] * (1100 // image.shape[1])
    assert [tile.void for tile in mosaic.tiles] == [index == LEFT_OVER for index in range(ACROSS**2)]
    assert "8 pictures" in mosaic.alt


def test_many_labels_have_no_colours_and_no_frames(laid: Report) -> None:
    many = tuple(f"label {number}" for number in range(11))
    wide = dataclasses.replace(mosaic_pictures("relu1", 16))
    assert framed(wide.tiles[0], [None] * 16).shape == (16, SIDE + 4, SIDE + 4, 3)
    rows = {
        "layer": np.full(11, "relu1"),
        "label": np.array(many),
        "row": np.arange(11) // 4,
        "column": np.arange(11) % 4,
    }
    found = mosaics(dataclasses.replace(laid, pictures=(wide,), tables=(Table("tsne", rows),)))["relu1"]
    assert found.keys == ()
    assert found.image.width == 4 * SIDE
    assert found.quality is None


def test_numbers_are_those_of_the_layer_and_what_no_layer_knows_has_no_column(laid: Report) -> None:
    found = mosaics(laid)
    labelled, bare = found["relu1"].quality, found["conv1"].quality
    assert labelled is not None
    assert bare is not None
    assert [column.name for column in labelled.columns][-1] == "neighbours of the same label"
    assert labelled.rows[2] == (ARRANGEMENTS["grid"], "0.700", percent(0.4), percent(0.5))
    assert len(bare.columns) == len(bare.rows[0]) == 3
    assert DASH not in bare.rows[0]


def test_a_layer_s_mosaic_is_no_picture_of_its_units(laid: Report) -> None:
    layers = {layer.name: layer for layer in build(laid, for_screen(10)).pictured}
    assert layers["relu1"].units == ()
    assert [unit.chip for unit in layers["conv1"].units] == ["0", "3", "11", "17"]
    assert all(panel.kind != "tsne" for unit in layers["conv1"].units for panel in unit.panels)
    assert [method.how for method in layers["relu1"].methods] == ["made so"]


def test_pages_show_it_once_with_its_colours(laid: Report) -> None:
    for name, embed, whole in (("report.html", for_screen(10), False), ("report-pdf.html", for_print, True)):
        text = filled(name, build(laid, embed, whole))
        assert text.count('alt="t-SNE of the codes of relu1: 8 pictures on a grid') == 1
        assert text.count(f"background:{COLOURS[0]}") == 2
        assert "What is kept of who is near whom" in text


def test_a_large_mosaic_is_small_on_paper_and_a_jpeg_on_a_screen() -> None:
    tiles = np.zeros((1600, 32, 32, 3), np.uint8)
    printed, shown = for_print(tiles, 1), for_screen(10)(tiles, 1)
    assert printed.width <= PAGE_SIDE * 1.1
    assert (shown.width, shown.sharp) == (40 * 32, False)
    assert shown.uri.startswith("data:image/jpeg")
