"""Share at the maximum against a count by numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.stream.saturation import Saturation
from tests.stream.feeding import LAYOUTS, SEEDS, SIZES, fed, merged, noise, same


def share(maps: torch.Tensor, *sizes: int) -> np.ndarray:
    return fed(Saturation(), maps, *sizes).compute("layer").columns["share_at_max"]


def plain(maps: torch.Tensor) -> list[float]:
    units = maps.transpose(0, 1).flatten(1).float()
    return [float((unit == unit.max()).float().mean()) for unit in units]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_unit_at_its_bound_is_told_from_one_without(layout: torch.memory_format, dtype: torch.dtype) -> None:
    maps = noise(size=(9, 7)).to(dtype).to(memory_format=layout)
    maps[:, 1] = maps[:, 1].clamp_max(0.75)
    found = share(maps, 5, 1, 17)
    assert found.tolist() == pytest.approx(plain(maps), rel=1e-6)
    assert found[1] > 0.1
    assert found[2] == 1
    assert found[0] < 0.01 or dtype == torch.bfloat16


@given(SIZES, SEEDS, st.sampled_from([1, 3, 50]))
@settings(deadline=None, max_examples=20)
def test_any_split_equals_all_at_once(sizes: list[int], seed: int, levels: int) -> None:
    maps = (noise(sum(sizes), seed=seed) * levels).round()
    whole = fed(Saturation(), maps).compute("layer")
    assert whole.columns["share_at_max"].tolist() == pytest.approx(plain(maps), rel=1e-6)
    same(fed(Saturation(), maps, *sizes).compute("layer"), whole)
    same(merged(Saturation, maps, sizes).compute("layer"), whole)


def test_a_unit_that_was_nan_or_infinite_has_no_share() -> None:
    maps = noise()
    maps[3, 0, 1, 1], maps[9, 4, 0, 0] = torch.nan, torch.inf
    assert np.isnan(share(maps, 2, 21)).tolist() == [True, False, False, False, True]


@pytest.mark.cuda
def test_cuda_counts_what_the_cpu_does() -> None:
    maps = noise().round()
    same(fed(Saturation(), maps.cuda(), 7, 16).compute("layer"), fed(Saturation(), maps).compute("layer"))
