"""On its canvas a unit is exactly what it is on the whole input."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.functional import one_hot
from torchvision.models import squeezenet1_0

from audit.ascent.canvas import Canvas, canvas_of, proven
from audit.ascent.objective import Reading, activations_at, uphill
from audit.model.outline import outline
from audit.records import Field, Layer


class Fire(nn.Module):
    """Squeeze, expand by two kernels, join: SqueezeNet's block."""

    def __init__(self, inputs: int, squeezed: int, expanded: int):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.small = nn.Conv2d(squeezed, expanded, 1)
        self.large = nn.Conv2d(squeezed, expanded, 3, padding=1)
        nn.init.ones_(self.squeeze.bias)  # so that no unit of so small a block is off

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        squeezed = F.relu(self.squeeze(maps))
        return torch.cat([F.relu(self.small(squeezed)), F.relu(self.large(squeezed))], dim=1)


class Residual(nn.Module):
    """Two convolutions around a shortcut with the same stride."""

    def __init__(self, inputs: int, units: int, stride: int):
        super().__init__()
        self.first = nn.Conv2d(inputs, units, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(units)
        self.second = nn.Conv2d(units, units, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, units, 1, stride)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return F.relu(self.second(F.relu(self.norm(self.first(maps)))) + self.shortcut(maps))


def fire_net() -> nn.Module:
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    return nn.Sequential(nn.Conv2d(3, 8, 7, 2), nn.ReLU(True), pool, Fire(8, 6, 4), Fire(8, 6, 4), pool, Fire(8, 6, 6))


def residual_net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), Residual(6, 6, 1), Residual(6, 8, 2), Residual(8, 8, 1))


def dilated_net() -> nn.Module:
    far = nn.Conv2d(6, 6, (3, 5), padding=(4, 2), dilation=(4, 1))
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, 2, padding=1), nn.ReLU(), far, nn.AvgPool2d(2, 2, padding=1), nn.Conv2d(6, 5, 3)
    )


NETS = {"fire": (fire_net, (3, 97, 83)), "residual": (residual_net, (3, 48, 41)), "dilated": (dilated_net, (3, 80, 65))}


def planted(name: str):
    build, shape = NETS[name]
    torch.manual_seed(0)
    return build().double().eval(), shape


def seen_on_both(network, layer, canvas, picture, unit):
    """Activations and gradient at the canvas' position: on the canvas cut out of the picture, and on the picture."""
    scale = torch.ones(picture.shape[1], 1, 1, dtype=picture.dtype)
    with torch.no_grad(), activations_at(network, Reading(layer, canvas.position)) as activations:
        weights = one_hot(torch.tensor([unit]), layer.units).to(picture)
        cut = picture[:, :, : canvas.size[0], : canvas.size[1]].contiguous()
        return [uphill(activations, shown, weights, scale) for shown in (cut, picture)]


def assert_same_on_both(network, layer, canvas, picture, unit):
    (activations, gradient), (whole, whole_gradient) = seen_on_both(network, layer, canvas, picture, unit)
    inside = torch.zeros_like(whole_gradient, dtype=torch.bool)
    inside[:, :, : canvas.size[0], : canvas.size[1]] = True
    assert (activations - whole).abs().max() < 1e-12
    assert (gradient - whole_gradient[inside].view_as(gradient)).abs().max() < 1e-12
    assert not whole_gradient[~inside].any()
    assert gradient.any() or layer.kind == "MaxPool2d"  # of units that are off a maximum has no gradient


