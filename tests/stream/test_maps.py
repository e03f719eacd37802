"""Sparseness, spread and norms of planted maps with known answers, and of noise by plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from audit.stream.maps import ALWAYS, Maps, looked_at
from tests.stream.feeding import LAYOUTS, SEEDS, SIZES, fed, merged, noise, same

COLUMNS = ("map_norm", "map_norm_std", "share_when_firing", "sparseness", "spread")


def columns(maps: torch.Tensor, *sizes: int) -> dict[str, np.ndarray]:
    return dict(fed(Maps(), maps, *sizes).compute("layer").columns)


def plain(maps: torch.Tensor, unit: int) -> list[float]:
    """The columns of one unit, in their order, picture by picture."""
    pictures = maps[:, unit].double().numpy()
    norms = np.array([np.linalg.norm(picture) for picture in pictures])
    firing = [np.clip(picture, 0, None) for picture in pictures if (picture > 0).any()]
    sparseness = [(1 - picture.mean() ** 2 / (picture**2).mean()) / (1 - 1 / picture.size) for picture in firing]
    return [norms.mean(), norms.std(), np.mean([p > 0 for p in firing]), np.mean(sparseness), np.mean(spreads(firing))]


def spreads(firing: list[np.ndarray]) -> list[float]:
    return [second_moment(picture) / second_moment(np.ones_like(picture)) for picture in firing]


def second_moment(weights: np.ndarray) -> float:
    places = np.argwhere(np.ones_like(weights))
    centre = np.average(places, axis=0, weights=weights.ravel())
    return float(np.sqrt(np.average(((places - centre) ** 2).sum(axis=1), weights=weights.ravel())))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_all_columns_equal_their_definitions(layout: torch.memory_format, dtype: torch.dtype) -> None:
    maps = (noise(size=(7, 5)) + 0.3 * noise(size=(7, 5), seed=1) - 0.4).to(dtype).to(memory_format=layout)
    found = columns(maps, 9, 1, 13)
    for unit in (0, 1, 3, 4):
        np.testing.assert_allclose([found[name][unit] for name in COLUMNS], plain(maps, unit), rtol=1e-5)


def test_one_position_is_sparse_and_local_and_an_even_map_is_neither() -> None:
    maps = torch.zeros(4, 3, 8, 6)
    maps[:, 0, 2, 5] = 7
    maps[:, 1] = 0.5
    maps[:, 2, 0, 0] = maps[:, 2, 7, 5] = 1
    found = columns(maps)
    assert found["sparseness"].tolist() == pytest.approx([1, 0, 1 - 1 / 47])
    assert found["spread"].tolist()[:2] == pytest.approx([0, 1], abs=1e-9)
    assert found["spread"][2] > 1
    assert found["share_when_firing"].tolist() == pytest.approx([1 / 48, 1, 2 / 48])


def test_a_unit_that_never_fires_has_no_shape() -> None:
    found = columns(-noise())
    assert np.isnan(found["sparseness"]).all()
    assert np.isnan(found["spread"]).all()
    assert np.isnan(found["share_when_firing"]).all()
    assert found["map_norm"][0] > 0


def test_a_vector_has_norms_and_no_shape() -> None:
    found = columns(noise(size=(1, 1)))
    assert np.isnan(found["spread"]).all()
    assert np.isnan(found["sparseness"]).all()
    assert found["map_norm"][0] == pytest.approx(noise(size=(1, 1))[:, 0].double().mean().item(), rel=1e-6)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_unit_that_is_not_finite_anywhere_has_no_numbers(bad: float) -> None:
    maps = noise(ALWAYS + 20)
    row = next(row for row in range(ALWAYS, ALWAYS + 20) if row not in looked_at(torch.arange(ALWAYS + 20)))
    maps[row, 1, 2, 2] = bad
    for column in columns(maps, 30, 54).values():
        assert np.isnan(column[1])
        assert np.isfinite(column[[0, 3, 4]]).all()


def test_of_many_pictures_one_in_eight_is_looked_through() -> None:
    rows = looked_at(torch.arange(8064))
    assert rows[:ALWAYS].tolist() == list(range(ALWAYS))
    assert 880 < len(rows) - ALWAYS < 1120
    assert set(looked_at(torch.arange(5000, 8064)) + 5000) == {row for row in rows if row >= 5000}


@given(SIZES, SEEDS)
@settings(deadline=None, max_examples=20)
def test_any_split_equals_all_at_once(sizes: list[int], seed: int) -> None:
    maps = noise(sum(sizes), seed=seed)
    split = fed(Maps(), maps, *sizes).compute("layer")
    same(split, fed(Maps(), maps).compute("layer"), 1e-12)
    same(split, merged(Maps, maps, sizes).compute("layer"))


@pytest.mark.cuda
def test_cuda_measures_what_the_cpu_does() -> None:
    maps = noise(size=(7, 5))
    same(fed(Maps(), maps.cuda(), 7, 16).compute("layer"), fed(Maps(), maps).compute("layer"), 1e-6)
