"""Receptive fields against what happens: a NaN in a row of the input spreads to every position that sees it."""

from typing import Any

import pytest
import torch
import torchvision
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from audit.model.hooks import Observer
from audit.model.outline import outline
from audit.records import Field

HEIGHT = 40


class Apply(nn.Module):
    """A function as a module, so that its output has a name."""

    def __init__(self, function: Any):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.function(x)
        return result


class Residual(nn.Module):
    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        out = self.inner(x)
        out += x
        return F.relu(out, inplace=True)


class Concat(nn.Module):
    def __init__(self, *branches: nn.Module):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def conv(kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, channels: int = 2) -> nn.Module:
    return nn.Conv2d(channels, 2, kernel, stride, padding, dilation)


small = st.integers(1, 3)
steps = st.one_of(
    st.builds(conv, st.integers(1, 5), small, st.integers(0, 2), st.integers(1, 2)),
    st.builds(
        lambda k, s, p, ceil: nn.MaxPool2d(k, s, p, ceil_mode=ceil),
        st.integers(2, 4),
        small,
        st.integers(0, 1),
        st.booleans(),
    ),
    st.builds(
        lambda k, s, p, ceil: nn.AvgPool2d(k, s, p, ceil_mode=ceil),
        st.integers(2, 4),
        small,
        st.integers(0, 1),
        st.booleans(),
    ),
    st.builds(lambda k, d: Residual(conv(2 * k + 1, 1, k * d, d)), st.integers(0, 1), small),
    st.builds(lambda k, d: Concat(conv(1), conv(2 * k + 1, 1, k * d, d)), small, small).map(
        lambda both: nn.Sequential(both, conv(1, channels=4))
    ),
    st.builds(lambda s: Concat(conv(1, s), conv(3, s, 1)), small).map(
        lambda both: nn.Sequential(both, conv(1, channels=4))
    ),
    st.builds(lambda a, b: Apply(lambda x: F.pad(x, (a, b, a, b))), st.integers(-2, 3), st.integers(-2, 3)),
    st.builds(lambda a, s: Apply(lambda x: x[:, :, a::s, a:]), st.integers(-3, 3), small),
    st.builds(lambda k: nn.ConvTranspose2d(2, 2, k, 2, min(k // 2, 1)), st.integers(1, 4)),
    st.just(nn.Upsample(scale_factor=2)),
    st.just(nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(inplace=True))),
    st.just(Apply(lambda x: x.view(x.shape[0], 2, 1, *x.shape[2:]).transpose(1, 2).reshape(x.shape))),
    st.just(nn.LocalResponseNorm(2)),
)


def what_is_seen(network: nn.Module, height: int) -> Tensor:
    """bool[position, row]: whether a NaN in the row of the input reaches the row of the output."""
    images = torch.zeros(height, 2, height, height, dtype=torch.float64)
    images[torch.arange(height), :, torch.arange(height)] = torch.nan
    with torch.no_grad():
        return network(images).isnan().any(dim=(1, 3)).T


def hull(seen: Tensor, field: Field, height: int) -> tuple[int, int] | None:
    """First and last + 1 of what positions see, shifted back by their stride; positions whose field is in the input."""
    start, stride, size = field.start[0], field.stride[0], field.size[0]
    inside = [p for p in range(len(seen)) if start + p * stride >= 0 and start + p * stride + size <= height]
    rows = [int(row) - p * stride for p in inside for row in seen[p].nonzero()]
    return (min(rows), max(rows) + 1) if rows else None


def shortest(network: nn.Sequential) -> int:
    """Rows of the smallest map on the way: where most were cut off, no position sees all that positions may see."""
    shown, rows = torch.zeros(1, 2, HEIGHT, HEIGHT, dtype=torch.float64), HEIGHT
    for layer in network:
        shown = layer(shown)
        rows = min(rows, shown.shape[2])
    return rows


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=1, max_size=4))
def test_the_field_of_a_random_network_is_what_its_positions_see(layers: list[nn.Module]) -> None:
    network = nn.Sequential(*layers).double().eval()
    try:
        with torch.no_grad():
            shape = network(torch.zeros(1, 2, HEIGHT, HEIGHT, dtype=torch.float64)).shape
    except RuntimeError:
        assume(False)  # the picture is too small for it
    assume(min(shape[2:]) > 0)
    field = outline(network, (2, HEIGHT, HEIGHT)).layers[-1].field
    assume(field is not None)
    assert field is not None
    seen = what_is_seen(network, HEIGHT)
    for position, row in seen.nonzero().tolist():
        top, _, bottom, _ = field.box(position, 0)
        assert top <= row < bottom
    upsampled = any(isinstance(layer, (nn.Upsample, nn.ConvTranspose2d)) for layer in layers)
    skips = any(isinstance(layer, Apply) or (hasattr(layer, "stride") and layer.stride != 1) for layer in layers)
    few_rows_left = any(isinstance(layer, Apply) for layer in layers) and shortest(network) <= HEIGHT // 2
    found = hull(seen, field, HEIGHT)
    if found and not (upsampled and skips) and not few_rows_left:
        assert found == (field.start[0], field.start[0] + field.size[0])


