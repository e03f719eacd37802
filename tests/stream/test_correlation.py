"""Correlations against numpy's corrcoef of the same samples; the dimension against the covariance's eigenvalues."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import Unavailable
from audit.stream.correlation import AT_ONCE, POSITIONS, Correlation, Directions
from audit.stream.reducer import Activations
from audit.stream.sampling import sampled
from tests.stream.feeding import LAYOUTS, SEEDS, SIZES, fed, merged, noise, same


def columns(maps: torch.Tensor, *sizes: int) -> tuple[list[float], np.ndarray]:
    found = fed(Correlation(), maps, *sizes).compute("layer").columns
    return found["nearest"].tolist(), found["correlation"]


def samples(maps: torch.Tensor) -> np.ndarray:
    """Sample by unit, as the reducer sees them."""
    return sampled(Activations(maps, torch.arange(len(maps))), POSITIONS).flatten(0, 1).double().numpy()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_nearest_unit_is_that_of_corrcoef(layout: torch.memory_format) -> None:
    maps = (noise(60, 7, (9, 5)) + 0.1 * torch.randn(60, 7, 9, 5)).to(memory_format=layout) + 30
    nearest, value = columns(maps, 11, 49)
    matrix = np.corrcoef(samples(maps).T)
    np.fill_diagonal(matrix, 0)
    assert nearest == np.abs(matrix).argmax(axis=1).tolist()
    np.testing.assert_allclose(value, matrix[np.arange(7), np.abs(matrix).argmax(axis=1)], rtol=1e-9)


def test_copies_scaled_copies_and_negatives_are_found() -> None:
    maps = noise(units=8, size=(6, 6))
    maps[:, 4], maps[:, 5], maps[:, 7] = maps[:, 1], 5 * maps[:, 3] + 2, -maps[:, 6]
    nearest, value = columns(maps)
    assert [nearest[unit] for unit in (1, 4, 3, 5, 6, 7)] == [4, 1, 5, 3, 7, 6]
    assert value[[1, 4, 3, 5]].tolist() == pytest.approx([1] * 4)
    assert value[[6, 7]].tolist() == pytest.approx([-1] * 2)


def test_of_equally_near_units_the_lowest_is_named() -> None:
    maps = noise(units=5, size=(6, 6))
    maps[:, 3] = maps[:, 4] = maps[:, 1]
    assert [columns(maps)[0][unit] for unit in (1, 3, 4)] == [3, 1, 1]


def test_a_constant_unit_has_no_correlation() -> None:
    maps = noise()
    maps[:, 4] = 0.1
    nearest, value = columns(maps, 5, 18)
    assert [nearest[2], nearest[4]] == [-1, -1]
    assert np.isnan(value).tolist() == [False, False, True, False, True]
    assert not {2.0, 4.0} & set(nearest)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_unit_that_is_not_finite_anywhere_has_no_correlation(bad: float) -> None:
    maps = noise(size=(20, 20))
    maps[3, 1, 7, 19] = bad
    reducer = fed(Correlation(), maps, 2, 21)
    found = reducer.compute("layer").columns
    assert found["nearest"][1] == -1
    assert np.isnan(found["correlation"]).tolist() == [False, True, True, False, False]
    assert np.isnan(reducer.dimension("layer"))


def test_a_single_unit_has_no_other() -> None:
    nearest, value = columns(noise(units=3)[:, :1])
    assert nearest == [-1]
    assert np.isnan(value).all()


def test_the_dimension_is_the_participation_ratio_of_the_eigenvalues() -> None:
    maps = noise(200, 6, (1, 1)) * torch.tensor([1.0, 2, 3, 4, 5, 6])[:, None, None]
    eigenvalues = np.linalg.eigvalsh(np.cov(samples(maps).T))
    expected = eigenvalues.sum() ** 2 / (eigenvalues**2).sum()
    assert fed(Correlation(), maps, 150, 50).dimension("layer") == pytest.approx(expected, rel=1e-9)


def test_the_directions_of_a_layer_are_a_row_with_its_dimension() -> None:
    correlation = Correlation()
    maps = noise(200, 6, (1, 1))
    fed(correlation, maps)
    row = fed(Directions(correlation), maps).compute("layer")
    found = {name: column.tolist() for name, column in row.columns.items()}
    assert found == {"layer": ["layer"], "units": [6], "effective_units": [correlation.dimension("layer")]}


def test_units_that_move_as_one_have_one_dimension() -> None:
    maps = noise()[:, :1] * torch.tensor([1.0, -2, 0.5])[:, None, None]
    assert fed(Correlation(), maps).dimension("layer") == pytest.approx(1)
    assert np.isnan(fed(Correlation(), torch.ones(5, 3, 2, 2)).dimension("layer"))


def test_more_units_than_one_block_are_compared_with_all() -> None:
    maps = torch.randn(20, AT_ONCE + 40, 1, 1, generator=torch.Generator().manual_seed(0))
    maps[:, 3] = -maps[:, AT_ONCE + 10]
    nearest, value = columns(maps)
    assert (nearest[3], nearest[AT_ONCE + 10]) == (AT_ONCE + 10, 3)
    assert value[3] == pytest.approx(-1)


def test_a_layer_that_is_too_large_is_unavailable_and_takes_no_memory() -> None:
    reducer = fed(Correlation(most_units=4), noise())
    assert reducer.mean is None
    with pytest.raises(Unavailable, match="5 units"):
        reducer.compute("layer")
    with pytest.raises(Unavailable, match="5 units"):
        reducer.dimension("layer")


@given(SIZES, SEEDS, st.sampled_from([(1, 1), (5, 3)]))
@settings(deadline=None, max_examples=20)
def test_any_split_equals_all_at_once(sizes: list[int], seed: int, size: tuple[int, int]) -> None:
    maps = noise(sum(sizes), size=size, seed=seed)
    whole, split = fed(Correlation(), maps), fed(Correlation(), maps, *sizes)
    assert whole.mean is not None
    assert split.mean is not None
    torch.testing.assert_close(split.mean, whole.mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(split.comoments, whole.comoments, rtol=1e-12, atol=1e-12)
    same(split.compute("layer"), merged(Correlation, maps, sizes).compute("layer"))


@pytest.mark.cuda
def test_cuda_measures_what_the_cpu_does() -> None:
    maps = noise(60, 7, (9, 5))
    same(fed(Correlation(), maps.cuda(), 11, 49).compute("l"), fed(Correlation(), maps).compute("l"), 1e-9)
