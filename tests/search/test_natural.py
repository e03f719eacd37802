"""The slope of an audit's pictures, against a loop over them; a picture that cannot be shown is passed over."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from audit.ascent import quality
from audit.ascent.canvas import canvas_of
from audit.config import DataSection, LayerSection, ModelSection
from audit.data.images import open_images
from audit.demo.generator import pictures
from audit.errors import DataError
from audit.model.load import load
from audit.search.asked import Place
from audit.search.natural import natural_slope
from tests.audits import FILES

DEMO = ModelSection(name="demo", factory="audit.demo.network:trained", input=(3, 64, 64), mean=0.4, std=0.25)


def place(layer: str) -> Place:
    model = load(DEMO, Path(), torch.device("cpu"))
    chosen = model.outline.layer(layer)
    return Place(model, chosen, (0,), LayerSection(name=layer), canvas_of(chosen, (3, 64, 64)))


def test_it_is_the_mean_over_centres_of_the_image_s_size() -> None:
    images = open_images(
        DataSection(factory="audit.demo.generator:pictures", arguments={"count": 20, "seed": 1}), Path()
    )
    inner = place("conv2")
    top, left, bottom, right = inner.canvas.crop
    assert (bottom - top, right - left) == (29, 29)
    slopes = []
    for picture, _ in (pictures(count=20, seed=1)[index] for index in range(20)):
        centre = np.asarray(picture, np.float64)[17:46, 17:46].transpose(2, 0, 1)
        slopes += quality.spectrum_slope(centre[None] - 255 * 0.4).tolist()
    assert natural_slope(images, inner, 0.0) == pytest.approx(np.mean(slopes), rel=1e-4)


def test_where_no_image_has_a_slope_it_is_unknown() -> None:
    images = open_images(
        DataSection(factory="audit.demo.generator:pictures", arguments={"count": 4, "seed": 1}), Path()
    )
    whole = place("conv1")
    tiny = replace(whole, canvas=replace(whole.canvas, crop=(0, 0, 3, 3)))
    assert np.isnan(natural_slope(images, tiny, 0.0))


def test_a_damaged_picture_is_passed_over_unless_there_are_too_many(tmp_path: Path) -> None:
    (tmp_path / "pictures.py").write_text(FILES["pictures.py"])
    images = open_images(DataSection(factory="pictures.py:make", arguments={"bad": 0}), tmp_path)
    assert -4 < natural_slope(images, place("conv2"), 5.0) < -1
    with pytest.raises(DataError, match="1 damaged"):
        natural_slope(images, place("conv2"), 0.0)
