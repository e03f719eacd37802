"""Attributes of pictures against plain definitions, and the table of those that were shown."""

import colorsys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from audit.config import DataSection, ModelSection
from audit.data.attributes import NAMES, Attributes, attributes
from audit.data.damage import Damages
from audit.data.images import open_images
from audit.data.preprocess import batches


def plain(pixels: np.ndarray) -> dict[str, float]:
    """Slowly, from (channel, y, x) of 0..1."""
    weights = {1: [1.0], 2: [0.5, 0.5]}.get(len(pixels), [0.299, 0.587, 0.114])
    luma = sum(weight * plane for weight, plane in zip(weights, pixels[:3].astype(float), strict=True))
    around = [
        luma[y - 1, x] + luma[y + 1, x] + luma[y, x - 1] + luma[y, x + 1] - 4 * luma[y, x]
        for y in range(1, luma.shape[0] - 1)
        for x in range(1, luma.shape[1] - 1)
    ]
    colours = pixels[:3].reshape(min(len(pixels), 3), -1).T
    saturation = [colorsys.rgb_to_hsv(*colour)[1] for colour in colours.tolist()] if len(pixels) > 2 else [0.0]
    return {
        "brightness": luma.mean(),
        "contrast": luma.std(),
        "sharpness": float(np.var(around)) if around else float("nan"),
        "saturation": float(np.mean(saturation)),
    }


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", [torch.uint8, torch.float32, torch.float64])
def test_attributes_agree_with_their_definition(channels: int, kind: torch.dtype) -> None:
    pixels = np.random.default_rng(channels).integers(0, 256, (channels, 7, 9), dtype=np.uint8)
    pixels[:, :3, :4] = 0
    given = torch.from_numpy(pixels) if kind == torch.uint8 else torch.from_numpy(pixels / 255).to(kind)
    found = dict(zip(NAMES, attributes(given, (20, 50)).tolist(), strict=True))
    for name, value in plain(pixels / 255).items():
        assert found[name] == pytest.approx(value, rel=1e-5), name
    assert (found["width"], found["height"], found["aspect"]) == (50, 20, 2.5)


def test_sharpness_is_unknown_without_a_neighbourhood() -> None:
    found = dict(zip(NAMES, attributes(torch.full((3, 2, 5), 128, dtype=torch.uint8), (1, 1)).tolist(), strict=True))
    assert np.isnan(found["sharpness"])
    assert found["brightness"] == pytest.approx(128 / 255)


def test_a_blurred_picture_is_less_sharp_and_a_gray_one_has_no_colour() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))

    def found(shown: Image.Image) -> dict[str, float]:
        pixels = torch.from_numpy(np.asarray(shown).transpose(2, 0, 1).copy())
        return dict(zip(NAMES, attributes(pixels, (32, 32)).tolist(), strict=True))

    assert found(picture.filter(ImageFilter.GaussianBlur(1)))["sharpness"] < 0.1 * found(picture)["sharpness"]
    assert found(picture.convert("L").convert("RGB"))["saturation"] == 0
    assert found(picture)["saturation"] > 0.5


def test_the_table_holds_who_was_shown_with_original_sizes_and_the_lists_own_columns(tmp_path: Path) -> None:
    for index in range(5):
        Image.new("RGB", (10 + index, 20), (51 * index,) * 3).save(tmp_path / f"{index}.png")
    (tmp_path / "2.png").write_bytes(b"broken")
    rows = "".join(f"{index}.png,{index / 2},{'north' if index % 2 else 'south'}\n" for index in range(5))
    (tmp_path / "list.csv").write_text("path,age,place\n" + rows)
    images = open_images(DataSection(list="list.csv"), tmp_path)
    noted = Attributes(images)
    section = ModelSection(name="m", factory="m.py:m", input=(3, 4, 4))
    list(batches(images, range(5), section, 2, damages=Damages(5, 50), attributes=noted))
    table = noted.table()
    assert table.name == "attributes"
    assert list(table.columns) == ["image", *NAMES, "age", "place"]
    assert table.columns["image"].tolist() == [0, 1, 3, 4]
    assert table.columns["width"].tolist() == [10, 11, 13, 14]
    assert set(table.columns["height"].tolist()) == {20}
    np.testing.assert_allclose(table.columns["brightness"], [0, 0.2, 0.6, 0.8], atol=1e-6)
    assert table.columns["age"].tolist() == [0, 0.5, 1.5, 2]
    assert table.columns["place"].tolist() == ["south", "north", "north", "south"]
