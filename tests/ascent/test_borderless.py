"""Without borders a unit is what it is with them, and only what it sees is computed."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.functional import one_hot
from torchvision.models import densenet121, googlenet, mobilenet_v2, resnet18, squeezenet1_0

from audit.ascent.borderless import Borderless, NotFollowedError, cut
from audit.ascent.canvas import canvas_of, proven
from audit.ascent.objective import Reading, activations_at, uphill
from audit.model.hooks import Observer
from audit.model.outline import outline

SIZE = 72


def without_borders(network: Callable[[Tensor], Tensor], picture: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """The whole picture's map where it sees no border, and its first position."""
    borderless = Borderless()
    with borderless:
        output = network(borderless.begin(picture, (0, 0, *picture.shape[2:])))
        return output, borderless.end(output)


def assert_is_a_part(network: Callable[[Tensor], Tensor]) -> None:
    """Every position that is left is the one of the map with borders, in values and in the picture's gradient."""
    picture = torch.randn(2, 3, SIZE, SIZE - 3, dtype=torch.float64).requires_grad_()
    output, (y, x) = without_borders(network, picture)
    whole = network(picture)[:, :, y : y + output.shape[2], x : x + output.shape[3]]
    assert output.numel()
    assert whole.shape == output.shape
    assert (whole - output).abs().max() < 1e-12
    weights = torch.randn_like(output)
    slopes = [torch.autograd.grad((value * weights).sum(), picture)[0] for value in (output, whole)]
    assert (slopes[0] - slopes[1]).abs().max() < 1e-10


pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
pads = st.tuples(st.integers(0, 3), st.integers(0, 3))


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(pairs, pairs, pads, pairs, st.sampled_from(["conv", "max", "mean"])), min_size=1, max_size=3))
def test_windows_of_any_size_stride_padding_and_dilation(layers):
    torch.manual_seed(0)
    stack: list[nn.Module] = []
    for kernel, stride, padding, dilation, kind in layers:
        step = tuple(min(length, 2) for length in stride)
        pad = tuple(min(length, side // 2) for length, side in zip(padding, kernel, strict=True))
        match kind:
            case "conv":
                stack.append(nn.Conv2d(3, 3, kernel, step, padding, tuple(min(length, 2) for length in dilation)))
            case "max":
                stack.append(nn.MaxPool2d(kernel, step, pad, ceil_mode=True))
            case "mean":
                stack.append(nn.AvgPool2d(kernel, step, pad, ceil_mode=True, count_include_pad=False))
    assert_is_a_part(nn.Sequential(*stack).double())


class Branches(nn.Module):
    """Branches of different fields and paddings, joined, added and multiplied, in place and not."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(3, 3, 1, stride=2)
        self.wide = nn.Conv2d(3, 3, 5, stride=2, padding=2)
        self.norm = nn.BatchNorm2d(3)
        self.scale = nn.Parameter(torch.randn(3, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        wide, narrow = F.relu(self.norm(self.wide(maps)), inplace=True), self.narrow(maps)
        both = torch.cat([narrow * 2.0, wide], dim=1)
        narrow += wide  # the larger one, in place
        return torch.cat([both, 1 - narrow.mul(self.scale), F.max_pool2d(wide, 3, 1, 1) / (2 + wide.square())], 1)


def test_branches_are_cut_to_what_both_have():
    torch.manual_seed(0)
    assert_is_a_part(Branches().double().eval())


@pytest.mark.parametrize(
    "function",
    [
        lambda maps: maps - maps.mean(dim=(2, 3), keepdim=True),
        lambda maps: F.adaptive_avg_pool2d(maps, 5),
        lambda maps: maps.flatten(1),
        lambda maps: torch.cat([maps, maps], dim=2),
        lambda maps: maps + torch.zeros(maps.shape),
        lambda maps: F.conv2d(maps, torch.ones(1, 3, 3, 3), padding="same"),
        lambda maps: F.softmax(maps, 2),
    ],
)
def test_what_is_not_known_is_not_guessed(function):
    with pytest.raises(NotFollowedError):
        without_borders(function, torch.randn(1, 3, 9, 9))


def test_what_has_nothing_to_do_with_the_picture_is_left_alone():
    with Borderless():
        assert torch.equal(F.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3), padding=1)[0, 0, 0], t(4, 6, 4))


def t(*values: float) -> Tensor:
    return torch.tensor(values)


def test_a_part_has_a_gradient_in_the_order_of_the_map():
    maps = torch.randn(2, 8, 9, 9).contiguous(memory_format=torch.channels_last).requires_grad_()
    cut(maps, (1, 2, 8, 9)).sum().backward()
    assert maps.grad is not None
    assert maps.grad.is_contiguous(memory_format=torch.channels_last)


FAMILIES = {
    "squeezenet": (squeezenet1_0, "features.9"),
    "resnet": (resnet18, "layer2.1"),
    "mobilenet": (mobilenet_v2, "features.6"),
    "googlenet": (lambda **kwargs: googlenet(init_weights=False, aux_logits=False, **kwargs), "inception4a"),
    "densenet": (densenet121, "features.denseblock1"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_known_networks_are_the_same_without_borders(family):
    build, name = FAMILIES[family]
    torch.manual_seed(0)
    network, shape = build(weights=None).eval(), (3, 224, 224)
    layer = outline(network, shape).layer(name)
    canvas = proven(canvas_of(layer, shape), network, layer, shape, torch.ones(3, 1, 1))
    assert canvas.borderless
    picture = torch.randn(2, 3, *canvas.size, dtype=torch.float64)
    weights = one_hot(torch.tensor([1, 2]), layer.units).double()
    (reached, slope), (expected, own) = (
        looked_at(network.double(), layer, tried, picture, weights)
        for tried in (canvas, replace(canvas, borderless=False))
    )
    assert (reached - expected).abs().max() <= 1e-10 * expected.abs().max()
    assert own.any()
    assert (slope - own).abs().max() <= 1e-10 * own.abs().max()


def looked_at(network, layer, canvas, picture, weights):
    reading = Reading(layer, canvas.position)
    with torch.no_grad(), activations_at(network, reading, seen_by_unit=canvas.seen) as activations:
        return uphill(activations, picture, weights, torch.ones(3, 1, 1, dtype=torch.float64))


def test_maps_shrink_to_the_one_position_that_is_read():
    torch.manual_seed(0)
    network, shape = squeezenet1_0(weights=None).eval(), (3, 224, 224)
    layer, sizes = outline(network, shape).layer("features.9"), []
    canvas = canvas_of(layer, shape)
    borderless, names = Borderless(), [f"features.{index}" for index in range(10)]
    with Observer(network, names, lambda _, output: sizes.append(output.shape[2])) as observer, borderless:
        observer.run(borderless.begin(torch.randn(1, 3, *canvas.size), canvas.crop))
    assert sizes == [43, 43, 21, 19, 17, 15, 7, 5, 3, 1]
