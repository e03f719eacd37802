"""The axes of images and units, in networks small enough to see where they are."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audit.model.outline import outline

Part = Callable[[Tensor], Tensor]
PLAIN = "image, unit and then positions"


class Apply(nn.Module):
    """A function as a module."""

    def __init__(self, function: Part) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def after(*parts: Part) -> tuple[tuple[int, ...], str] | None:
    """Shape and layout of what `parts` make in turn of the six channels of a 4 x 5 map; None: that is no layer."""
    modules = [part if isinstance(part, nn.Module) else Apply(part) for part in parts]
    network = nn.Sequential(nn.Conv2d(3, 6, 1), *modules)
    found = [layer for layer in outline(network.eval(), (3, 4, 5)).layers if layer.name == str(len(parts))]
    return (found[0].shape, found[0].layout or PLAIN) if found else None


def tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


@pytest.mark.parametrize(
    ("parts", "shape", "layout"),
    [
        ([nn.Identity()], (6, 4, 5), PLAIN),
        ([lambda x: x.permute(0, 2, 3, 1)], (6, 4, 5), "image position position unit"),
        ([lambda x: x.permute(0, 2, 3, 1), nn.Linear(6, 9), nn.GELU()], (9, 4, 5), "image position position unit"),
        ([lambda x: x.permute(1, 0, 2, 3)], (6, 4, 5), "unit image position position"),
        ([tokens], (6, 20, 1), "image position unit"),
        ([tokens, nn.LayerNorm(6), nn.Linear(6, 20), nn.Linear(20, 7)], (7, 20, 1), "image position unit"),
        ([lambda x: tokens(x).transpose(0, 1)], (6, 20, 1), "position image unit"),
        ([lambda x: tokens(x).transpose(0, 1), nn.Linear(6, 9)], (9, 20, 1), "position image unit"),
        ([lambda x: x.flatten(2), nn.Conv1d(6, 8, 3)], (8, 18, 1), PLAIN),
        ([lambda x: x.flatten(2)], (6, 20, 1), PLAIN),
        ([nn.Flatten()], (120,), PLAIN),
        ([nn.Flatten(), nn.Linear(120, 4)], (4,), PLAIN),
        ([lambda x: x.mean((2, 3))], (6,), PLAIN),
        ([lambda x: x.amax(3)], (6, 4, 1), PLAIN),
        ([lambda x: x.mean(1)], (5, 4, 1), "image position unit"),
        ([lambda x: x[:, :, None], nn.Conv3d(6, 7, (1, 2, 2))], (7, 3, 4), PLAIN),
        ([lambda x: x.unflatten(2, (2, 2)), nn.Conv3d(6, 7, 1)], (7, 4, 5), PLAIN),
        ([lambda x: x.unflatten(1, (2, 3))], (6, 4, 5), "image unit unit position position"),
        ([lambda x: tokens(x).reshape(-1, 20, 2, 3).transpose(1, 2)], (6, 20, 1), "image unit position unit"),
        ([lambda x: x[..., :4], nn.PixelUnshuffle(2), nn.PixelShuffle(2)], (6, 4, 4), PLAIN),
        ([nn.ChannelShuffle(3)], (6, 4, 5), PLAIN),
        ([nn.InstanceNorm2d(6)], (6, 4, 5), PLAIN),
        ([nn.GroupNorm(2, 6)], (6, 4, 5), PLAIN),
        ([lambda x: x.permute(0, 2, 3, 1), nn.RMSNorm(6)], (6, 4, 5), "image position position unit"),
        ([lambda x: F.pad(x, (1, 1, 0, 0))[:, :3].roll(1, 2)], (3, 4, 7), PLAIN),
        ([lambda x: torch.cat([x, x * 2], 1)], (12, 4, 5), PLAIN),
        ([lambda x: torch.einsum("nchw,oc->nhwo", x, torch.ones(9, 6))], (9, 4, 5), "image position position unit"),
        ([lambda x: torch.stack([each.permute(1, 2, 0) for each in x])], (6, 4, 5), "image position position unit"),
        ([lambda x: torch.cat([each[None] for each in x])], (6, 4, 5), PLAIN),
        ([lambda x: x.mul_(2).relu_()], (6, 4, 5), PLAIN),
        ([lambda x: torch.where(x > 0, x, 0.0).permute(0, 2, 3, 1)], (6, 4, 5), "image position position unit"),
        ([nn.Conv2d(6, 1, 1), lambda x: x.permute(0, 2, 3, 1)], (1, 4, 5), "image position position unit"),
    ],
)
def test_the_units_are_where_the_weights_put_them(parts: list[Part], shape: tuple[int, ...], layout: str) -> None:
    assert after(*parts) == (shape, layout)


@pytest.mark.parametrize(
    "parts",
    [
        [lambda x: x.unflatten(2, (2, 2)).transpose(1, 2).flatten(0, 1)],
        [lambda x: x.unflatten(2, (2, 2)).transpose(1, 2).flatten(0, 1), nn.Conv2d(6, 2, 1)],
        [lambda x: x[0]],
        [lambda x: torch.cat([x, x])],
        [lambda x: x.flatten()],
        [lambda x: x.mean(0, keepdim=True)],
        [lambda x: x > 0],
    ],
)
def test_what_has_no_axis_of_images_is_no_layer(parts: list[Part]) -> None:
    assert after(*parts) is None


def test_windows_put_together_again_are_a_map() -> None:
    def windows(x: Tensor) -> Tensor:  # [image, y, x, unit] -> [image * window, position, unit]
        return x.reshape(-1, 2, 2, 1, 5, x.shape[-1]).transpose(2, 3).flatten(0, 2).flatten(1, 2)

    def whole(x: Tensor) -> Tensor:
        return x.reshape(-1, 2, 1, 2, 5, x.shape[-1]).transpose(2, 3).flatten(1, 2).flatten(2, 3)

    last: list[Part] = [lambda x: x.permute(0, 2, 3, 1), windows, nn.Linear(6, 7)]
    assert after(*last) is None
    assert after(*last, whole) == ((7, 4, 5), "image position position unit")


def test_attention_weights_have_a_unit_per_head() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.key_query_value = nn.Linear(6, 18)

        def forward(self, x: Tensor) -> Tensor:
            query, key, value = self.key_query_value(x).unflatten(2, (3, 2, 3)).permute(2, 0, 3, 1, 4)
            weights = (query @ key.transpose(2, 3)).softmax(-1)
            out: Tensor = (weights @ value).transpose(1, 2).flatten(2)
            return out

    network = nn.Sequential(nn.Conv2d(3, 6, 1), Apply(tokens), Attention())
    layers = {layer.name: layer for layer in outline(network.eval(), (3, 4, 5)).layers}
    assert layers["2.softmax"].shape == (2, 20, 20)
    assert layers["2"].shape == (6, 20, 1)
    assert layers["2"].layout == "image position unit"


def test_a_mixer_keeps_its_units_across_the_mixing_of_tokens() -> None:
    class Mixer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(6)
            self.tokens = nn.Linear(20, 20)
            self.channels = nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            x = x + self.tokens(self.norm(x).transpose(1, 2)).transpose(1, 2)
            out: Tensor = self.channels(self.norm(x))
            return out

    network = nn.Sequential(nn.Conv2d(3, 6, 1), Apply(tokens), Mixer(), Mixer())
    layers = {layer.name: layer for layer in outline(network.eval(), (3, 4, 5)).layers}
    assert layers["2.tokens"].shape == (20, 6, 1)  # a unit is what the weights make: a mixture of tokens
    for name in ("2.norm", "2.norm#2", "2.channels", "2", "3.norm#2", "3"):
        assert layers[name].shape == (6, 20, 1)


@pytest.mark.parametrize("batch_first", [True, False])
def test_attention_of_torch_takes_images_on_either_axis(batch_first: bool) -> None:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(6, 2, 10, batch_first=batch_first)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.layer(tokens(x) if batch_first else tokens(x).transpose(0, 1))
            return out

    network = nn.Sequential(nn.Conv2d(3, 6, 1), Encoder())
    layers = {layer.name: layer for layer in outline(network.eval(), (3, 4, 5)).layers}
    assert layers["1.layer"].shape == (6, 20, 1)
    assert layers["1.layer"].layout == ("image position unit" if batch_first else "position image unit")


def test_a_buffer_filled_in_parts_is_taken_as_convention_has_it() -> None:
    def halves(x: Tensor) -> Tensor:
        out = torch.zeros(2, 6, 4, 5)
        out[:, :, :2] = x[:, :, :2]
        out[:, :, 2:] = x[:, :, 2:]
        return out

    assert after(halves) == ((6, 4, 5), PLAIN)
