"""What is computed from what boxes can change is what a whole forward pass of every changed picture gives."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models

from audit.model.incremental import Incremental, NotFollowedError, together

Network = Callable[[Tensor], Tensor]
PICTURE = torch.randn(1, 3, 30, 26, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def places(count: int, side: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Boxes everywhere, the four corners among them."""
    last = [whole - part for whole, part in zip(size, side, strict=True)]
    corners = [[y, x] for y in (0, last[0]) for x in (0, last[1])]
    inside = np.random.default_rng(0).integers(0, [length + 1 for length in last], (count, 2))
    return np.concatenate([np.array(corners), inside])


def both_ways(network: Network, picture: Tensor, side: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Of boxes of noise: by whole forward passes, and incrementally."""
    first = places(3, side, tuple(picture.shape[2:]))
    noise = torch.randn(len(first), picture.shape[1], *side, dtype=picture.dtype)
    whole = picture.repeat(len(first), 1, 1, 1)
    for number, (y, x) in enumerate(first):
        whole[number, :, y : y + side[0], x : x + side[1]] = noise[number]
    incremental = Incremental()
    with torch.inference_mode():
        begun = incremental.begin(picture.clone(), noise.clone(), first)
        with incremental:
            found = network(begun)
            found = found + torch.zeros(1, *found.shape[1:])  # what cannot be followed is put together
        return network(whole), found


def assert_same(network: Network, picture: Tensor = PICTURE, side: tuple[int, int] = (4, 5)) -> None:
    expected, found = both_ways(network, picture, side)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1e-12 * expected.abs().max()


def conv(seed: int, units: int, channels: int, kernel: int = 3, **options: int) -> Network:
    generator = torch.Generator().manual_seed(seed)
    shape = (units, channels // options.get("groups", 1), kernel, kernel)
    weight = torch.randn(shape, dtype=torch.float64, generator=generator)
    return lambda shown: F.conv2d(shown, weight, weight.flatten(1)[:, 0].contiguous(), **options)


STEPS: dict[str, Network] = {
    "3x3": conv(1, 6, 6, padding=1),
    "3x3 without padding": conv(2, 6, 6),
    "5x5, stride 2": conv(3, 6, 6, 5, stride=2, padding=2),
    "dilated": conv(4, 6, 6, padding=2, dilation=2),
    "depthwise": conv(5, 6, 6, padding=1, groups=6),
    "1x1, stride 3": conv(6, 6, 6, 1, stride=3),
    "rectified": torch.relu,
    "in place": lambda shown: F.relu(shown, inplace=True),
    "normalised": lambda shown: F.batch_norm(shown, torch.ones(6).double(), 3 * torch.ones(6).double()),
    "most": lambda shown: F.max_pool2d(shown, 3, 2, padding=1, ceil_mode=True),
    "most of 2": lambda shown: F.max_pool2d(shown, 2, padding=1),
    "mean": lambda shown: F.avg_pool2d(shown, 2, 1),
    "mean with borders": lambda shown: F.avg_pool2d(shown, 3, 2, padding=1, ceil_mode=True),
    "residual": lambda shown: torch.relu(conv(7, 6, 6, padding=1)(shown)) + shown,
    "residual in place": lambda shown: conv(7, 6, 6, padding=1)(shown).add_(shown),
    "branches": lambda shown: torch.cat([conv(8, 2, 6, 1)(shown), conv(9, 4, 6, 5, padding=2)(shown)], 1),
    "squeezed": lambda shown: shown * shown.mean((2, 3), keepdim=True).sigmoid(),
    "scaled": lambda shown: shown * 2 - torch.arange(6.0).double().view(6, 1, 1),
    "mirrored": lambda shown: F.pad(shown, (1, 1, 1, 1), mode="reflect"),
    "by its shape": lambda shown: F.avg_pool2d(shown, (1, shown.shape[3])).expand(-1, -1, -1, shown.size(3)),
    "shuffled": lambda shown: shown.view(shown.shape[0], 2, 3, *shown.shape[2:]).transpose(1, 2).flatten(1, 2),
    "split": lambda shown: torch.cat(shown.chunk(2, dim=1)[::-1], 1),
}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(list(STEPS)), min_size=1, max_size=5), st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_any_chain_of_steps(chain: list[str], side: tuple[int, int]) -> None:
    def network(shown: Tensor) -> Tensor:
        value = conv(0, 6, 3, padding=1)(shown)
        for step in chain:
            value = STEPS[step](value) if min(value.shape[2:]) > 5 else value
        return value

    assert_same(network, side=side)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_each_step(step: Network) -> None:
    assert_same(lambda shown: step(conv(0, 6, 3, padding=1)(shown)))


BUILDERS = ("resnet18", "squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v3_small", "densenet121")


@pytest.mark.parametrize("name", BUILDERS)
def test_networks_as_they_come(name: str) -> None:
    torch.manual_seed(0)
    network = getattr(models, name)(weights=None).eval().double()
    picture = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    assert_same(network, picture, (9, 9))


def test_less_is_computed_than_the_whole() -> None:
    numbers: list[int] = []

    def counted(shown: Tensor) -> Tensor:
        with torch._C.DisableTorchFunction():
            numbers.append(shown.numel())
        return shown

    picture = torch.randn(1, 3, 60, 60, dtype=torch.float64)
    layers = [conv(0, 6, 3, padding=1), *[conv(seed, 6, 6, padding=1) for seed in range(3)]]

    def network(shown: Tensor) -> Tensor:
        for layer in layers:
            shown = counted(layer(shown))
        return shown

    assert_same(network, picture, (4, 4))
    of_parts, of_whole = numbers[4:8], numbers[:4]
    if numbers[0] < numbers[4]:
        of_parts, of_whole = of_whole, of_parts
    assert of_parts == [7 * 6 * side**2 for side in (6, 8, 10, 12)]
    assert of_whole == [7 * 6 * 3600] * 4


def test_a_place_is_read_without_the_rest() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 5, 3)).double().eval()
    first = places(4, (4, 5), (30, 26))
    incremental = Incremental()
    with torch.inference_mode():
        begun = incremental.begin(PICTURE, torch.ones(len(first), 3, 4, 5, dtype=torch.float64), first)
        with incremental:
            output = network(begun)
            found = [incremental.at(output, place) for place in ((0, 0), (6, 3), (12, 10))]
        for number, (y, x) in enumerate(first):
            whole = PICTURE.clone()
            whole[0, :, y : y + 4, x : x + 5] = 1
            expected = network(whole)
            for (row, column), values in zip(((0, 0), (6, 3), (12, 10)), found, strict=True):
                assert torch.allclose(values[number], expected[0, :, row, column], rtol=1e-12, atol=1e-12)


def test_what_cannot_be_followed_is_said() -> None:
    def network(shown: Tensor) -> Tensor:
        kept = conv(0, 6, 3, 1)(shown)
        kept += conv(1, 6, 3, padding=1)(shown)
        return kept

    with pytest.raises(NotFollowedError, match="in place"):
        assert_same(network)


@given(st.lists(st.tuples(st.integers(-5, 30), st.integers(1, 12)), min_size=1, max_size=5), st.integers(1, 25))
def test_boxes_of_one_length_hold_what_they_should(spans: list[tuple[int, int]], size: int) -> None:
    begins, ends = np.array([[begin, 0] for begin, _ in spans]), np.array([[begin + n, 1] for begin, n in spans])
    first, (length, _) = together(begins, ends, (size, 1))
    for (begin, count), (start, _) in zip(spans, first, strict=True):
        inside = set(range(max(begin, 0), min(begin + count, size)))
        assert inside <= set(range(start, start + length)) <= set(range(size))
    longest = max(len(range(max(begin, 0), min(begin + count, size))) for begin, count in spans)
    assert length == max(longest, 1)
