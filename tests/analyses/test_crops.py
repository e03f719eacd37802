"""On its crop a unit is what it is on the whole picture, its gradient too, wherever it stands."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from audit.analyses import backward
from audit.analyses.crops import Crop, canvas_for, crop_for
from audit.model import rules
from audit.model.load import Model
from audit.model.outline import outline
from tests.analyses.planted import CONJUNCTION, model, passed_back, pictured, task

SIZE = 66, 58


def made(network: nn.Module) -> Model:
    given = model()
    network = network.double().eval().requires_grad_(False)
    return replace(given, network=network, outline=outline(network, (3, *SIZE)))


def chain() -> nn.Module:
    layers = [
        nn.Conv2d(3, 6, 5, 2, 1),
        nn.ReLU(True),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(6, 4, 3, padding=1),
    ]
    return nn.Sequential(*layers, nn.ReLU(), nn.Conv2d(4, 5, 3, padding=2, dilation=2))


NETWORKS = {
    "chain": (chain, "5"),
    "squeezenet": (models.squeezenet1_0, "features.5"),
    "resnet18": (models.resnet18, "layer1.0"),
}


@pytest.mark.parametrize("rule", [rules.deconvnet, rules.guided, None])
@pytest.mark.parametrize("name", NETWORKS)
def test_crops_and_whole_pictures_agree_at_every_place(name, rule):
    torch.manual_seed(0)
    factory, layer_name = NETWORKS[name]
    given = made(factory())
    layer = given.outline.layer(layer_name)
    canvas = canvas_for(given, layer)
    assert canvas.mode == "field"
    assert canvas.borderless
    pixels = torch.rand(3, *SIZE, dtype=torch.float64)
    (last_y, last_x), (y, x) = [side - 1 for side in layer.map_size], [side // 2 for side in layer.map_size]
    places = [(0, 0), (0, x), (1, 2), (y, 0), (y, x), (y, last_x), (last_y, 1), (last_y, x), (last_y, last_x)]
    whole = passed_back(given, layer, pixels.expand(len(places), -1, -1, -1), [1] * len(places), places, rule=rule)
    without_borders = 0
    for row, place in enumerate(places):
        crop = crop_for(layer, canvas, SIZE, place)
        top, left, bottom, right = crop.box
        own = passed_back(
            given, layer, pixels[None, :, top:bottom, left:right], [1], [crop.position], rule=rule, seen=crop.seen
        )
        without_borders += crop.seen is not None
        assert own.reached[0] == pytest.approx(float(whole.reached[row]), rel=1e-5)
        expected = torch.zeros_like(whole.gradient[row])
        expected[:, top:bottom, left:right] = own.gradient[0]
        largest = whole.gradient[row].abs().max()
        assert (expected - whole.gradient[row]).abs().max() <= 1e-5 * largest
    assert 0 < without_borders < len(places)


def test_a_layer_that_sees_everything_has_no_crop():
    given = made(nn.Sequential(chain(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2)))
    layer = given.outline.layer("3")
    assert crop_for(layer, canvas_for(given, layer), SIZE, (0, 0)) == Crop((0, 0, *SIZE), (0, 0))


def test_pictures_are_those_of_whole_pictures(tmp_path, monkeypatch):
    given = task(model(), "conv2", (CONJUNCTION,), tmp_path, images=5)
    on_crops = pictured("deconv", given)
    monkeypatch.setattr(backward, "crop_for", lambda layer, canvas, size, place: Crop((0, 0, *size), place))
    assert np.abs(pictured("deconv", given).tiles.astype(int) - on_crops.tiles).max() <= 1


def test_where_the_pass_saw_something_else_the_whole_picture_is_looked_at(tmp_path, monkeypatch):
    given = task(model(), "conv2", (CONJUNCTION,), tmp_path, images=5)
    assert given.strongest is not None
    looked: list[tuple[int, ...]] = []
    usual = backward.passing_back

    @contextmanager
    def heard(*given):
        with usual(*given) as back:

            def looking(pixels, *more):
                looked.append(tuple(pixels.shape))
                return back(pixels, *more)

            yield looking

    monkeypatch.setattr(backward, "passing_back", heard)
    expected = pictured("deconv", given)
    assert all(shape[2:] < (24, 20) for shape in looked)
    changed = replace(given, strongest=replace(given.strongest, value=given.strongest.value * 1.1))
    looked.clear()
    found = pictured("deconv", changed)
    assert any(shape[2:] == (24, 20) for shape in looked)
    assert np.abs(found.tiles.astype(int) - expected.tiles).max() <= 1
