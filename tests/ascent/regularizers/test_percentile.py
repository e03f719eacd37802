"""The selection on CUDA and the selection on the CPU choose the same values."""

import numpy as np
import pytest
import torch

from audit.ascent.regularizers.percentile import below_percentile, interpolated, neighbours

VALUES = torch.randn(3, 6, 7, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("rank", [0, 20, 40, 41])
def test_neighbours_are_those_of_a_sort(rank):
    rows = VALUES.flatten(1)
    expected = rows.sort(dim=1).values
    low, high = neighbours(rows, rank)
    assert torch.equal(low, expected[:, rank])
    assert torch.equal(high, expected[:, min(rank + 1, 41)])
    assert torch.equal(rows.kthvalue(rank + 1, dim=1).values, low)  # how CUDA does it


@pytest.mark.parametrize("part", [0.0, 0.3, 0.5, 0.9])
def test_between_two_values_it_is_numpys_interpolation(part):
    low, high = torch.tensor([1.0, -3.0], dtype=torch.float64), torch.tensor([1.1, 9.0], dtype=torch.float64)
    expected = [np.percentile(pair, 100 * part) for pair in zip(low.tolist(), high.tolist(), strict=True)]
    np.testing.assert_allclose(interpolated(low, high, part), expected, rtol=1e-15)


def test_nothing_is_below_a_percentile_that_is_not_a_number():
    values = VALUES.clone()
    values[1] = torch.nan
    below = below_percentile(values, 50.0)
    assert not below[1].any()
    assert torch.equal(below[[0, 2]], below_percentile(VALUES, 50.0)[[0, 2]])


@pytest.mark.cuda
def test_cuda_finds_the_same_pixels():
    for percentile in (0.0, 20.0, 50.0, 90.0, 100.0):
        assert torch.equal(below_percentile(VALUES.cuda(), percentile).cpu(), below_percentile(VALUES, percentile))