def edges(network: nn.Module, shape: tuple[int, int, int], name: str) -> tuple[Field, list[bool]]:
    """The field, and whether the centre row sees the rows before, at the first, at the last, and after it."""
    layer = outline(network, shape).layer(name)
    assert layer.field is not None
    top, _, bottom, _ = layer.field.box(layer.centre[0], 0)
    assert 0 < top < bottom < shape[1], "the field has to be in the picture for this test"
    images = torch.zeros(4, *shape, dtype=torch.float64)
    images[torch.arange(4), :, torch.tensor([top - 1, top, bottom - 1, bottom])] = torch.nan
    seen: list[bool] = []
    with torch.no_grad(), Observer(network, [name], lambda _, out: seen.extend(_nan_rows(out, layer.centre[0]))) as net:
        net.run(images)
    return layer.field, seen


def _nan_rows(output: Tensor, row: int) -> list[bool]:
    found: list[bool] = output[:, :, row].isnan().any(dim=(1, 2)).tolist()
    return found


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        ("alexnet", {"features.0": 11, "features.3": 51, "features.6": 99, "features.8": 131, "features.10": 163}),
        (
            "squeezenet1_0",
            {
                "features.0": 7,
                "features.3": 19,
                "features.5": 35,
                "features.7": 59,
                "features.9": 91,
                "features.12": 155,
            },
        ),
        ("resnet18", {"conv1": 7, "layer1.1": 43, "layer2.0": 67, "layer3.0.conv2": 147, "layer3.0.downsample": 99}),
        ("googlenet", {"conv3": 19, "inception3a": 43, "inception3b": 59, "inception4a": 107, "inception4c": 171}),
        ("convnext_tiny", {"features.1.0": 28, "features.1.2": 76}),
        ("shufflenet_v2_x0_5", {"conv1": 3, "stage2.0": 15, "stage2.3": 63}),
    ],
)
def test_published_networks_have_the_fields_that_a_nan_finds(model: str, sizes: dict[str, int]) -> None:
    more = {"init_weights": False} if model == "googlenet" else {}
    network = torchvision.models.get_model(model, weights=None, **more).double().eval()
    for name, size in sizes.items():
        field, seen = edges(network, (3, 288, 64), name)
        assert field.size == (size, size)
        assert seen == [False, True, True, False]


@pytest.mark.parametrize(
    "mixing",
    [
        nn.AdaptiveAvgPool2d(1),
        nn.AdaptiveAvgPool2d(7),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"),
        nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"),
        nn.GroupNorm(1, 2),
        nn.InstanceNorm2d(2),
        nn.Softmax(dim=2),
        Apply(lambda x: x * x.mean((2, 3), keepdim=True).sigmoid()),
        Apply(lambda x: x.flip(2)),
        Apply(lambda x: x.roll(1, 3)),
        Apply(lambda x: x.cumsum(2)),
        Apply(lambda x: x.transpose(2, 3)),
        Apply(lambda x: torch.fft.fft2(x).real),
        Apply(lambda x: torch.cat([x[:, :, 3:], x[:, :, :3]], 2)),
        Apply(lambda x: x.reshape(x.shape[0], 2, -1).softmax(1).reshape(x.shape)),
        Apply(lambda x: x @ x.transpose(2, 3)),
        nn.Sequential(nn.Conv2d(2, 2, 1), nn.PixelShuffle(1), Apply(lambda x: x.sort(2).values)),
    ],
)
def test_what_mixes_positions_unevenly_sees_the_whole_input(mixing: nn.Module) -> None:
    network = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), mixing, nn.Conv2d(2, 2, 1)).eval()
    first, *_, last = outline(network, (2, 16, 16)).layers
    assert first.field == Field((-1, -1), (1, 1), (3, 3))
    assert last.field is None


def test_a_buffer_written_in_parts_is_not_trusted() -> None:
    def halves(x: Tensor) -> Tensor:
        out = torch.zeros_like(x)
        out[:, :, :8] = x[:, :, 8:]
        out[:, :, 8:] = x[:, :, :8]
        return out

    network = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), Apply(halves), nn.Conv2d(2, 2, 1)).eval()
    assert outline(network, (2, 16, 16)).layers[-1].field is None


def test_an_in_place_change_of_a_view_is_not_missed() -> None:
    def mixed(x: Tensor) -> Tensor:
        out = x.clone()
        part = out[:, :, 4:]
        part.add_(x.mean((2, 3), keepdim=True))
        return out

    network = nn.Sequential(Apply(mixed), nn.Conv2d(2, 2, 1)).eval()
    assert outline(network, (2, 16, 16)).layers[-1].field is None


def test_what_does_not_depend_on_the_picture_changes_no_field() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.grid = nn.Parameter(torch.zeros(1, 2, 16, 16))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.grid.mean((2, 3), keepdim=True) + self.grid

    network = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), Positions()).eval()
    assert outline(network, (2, 16, 16)).layers[-1].field == Field((-1, -1), (1, 1), (3, 3))


def test_a_rectangular_kernel_has_a_rectangular_field() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, (1, 5), (2, 1), (0, 2)), nn.MaxPool2d((3, 1), (1, 2))).eval()
    assert outline(network, (1, 20, 30)).layers[-1].field == Field((0, -2), (2, 2), (5, 5))
