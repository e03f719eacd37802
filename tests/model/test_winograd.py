"""A convolution with fewer products is the ordinary one, in float64 to its last digits."""

import pytest
import torch
from torch.nn import functional as F

from audit.model import winograd
from audit.model.incremental import Incremental
from tests.model.test_incremental import places


@pytest.mark.parametrize("size", [(3, 3), (6, 7), (9, 9), (10, 4), (16, 13)])
def test_it_is_the_ordinary_convolution(size: tuple[int, int]) -> None:
    maps, weight = torch.randn(2, 5, *size, dtype=torch.float64), torch.randn(7, 5, 3, 3, dtype=torch.float64)
    found, expected = winograd.convolved(maps, winograd.prepared(weight)), F.conv2d(maps, weight)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1e-12 * expected.abs().max()


def test_in_float32_it_is_off_by_no_more_than_it_says() -> None:
    maps = torch.randn(4, 256, 16, 16).relu().contiguous(memory_format=torch.channels_last)
    weight = torch.randn(256, 256, 3, 3) / 48
    expected = F.conv2d(maps.double(), weight.double())
    found = winograd.convolved(maps, winograd.prepared(weight))
    assert found.is_contiguous(memory_format=torch.channels_last) or found.stride(1) == 1
    assert (found - expected).abs().max() <= 3e-5 * expected.abs().max()


def test_only_wide_convolutions_of_three_by_three_in_float32_suit() -> None:
    assert winograd.suits(torch.zeros(256, 512, 3, 3))
    assert not winograd.suits(torch.zeros(512, 128, 3, 3))
    assert not winograd.suits(torch.zeros(256, 256, 1, 1))
    assert not winograd.suits(torch.zeros(256, 256, 3, 3, dtype=torch.float64))


def test_incremental_passes_make_use_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[tuple[int, ...]] = []
    usual = winograd.convolved

    def heard(maps: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        used.append(tuple(maps.shape))
        return usual(maps, places)

    monkeypatch.setattr(winograd, "convolved", heard)
    torch.manual_seed(0)
    first, wide, bias = torch.randn(256, 3, 3, 3), torch.randn(256, 256, 3, 3) / 48, torch.randn(256)
    picture, boxes = torch.randn(1, 3, 20, 20), places(28, (4, 4), (20, 20))

    def network(shown: torch.Tensor) -> torch.Tensor:
        return F.conv2d(F.relu(F.conv2d(shown, first, padding=1)), wide, bias, padding=1)

    whole = picture.repeat(len(boxes), 1, 1, 1)
    for number, (y, x) in enumerate(boxes):
        whole[number, :, y : y + 4, x : x + 4] = 0
    incremental = Incremental()
    with torch.inference_mode():
        begun = incremental.begin(picture, torch.zeros(len(boxes), 3, 4, 4), boxes)
        with incremental:
            found = network(begun).flatten(1)
        expected = network(whole).flatten(1)
    assert used == [(32, 256, 10, 10)]
    assert (found - expected).abs().max() <= 3e-5 * expected.abs().max()
