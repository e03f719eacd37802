"""The gradient of a stem is torch's own, in one step, and nothing else in the network notices."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from audit.ascent.first_convolution import FastFirstConvolution
from audit.ascent.stem import Stem
from tests.ascent.test_first_convolution import CONVOLUTIONS, assert_same, noise, pairs


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The sizes of the convolutions' maps whose gradients were made in one step."""
    sizes: list[tuple[int, int]] = []
    usual = Stem.gradient

    def heard(self: Stem, pooled: Tensor, on: Tensor, at: Tensor, size: tuple[int, int]) -> Tensor:
        sizes.append(size)
        return usual(self, pooled, on, at, size)

    monkeypatch.setattr(Stem, "gradient", heard)
    return sizes


@settings(deadline=None, max_examples=60)
@given(
    CONVOLUTIONS, st.tuples(st.integers(1, 3), st.integers(1, 4), *[st.integers(10, 16)] * 2), pairs(1, 3), pairs(2, 3)
)
def test_the_gradient_is_torchs_own(convolution, shape, window, step):
    padding = tuple(side // 2 for side in window)

    def stem(shown: Tensor) -> Tensor:
        return F.max_pool2d(F.relu(convolution.of(shown)), window, step, padding, ceil_mode=step[0] == 2)

    image = noise(*shape).contiguous(memory_format=convolution.order)
    with torch.no_grad():
        smallest = convolution.of(image).shape[2:]
    if all(side >= most for side, most in zip(smallest, window, strict=True)):
        assert_same(stem, image)


STEM = nn.Sequential(nn.Conv2d(3, 5, 7, 2, padding=3), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
STEM.double().requires_grad_(False)
CONV, RELU, POOL = STEM


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_modules_and_functions_are_met(used, order):
    image = noise(3, 3, 21, 24).contiguous(memory_format=order)
    assert_same(STEM, image)
    assert_same(lambda shown: torch.max_pool2d(CONV(shown).relu(), 2), image)
    assert_same(lambda shown: POOL(torch.relu_(CONV(shown))), image)
    assert used == [(11, 12)] * 3


def test_in_float32_the_gradient_is_that_of_float64_to_its_last_digits(used):
    assert_same(nn.Sequential(*STEM).float(), noise(2, 3, 31, 33).float(), tolerance=1e-6)
    STEM.double()
    assert len(used) == 1


READERS: dict[str, Callable[[Tensor], Tensor]] = {
    "of the convolution": lambda shown: _joined(seen := CONV(shown), POOL(F.relu(seen))),
    "of the ReLU": lambda shown: _joined(on := F.relu(CONV(shown)), POOL(on)),
    "of the image": lambda shown: _joined(shown, POOL(F.relu(CONV(shown)))),
    "twice of the maximum": lambda shown: _joined(most := POOL(F.relu(CONV(shown))), most.square()),
    "that changes the maximum": lambda shown: POOL(F.relu(CONV(shown))).mul_(-2.0),
}


def _joined(*maps: Tensor) -> Tensor:
    return torch.cat([values.flatten(1) for values in maps], 1)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_other_readers_get_their_part_of_the_gradient(used, reader):
    assert_same(reader, noise(2, 3, 21, 24))
    assert len(used) == 1


OTHERS: dict[str, Callable[[Tensor], Tensor]] = {
    "no ReLU": lambda shown: POOL(CONV(shown)),
    "a convolution that was changed": lambda shown: POOL(F.relu(CONV(shown).mul_(-1.0))),
    "a part of the map": lambda shown: POOL(F.relu(CONV(shown))[:, 1:]),
    "a dense maximum": lambda shown: F.max_pool2d(F.relu(CONV(shown)), 3, stride=1),
    "asked where it is": lambda shown: F.max_pool2d(F.relu(CONV(shown)), 3, return_indices=True)[0],
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_what_is_no_stem_is_left_to_torch(used, other):
    assert_same(other, noise(2, 3, 21, 24))
    assert used == []


def test_an_image_does_not_depend_on_its_neighbours():
    images = noise(3, 3, 21, 24).float()
    network = nn.Sequential(*STEM).float()

    def slope(shown: Tensor) -> Tensor:
        shown = shown.clone().requires_grad_()
        with FastFirstConvolution():
            return torch.autograd.grad(network(shown).square().sum(), shown)[0]

    together, alone = slope(images), torch.cat([slope(image[None]) for image in images])
    STEM.double()
    assert (together - alone).abs().max() <= 1e-6 * alone.abs().max()


def test_what_is_not_finite_stays_with_its_image():
    images = noise(2, 3, 21, 24)
    images[0, 0, 3, 3] = torch.inf
    shown = images.clone().requires_grad_()
    with FastFirstConvolution():
        value = STEM(shown)
        weights = torch.where(value.isfinite(), 1.0, torch.inf)
        (gradient,) = torch.autograd.grad(value, shown, weights)
    other = images[1:].clone().requires_grad_()
    (expected,) = torch.autograd.grad(STEM(other).sum(), other)
    assert not gradient[0].isfinite().all()
    assert (gradient[1:] - expected).abs().max() <= 1e-12 * expected.abs().max()
