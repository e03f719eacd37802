"""The fast gradient of a first convolution is torch's own, and everything else is left to torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from audit.ascent import first_convolution
from audit.ascent.first_convolution import FastFirstConvolution, phases


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def value_and_gradient(function: Callable[[Tensor], Tensor], image: Tensor) -> tuple[Tensor, Tensor]:
    shown = image.clone().requires_grad_()
    value = function(shown)
    (gradient,) = torch.autograd.grad((value * noise(*value.shape, seed=2).to(value.dtype)).sum(), shown)
    return value.detach(), gradient


def assert_same(function: Callable[[Tensor], Tensor], image: Tensor, tolerance: float = 1e-12) -> None:
    """Values to the last bit, gradients but for rounding."""
    expected, slope = value_and_gradient(function, image)
    with FastFirstConvolution():
        value, gradient = value_and_gradient(function, image)
    assert torch.equal(value, expected)
    assert gradient.shape == image.shape
    assert (gradient - slope).abs().max() <= tolerance * slope.abs().max()


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The weights of which phases were made, one by one."""
    made: list[Tensor] = []

    def heard(weight: Tensor, stride: tuple[int, int]) -> Tensor:
        made.append(weight)
        return phases(weight, stride)

    monkeypatch.setattr(first_convolution, "phases", heard)
    return made


@dataclass(frozen=True)
class Convolution:
    """What `conv2d` is given: sizes of the weight, and of how it is moved over the image."""

    units: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    order: torch.memory_format

    def of(self, shown: Tensor) -> Tensor:
        weight = noise(self.units, shown.shape[1], *self.kernel, seed=1).contiguous(memory_format=self.order)
        return F.conv2d(shown, weight, noise(self.units, seed=3), self.stride, self.padding)


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


CONVOLUTIONS = st.builds(
    Convolution,
    units=st.integers(1, 5),
    kernel=pairs(1, 8),
    stride=pairs(2, 5),
    padding=pairs(0, 9),
    order=st.sampled_from([torch.contiguous_format, torch.channels_last]),
)


@settings(deadline=None, max_examples=200)
@given(CONVOLUTIONS, st.integers(1, 3), st.integers(1, 4), pairs(0, 12))
def test_the_gradient_is_torchs_own(convolution, images, channels, more):
    smallest = [max(1, side - 2 * pad) for side, pad in zip(convolution.kernel, convolution.padding, strict=True)]
    size = [side + extra for side, extra in zip(smallest, more, strict=True)]
    assert_same(convolution.of, noise(images, channels, *size).contiguous(memory_format=convolution.order))


def test_a_module_and_a_call_by_name_are_met(prepared):
    conv = nn.Conv2d(3, 6, 7, stride=2, padding=(3, 2), padding_mode="reflect").double().requires_grad_(False)
    assert_same(conv, noise(2, 3, 19, 18))
    assert len(prepared) == 1
    assert_same(lambda shown: F.conv2d(input=shown, weight=conv.weight, stride=[4], padding=[1]), noise(2, 3, 19, 18))
    assert len(prepared) == 2


def test_in_float32_the_gradient_is_that_of_float64_to_its_last_digits(prepared):
    weight, image = noise(16, 3, 7, 7, seed=1), noise(2, 3, 31, 33)
    _, slope = value_and_gradient(lambda shown: F.conv2d(shown, weight, stride=2), image)
    with FastFirstConvolution():
        _, gradient = value_and_gradient(lambda shown: F.conv2d(shown, weight.float(), stride=2), image.float())
    assert gradient.dtype == torch.float32
    assert len(prepared) == 1
    assert (gradient - slope).abs().max() <= 1e-6 * slope.abs().max()


def test_an_in_place_rectifier_after_it_and_a_second_strided_convolution_do_no_harm(prepared):
    layers = [nn.Conv2d(3, 4, 5, 2), nn.ReLU(inplace=True), nn.Conv2d(4, 3, 3, 2, padding=1), nn.ReLU(inplace=True)]
    assert_same(nn.Sequential(*layers).double().requires_grad_(False), noise(2, 3, 17, 16))
    assert len(prepared) == 2


OTHERS: dict[str, tuple[int, dict[str, Any]]] = {
    "stride 1": (3, {}),
    "stride 1 along x": (3, {"stride": (2, 1)}),
    "many channels": (5, {"stride": 2}),
    "groups": (4, {"stride": 2, "groups": 2}),
    "dilation": (3, {"stride": 2, "dilation": (1, 2)}),
    "padding by name": (3, {"stride": 2, "padding": "valid"}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_convolutions_are_left_to_torch(name, prepared):
    channels, options = OTHERS[name]
    weight = noise(4, channels // options.get("groups", 1), 3, 3, seed=1)
    assert_same(lambda shown: F.conv2d(shown, weight, **options), noise(2, channels, 11, 12), tolerance=0.0)
    assert not prepared


def test_gradients_of_weights_are_torchs_own(prepared):
    for frozen in ("weight", "bias"):
        conv = nn.Conv2d(3, 4, 3, stride=2).double()
        getattr(conv, frozen).requires_grad_(False)
        learned = conv.bias if frozen == "weight" else conv.weight
        found = []
        for context in (torch.enable_grad(), FastFirstConvolution()):
            with context:
                value = conv(noise(1, 3, 7, 7).requires_grad_())
            found.append(torch.autograd.grad(value.square().sum(), learned)[0])
        assert torch.equal(*found)
    assert not prepared


def test_a_picture_without_a_gradient_and_half_precision_are_left_to_torch(prepared):
    conv = nn.Conv2d(3, 4, 3, stride=2).requires_grad_(False)
    image = noise(1, 3, 7, 7).float()
    with FastFirstConvolution():
        conv(image)
        with torch.no_grad():
            conv(image.clone().requires_grad_())
        assert conv.bfloat16()(image.bfloat16().requires_grad_()).requires_grad
        with torch.autocast("cpu", torch.bfloat16):
            conv.float()(image.clone().requires_grad_()).sum().backward()
    assert not prepared


def test_weights_are_prepared_once_and_again_when_they_change(prepared):
    weight, image, fast = noise(4, 3, 3, 3, seed=1), noise(1, 3, 9, 9), FastFirstConvolution()

    def agrees() -> bool:
        _, slope = value_and_gradient(lambda shown: F.conv2d(shown, weight, stride=2), image)
        with fast:
            _, gradient = value_and_gradient(lambda shown: F.conv2d(shown, weight, stride=2), image)
        return torch.allclose(gradient, slope, rtol=1e-12, atol=1e-12)

    assert agrees()
    assert agrees()
    assert len(prepared) == 1
    weight.mul_(-3)
    assert agrees()
    weight.data = noise(4, 3, 5, 5, seed=3)
    assert agrees()
    assert len(prepared) == 3


def test_a_second_derivative_is_an_error_and_not_a_wrong_number():
    shown = noise(1, 3, 9, 9).requires_grad_()
    with FastFirstConvolution():
        value = F.conv2d(shown, noise(4, 3, 3, 3, seed=1), stride=2)
    (gradient,) = torch.autograd.grad(value.square().sum(), shown, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        gradient.sum().backward()


def test_a_wrong_shape_is_torchs_own_error():
    with FastFirstConvolution(), pytest.raises(RuntimeError, match="to have 2 channels, but got 3 channels"):
        F.conv2d(noise(1, 3, 9, 9).requires_grad_(), noise(4, 2, 3, 3), stride=2)
