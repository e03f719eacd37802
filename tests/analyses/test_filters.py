"""Filters as pictures: every weight is a square of the right brightness, the strongest channels come first."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from audit import events
from audit.analyses.filters import Filters
from audit.analyses.task import Task
from audit.config import LayerSection
from audit.errors import Unavailable
from audit.model.load import Model
from audit.records import Pictures
from tests.weighed import model_of


def network() -> Model:
    """Two convolutions, and two linear layers of which the first reads a map."""
    torch.manual_seed(0)
    layers = (
        *(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 5), nn.ReLU(), nn.Linear(5, 2)),
    )
    return model_of(nn.Sequential(*layers))


def task(model: Model, layer: str, units: tuple[int, ...], images: int = 9) -> Task:
    section = LayerSection(name=(layer,), images=images)
    return Task(model, model.outline.layer(layer), units, section, {}, 0, events.Silence())


def pictured(given: Task) -> Pictures:
    return Filters().run(given)


def brightness(weight: np.ndarray, scale: float) -> np.ndarray:
    """0..255, 127.5 being zero."""
    return np.floor((0.5 + weight / (2 * scale)) * 255 + 0.5)


def test_a_first_filter_is_one_picture_in_colour_of_squares() -> None:
    model = network()
    made = pictured(task(model, "0", (1, 3)))
    assert made.tiles.shape == (2, 1, 50, 50, 3)
    weight = model.network.get_parameter("0.weight").numpy()
    for row, unit in enumerate(made.units):
        scale = float(np.abs(weight[unit]).max())
        for y, x in np.ndindex(5, 5):
            square = made.tiles[row, 0, 10 * y : 10 * y + 10, 10 * x : 10 * x + 10].astype(float)
            expected = [brightness(weight[unit, channel, y, x], scale) for channel in range(3)]
            assert np.abs(square - expected).max() <= 1
            assert (square == square[0, 0]).all()


def test_a_deeper_filter_is_a_gray_picture_per_channel_the_strongest_first() -> None:
    model = network()
    made = pictured(task(model, "2", (5,), images=3))
    assert made.tiles.shape == (1, 3, 48, 48, 3)
    weight = model.network.get_parameter("2.weight").numpy()[5]
    order = sorted(range(4), key=lambda channel: -np.abs(weight[channel]).sum())[:3]
    scale = float(np.abs(weight).max())
    for tile, caption, channel in zip(made.tiles[0], made.captions[0], order, strict=True):
        assert caption.startswith(f"input {channel} · norm {np.linalg.norm(weight[channel]):.3g} ")
        np.testing.assert_allclose(tile[::16, ::16, 0], brightness(weight[channel], scale), atol=1)
        assert (tile == tile[:, :, :1]).all()


def test_a_linear_layer_shows_the_map_that_it_reads() -> None:
    model = network()
    made = pictured(task(model, "6", (2,), images=9))
    assert made.tiles.shape == (1, 6, 48, 48, 3)
    weight = model.network.get_parameter("6.weight").numpy()[2].reshape(6, 2, 2)
    strongest = int(np.abs(weight).sum(axis=(1, 2)).argmax())
    np.testing.assert_allclose(
        made.tiles[0, 0, ::24, ::24, 0], brightness(weight[strongest], float(np.abs(weight).max())), atol=1
    )


def test_a_linear_layer_on_the_image_is_in_colour() -> None:
    made = pictured(task(model_of(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2))), "1", (0, 1)))
    assert made.tiles.shape == (2, 1, 48, 48, 3)
    assert len(np.unique(made.tiles[..., 0] - made.tiles[..., 1])) > 10


def test_layers_whose_weights_have_no_places_are_unavailable() -> None:
    model = network()
    with pytest.raises(Unavailable, match="reads a vector of 5 numbers"):
        pictured(task(model, "8", (0,)))
    with pytest.raises(Unavailable, match="ReLU"):
        pictured(task(model, "3", (0,)))


def test_captions_of_first_filters_tell_their_pattern() -> None:
    model = network()
    x = np.mgrid[:5, :5][1]
    stripes = torch.from_numpy(np.cos(2 * np.pi * 0.25 * x)).float()
    weight = model.network.get_parameter("0.weight")
    weight[0], weight[1] = stripes, torch.stack([stripes.T, -stripes.T, 0 * stripes])
    (gray,), (colour,) = pictured(task(model, "0", (0, 1))).captions
    assert "at 0°" in gray
    assert "colourfulness 0.00" in gray
    assert "at 90°" in colour
    assert "colourfulness 1.00" in colour
    assert gray.startswith(f"norm {np.linalg.norm(weight[0].numpy()):.3g} · 0.2")


def test_broken_and_empty_filters_are_gray_and_say_why() -> None:
    model = network()
    first, second = (model.network.get_parameter(f"{name}.weight") for name in ("0", "2"))
    first[0, 0, 0, 0], first[1], second[0] = torch.inf, 0, 0
    made = pictured(task(model, "0", (0, 1)))
    assert (made.tiles == 128).all()
    assert made.captions[0] == ("nothing to show: a weight is NaN or infinite",)
    assert made.captions[1][0].startswith("norm 0")
    empty = pictured(task(model, "2", (0,), images=1))
    assert empty.captions[0][0] == "input 0 · norm 0 (0% of the filter's)"


def test_one_channel_is_gray_and_the_pictures_need_no_data() -> None:
    model = model_of(nn.Sequential(nn.Conv2d(1, 2, 3)), (1, 8, 8))
    made = pictured(replace(task(model, "0", (0, 1)), images=None))
    assert (made.tiles == made.tiles[..., :1]).all()
    assert "colourfulness" not in made.captions[0][0]
    assert not Filters.needs_data
