"""Counts against numpy's own histogram, quantiles against sorted values; however the pictures are split."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.records import Histogram
from audit.stream.histogram import (
    BINS,
    HIGHEST,
    LOWEST,
    POSITIONS,
    RELATIVE_ERROR,
    Distribution,
    bin_edges,
    bins,
    count,
    quantile_columns,
    quantiles,
)
from audit.stream.reducer import Activations
from audit.stream.sampling import sampled
from tests.stream.feeding import LAYOUTS, SEEDS, SIZES, fed, merged, noise, same


def slow_bin(value: float) -> int:
    """By comparison with the edges: a bin holds the edge that is nearer to zero; zero has its own."""
    edges = bin_edges().astype(np.float64)
    if value == 0:
        return int(BINS // 2)
    return int(np.searchsorted(edges, value, side="right" if value > 0 else "left")) - 1


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
@settings(deadline=None)
def test_every_finite_number_is_counted_where_its_edges_say(values: list[float]) -> None:
    rows = torch.tensor(values, dtype=torch.float32)[:, None]
    counts = torch.zeros(1, BINS, dtype=torch.int32)
    count(rows, counts)
    expected = [slow_bin(float(value)) for value in rows[:, 0]]
    assert counts[0].numpy().nonzero()[0].tolist() == sorted(set(expected))
    assert counts[0].numpy().tolist() == np.bincount(expected, minlength=BINS).tolist()
    assert bins(rows.view(torch.int32))[:, 0].tolist() == expected


def test_numbers_that_are_not_finite_are_not_counted() -> None:
    counts = torch.zeros(2, BINS, dtype=torch.int64)
    count(torch.tensor([[torch.nan, 1.0], [torch.inf, -2.0], [-torch.inf, 0.0]]), counts)
    assert counts.sum(dim=1).tolist() == [0, 3]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_histogram_counts_every_position_of_a_small_map(layout: torch.memory_format) -> None:
    maps = noise(size=(4, 8)).to(memory_format=layout) - 0.25
    found = fed(Distribution(), maps, 7, 16).compute("layer")
    for unit in range(maps.shape[1]):
        values = maps[:, unit].numpy().ravel()
        assert found.counts[unit].sum() == values.size
        wide = np.flatnonzero(np.diff(found.edges[unit]) > 0)
        for chosen in wide[:: max(1, len(wide) // 5)]:
            low, high = found.edges[unit, chosen : chosen + 2]
            assert ((values > low) & (values < high)).sum() <= found.counts[unit, chosen]
            assert found.counts[unit, chosen] <= ((values >= low) & (values <= high)).sum()


def test_edges_end_at_the_minimum_and_maximum_of_all_positions() -> None:
    maps = noise(size=(30, 20))
    found = fed(Distribution(), maps).compute("layer")
    assert found.edges[:, 0].tolist() == maps.amin(dim=(0, 2, 3)).tolist()
    assert found.edges[:, -1].tolist() == maps.amax(dim=(0, 2, 3)).tolist()
    assert found.counts.sum(axis=1).tolist() == [23 * POSITIONS] * 5


@given(st.integers(0, 2**31), st.floats(-5, 5), st.sampled_from([0.01, 0.2, 0.5, 0.77, 0.99]))
@settings(deadline=None, max_examples=60)
def test_a_quantile_is_as_near_as_stated(seed: int, decades: float, share: float) -> None:
    rng = np.random.default_rng(seed)
    maps = torch.from_numpy(rng.normal(size=(9, 2, 5, 5)) * 10**decades).float()
    found = quantiles(fed(Distribution(), maps).compute("layer"), [share])
    exact = np.quantile(maps.transpose(0, 1).flatten(1).double().numpy(), share, axis=1, method="inverted_cdf")
    bound = np.maximum(np.abs(exact) * RELATIVE_ERROR, 2.0**LOWEST) * (1 + 1e-6)
    assert (np.abs(found[:, 0] - exact) <= bound).all()


def test_the_smallest_and_largest_quantiles_are_exact() -> None:
    maps = noise()
    found = quantiles(fed(Distribution(), maps).compute("layer"), [0.0, 1.0])
    assert found[:, 0].tolist() == maps.amin(dim=(0, 2, 3)).tolist()
    assert found[:, 1].tolist() == maps.amax(dim=(0, 2, 3)).tolist()


def test_what_is_zero_more_often_than_not_has_median_zero() -> None:
    maps = noise() - 1
    columns = quantile_columns(fed(Distribution(), maps.relu()).compute("layer")).columns
    assert columns["median"].tolist() == [0] * 5
    assert (columns["p99"][[0, 1, 3, 4]] > 0).all()
    assert columns["p99"][2] == 0


def test_magnitudes_beyond_the_bins_are_bounded_by_the_extremes() -> None:
    maps = torch.full((1, 1, 1, 4), 2.0 ** (HIGHEST + 5))
    maps[0, 0, 0, 0] = 2.0 ** (LOWEST - 5)
    found = quantiles(fed(Distribution(), maps).compute("layer"), [0.1, 0.9])
    assert 0 <= found[0, 0] <= 2.0**LOWEST
    assert 2.0 ** (HIGHEST - 1) < found[0, 1] <= 2.0 ** (HIGHEST + 5)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_unit_that_is_not_finite_anywhere_has_no_quantiles(bad: float) -> None:
    maps = noise(size=(30, 20))
    maps[4, 1, 17, 13] = bad
    columns = quantile_columns(fed(Distribution(), maps, 3, 20).compute("layer")).columns
    for column in columns.values():
        assert np.isnan(column).tolist() == [False, True, False, False, False]


def test_a_share_that_is_none_is_refused() -> None:
    histogram = Histogram("layer", np.array([[0.0, 1.0]]), np.array([[3]]))
    with pytest.raises(ValueError, match="asked for at 1"):
        quantiles(histogram, [1.5])
    assert np.isnan(quantiles(Histogram("layer", np.array([[0.0, 1.0]]), np.array([[0]])), [0.5])).all()


def test_counts_grow_beyond_what_int32_holds() -> None:
    reducer = fed(Distribution(), noise())
    reducer.samples = 2**31 - 5
    assert reducer.counts is not None
    reducer.counts[2, BINS // 2] = 2**31 - 5
    fed(reducer, noise())
    assert fed(reducer, noise()).compute("layer").counts.max() == 2**31 - 5 + 2 * 23 * 12


@given(SIZES, SEEDS, st.sampled_from([(4, 3), (13, 11)]))
@settings(deadline=None, max_examples=20)
def test_any_split_equals_all_at_once(sizes: list[int], seed: int, size: tuple[int, int]) -> None:
    maps = noise(sum(sizes), size=size, seed=seed)
    whole = fed(Distribution(), maps).compute("layer")
    same(fed(Distribution(), maps, *sizes).compute("layer"), whole)
    same(merged(Distribution, maps, sizes).compute("layer"), whole)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_types_are_counted_as_float32(dtype: torch.dtype) -> None:
    maps = noise(size=(13, 11)).to(dtype)
    same(fed(Distribution(), maps).compute("layer"), fed(Distribution(), maps.float()).compute("layer"))


@pytest.mark.cuda
def test_cuda_counts_what_the_cpu_does() -> None:
    maps = noise(size=(13, 11))
    same(fed(Distribution(), maps.cuda(), 7, 16).compute("layer"), fed(Distribution(), maps).compute("layer"))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_sampled_positions_depend_on_the_picture_alone(layout: torch.memory_format, dtype: torch.dtype) -> None:
    maps = noise(6, size=(30, 20)).to(dtype).to(memory_format=layout)
    together = sampled(Activations(maps, torch.arange(40, 46)), 16)
    for row in range(6):
        alone = sampled(Activations(maps[row : row + 1], torch.tensor([40 + row])), 16)
        assert torch.equal(together[row], alone[0])


def test_every_position_is_sampled_equally_often() -> None:
    maps = torch.arange(50.0).view(1, 1, 5, 10).expand(4000, 1, 5, 10)
    drawn = sampled(Activations(maps, torch.arange(4000)), 8)[:, :, 0]
    assert (drawn.diff(dim=1) >= 0).all()
    often = np.bincount(drawn.flatten().int().numpy(), minlength=50)
    assert (np.abs(often - 640) < 5 * np.sqrt(640)).all()