@pytest.mark.parametrize("name", NETS)
def test_every_layer_is_the_same_on_its_canvas_as_on_the_whole_input(name):
    network, shape = planted(name)
    picture = torch.randn(1, *shape, dtype=torch.float64)
    smaller = 0
    for layer in outline(network, shape).layers:
        canvas = canvas_of(layer, shape)
        if canvas.mode == "field":
            assert_same_on_both(network, layer, canvas, picture, layer.units // 2)
            smaller += canvas.size != shape[1:]
    assert smaller >= 4


def test_the_layers_of_squeezenet_are_the_same_on_their_canvases():
    torch.manual_seed(0)
    network = squeezenet1_0(weights=None).double().eval()
    layers = outline(network, (3, 224, 224))
    picture = torch.randn(1, 3, 224, 224, dtype=torch.float64)
    sizes = {}
    for name in ("features.0", "features.3.expand3x3", "features.5"):
        layer = layers.layer(name)
        canvas = canvas_of(layer, layers.input_shape)
        assert_same_on_both(network, layer, canvas, picture, 5)
        sizes[name] = canvas.size
    assert sizes["features.0"] == (7, 7)
    assert sizes["features.5"] < (100, 100)


@pytest.mark.parametrize("name", NETS)
def test_no_smaller_canvas_would_do(name):
    """The gradient of a network of positive weights reaches all four edges of the crop: nothing could be cut off."""
    network, shape = planted(name)
    for weight in network.parameters():
        weight.data.abs_()
    for layer in outline(network, shape).layers:
        canvas = canvas_of(layer, shape)
        if canvas.mode == "full" or layer.kind == "MaxPool2d" or name == "fire":  # a maximum chooses one position
            continue
        (_, gradient), _ = seen_on_both(network, layer, canvas, torch.rand(1, *shape, dtype=torch.float64), 0)
        ys, xs = gradient[0].abs().sum(0).nonzero().unbind(1)
        assert (int(ys.min()), int(xs.min()), int(ys.max()) + 1, int(xs.max()) + 1) == canvas.crop


def layer_with(field: Field | None, shape: tuple[int, ...] = (4, 20, 30)) -> Layer:
    return Layer("conv", "Conv2d", shape, 0, False, None, field)


def test_the_position_is_the_first_that_sees_no_border():
    field = Field(start=(-5, -4), stride=(2, 4), size=(9, 11))
    canvas = canvas_of(layer_with(field), (3, 64, 128))
    assert canvas == Canvas((10, 11), (3, 1), (1, 0, 10, 11), "field")


def test_a_field_that_is_larger_than_the_input_takes_the_whole_input():
    field = Field(start=(-50, 0), stride=(2, 2), size=(101, 5))
    canvas = canvas_of(layer_with(field), (3, 64, 64))
    assert canvas == Canvas((64, 64), (9, 14), (0, 28, 64, 33), "full")


def test_an_unknown_field_takes_the_whole_input_and_all_of_it_is_the_crop():
    assert canvas_of(layer_with(None), (3, 64, 50)) == Canvas((64, 50), (9, 14), (0, 0, 64, 50), "full")
    assert canvas_of(layer_with(None, (10,)), (3, 64, 50)).position == (0, 0)


def test_the_full_canvas_is_the_whole_input_with_the_unit_at_the_centre():
    field = Field(start=(-1, -1), stride=(2, 2), size=(3, 3))
    canvas = canvas_of(layer_with(field), (3, 40, 60), "full")
    assert canvas == Canvas((40, 60), (9, 14), (17, 27, 20, 30), "full")


class Centred(nn.Module):
    """Takes the mean of the whole picture away: more than any field tells."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps - maps.mean(dim=(2, 3), keepdim=True)


class OneSize(nn.Module):
    """Refuses every size but one."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        if maps.shape[-1] != 40:
            raise AssertionError("not my size")
        return maps


@pytest.mark.parametrize("odd", [Centred, OneSize])
def test_a_canvas_on_which_the_network_does_something_else_is_replaced(odd):
    network = nn.Sequential(odd(), nn.Conv2d(3, 4, 3)).eval()
    layer = Layer("1", "Conv2d", (4, 38, 38), 0, False, None, Field((0, 0), (1, 1), (3, 3)))
    small = canvas_of(layer, (3, 40, 40))
    assert small.size == (3, 3)
    std = torch.ones(3, 1, 1)
    assert proven(small, network, layer, (3, 40, 40), std) == canvas_of(layer, (3, 40, 40), "full")


@pytest.mark.parametrize("name", NETS)
def test_a_right_canvas_is_kept(name):
    network, shape = planted(name)
    layer = outline(network, shape).layers[2]
    canvas = canvas_of(layer, shape)
    assert canvas.mode == "field"
    assert proven(canvas, network.float(), layer, shape, torch.ones(3, 1, 1)) == replace(canvas, borderless=True)


def test_a_network_that_gives_no_numbers_does_not_prove_its_canvas():
    network = nn.Sequential(nn.Conv2d(3, 4, 3)).eval()
    network[0].bias.data[:] = torch.nan
    layer = Layer("0", "Conv2d", (4, 38, 38), 0, False, None, Field((0, 0), (1, 1), (3, 3)))
    assert proven(canvas_of(layer, (3, 40, 40)), network, layer, (3, 40, 40), torch.ones(3, 1, 1)).mode == "full"


@pytest.mark.data
def test_the_canvases_of_the_real_squeezenet_are_proven(real: Path):
    network = squeezenet1_0(weights=None).eval()
    weights = torch.load(real / "squeezenet1_0_imagenet.pth", map_location="cpu", weights_only=True)
    network.load_state_dict(weights)
    layers = outline(network, (3, 224, 224))
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    for name in ("features.1", "features.3.expand3x3", "features.5"):
        canvas = canvas_of(layers.layer(name), layers.input_shape)
        assert proven(canvas, network, layers.layer(name), layers.input_shape, std) == replace(canvas, borderless=True)
