"""Reducers against slow float64 definitions; however the images are split, the records are the same."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.records import Scalars, TopK
from audit.stream.firing import Firing
from audit.stream.moments import Moments
from audit.stream.reducer import Activations, Reducer
from audit.stream.strongest import KEPT, Strongest, Weakest

REDUCERS: tuple[Callable[[], Reducer], ...] = (Moments, Firing, Strongest, Weakest)


def activations(images: int = 23, units: int = 5, size: tuple[int, int] = (4, 3), seed: int = 0) -> torch.Tensor:
    """Rectified noise whose unit 2 is dead and whose unit 3 is far from zero."""
    maps = torch.from_numpy(np.random.default_rng(seed).normal(size=(images, units, *size))).float().relu()
    maps[:, 2] = 0
    maps[:, 3] += 100
    return maps.to(memory_format=torch.channels_last)


def fed(reducer: Reducer, maps: torch.Tensor, sizes: list[int], first: int = 0) -> Reducer:
    for part in maps.split(sizes):
        reducer.update(Activations(part, torch.arange(first, first + len(part))))
        first += len(part)
    return reducer


def columns(maps: torch.Tensor, *reducers: Reducer) -> dict[str, np.ndarray]:
    records = [fed(reducer, maps, [7, 1, len(maps) - 8]).compute("layer") for reducer in reducers]
    return {
        name: column for record in records if isinstance(record, Scalars) for name, column in record.columns.items()
    }


def test_statistics_equal_their_float64_definitions() -> None:
    maps = activations()
    found = columns(maps, Moments(), Firing())
    plain = maps.double().numpy()
    for unit in range(maps.shape[1]):
        values = plain[:, unit].ravel()
        assert found["mean"][unit] == pytest.approx(values.mean(), rel=1e-6)
        assert found["std"][unit] == pytest.approx(values.std(), rel=1e-5)
        assert found["min"][unit] == values.min()
        assert found["max"][unit] == values.max()
        assert found["share_of_positions"][unit] == (values > 0).mean()
        assert found["share_of_images"][unit] == np.mean([(image > 0).any() for image in plain[:, unit]])
        assert found["non_finite"][unit] == 0


def test_a_unit_that_never_fires_has_no_share() -> None:
    found = columns(activations(), Firing())
    assert found["share_of_images"][2] == 0
    assert found["share_of_positions"][2] == 0


def test_images_with_a_value_that_is_not_finite_are_counted_per_unit() -> None:
    maps = activations()
    maps[4, 1, 0, 0], maps[9, 1, 2, 2], maps[9, 0, 0, 1] = torch.nan, torch.inf, -torch.inf
    found = columns(maps, Moments())
    assert found["non_finite"].tolist() == [1, 2, 0, 0, 0]
    assert np.isnan(found["mean"][1])


def test_the_strongest_images_equal_brute_force() -> None:
    maps = activations()
    found = fed(Strongest(), maps, [7, 1, 15]).compute("layer")
    assert isinstance(found, TopK)
    for unit in (0, 1, 3, 4):
        ranked = sorted((-maps[i, unit].max().item(), i) for i in range(len(maps)))[:KEPT]
        assert found.image[unit].tolist() == [image for _, image in ranked]
        assert found.value[unit].tolist() == [-value for value, _ in ranked]
        for image, y, x, value in zip(found.image[unit], found.y[unit], found.x[unit], found.value[unit], strict=True):
            assert maps[image, unit, y, x] == value


def test_the_weakest_images_equal_brute_force() -> None:
    maps = activations() - activations(seed=1)
    found = fed(Weakest(count=4), maps, [7, 1, 15]).compute("layer")
    assert isinstance(found, TopK)
    assert found.end == "weakest"
    for unit in (0, 1, 3, 4):
        ranked = sorted((maps[i, unit].min().item(), i) for i in range(len(maps)))[:4]
        assert found.image[unit].tolist() == [image for _, image in ranked]
        assert found.value[unit].tolist() == [value for value, _ in ranked]
        for image, y, x, value in zip(found.image[unit], found.y[unit], found.x[unit], found.value[unit], strict=True):
            assert maps[image, unit, y, x] == value


@pytest.mark.parametrize("count", [1, 9, 30])
def test_as_many_images_are_kept_as_asked_for(count: int) -> None:
    maps = activations()
    found = fed(Strongest(count), maps, [7, 1, 15]).compute("layer")
    assert isinstance(found, TopK)
    ranked = maps[:, 4].amax(dim=(1, 2)).sort(descending=True, stable=True).indices[:count].tolist()
    assert found.image[4].tolist() == ranked + [-1] * (count - len(ranked))


def test_of_equal_peaks_the_earlier_image_and_the_first_position_win() -> None:
    maps = torch.zeros(23, 1, 20, 20)
    maps[3:21, 0, 11, 4] = maps[3:21, 0, 17, 2] = 5
    maps[12, 0, 19, 19] = 7
    for layout in (torch.channels_last, torch.contiguous_format):
        found = fed(Strongest(), maps.to(memory_format=layout), [7, 1, 15]).compute("layer")
        assert isinstance(found, TopK)
        assert found.image[0].tolist() == [12, *range(3, 11)]
        assert list(zip(found.y[0], found.x[0], strict=True)) == [(19, 19)] + [(11, 4)] * 8


def test_a_unit_that_says_the_same_of_all_images_has_no_strongest() -> None:
    maps = activations()
    maps[:, 1] = 3.5
    maps[:, 4, 2, 1] = 8  # other positions differ
    maps[:, 0] -= 1 - torch.rand(23)[:, None, None]
    strongest, weakest = (fed(make(), maps, [7, 16]).compute("layer") for make in (Strongest, Weakest))
    assert isinstance(strongest, TopK)
    assert isinstance(weakest, TopK)
    assert (strongest.image[[1, 2, 4]] == -1).all()
    assert (strongest.value[1] == 3.5).all()
    assert (strongest.image[[0, 3]] >= 0).all()
    assert (weakest.image[[1, 2]] == -1).all()
    assert (weakest.image[0] >= 0).all()


def test_a_single_image_is_the_strongest_even_of_a_dead_unit() -> None:
    found = fed(Strongest(), activations(images=1), [1]).compute("layer")
    assert isinstance(found, TopK)
    assert found.image[:, 0].tolist() == [0] * 5


def test_fewer_images_than_places_leave_places_empty() -> None:
    found = fed(Strongest(), activations(images=3), [3]).compute("layer")
    assert isinstance(found, TopK)
    assert (found.image[[0, 1, 3, 4], :3] >= 0).all()
    assert (found.image[:, 3:] == -1).all()
    assert (found.value[:, 3:] == -np.inf).all()


def test_a_nan_is_never_strongest() -> None:
    maps = activations()
    maps[5, 0, 1, 1] = torch.nan
    found = fed(Strongest(), maps, [23]).compute("layer")
    assert isinstance(found, TopK)
    assert 5 not in found.image[0]
    assert np.isfinite(found.value[0]).all()


@given(st.lists(st.integers(1, 6), min_size=2, max_size=8), st.integers(0, 2**31))
@settings(deadline=None, max_examples=60)
def test_any_split_equals_all_at_once(sizes: list[int], seed: int) -> None:
    maps = activations(images=sum(sizes), seed=seed)
    for make in REDUCERS:
        whole = fed(make(), maps, [len(maps)]).compute("layer")
        split = fed(make(), maps, sizes).compute("layer")
        merged = make()
        first = 0
        for part, size in zip(maps.split(sizes), sizes, strict=True):
            merged.merge(fed(make(), part, [size], first))
            first += size
        equal(split, merged.compute("layer"), exact=True)
        equal(whole, split, exact=False)


def test_a_state_that_was_merged_is_left_as_it_was() -> None:
    maps = activations()
    for make in REDUCERS:
        part, whole = fed(make(), maps[:9], [9]), make()
        before = part.compute("layer")
        whole.merge(part)
        fed(whole, maps[9:], [14], first=9)
        equal(before, part.compute("layer"), exact=True)


def equal(one: object, other: object, exact: bool) -> None:
    if isinstance(one, TopK):
        assert isinstance(other, TopK)
        for name in ("value", "image", "y", "x"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    else:
        assert isinstance(one, Scalars)
        assert isinstance(other, Scalars)
        for name, column in one.columns.items():
            if exact:
                np.testing.assert_array_equal(column, other.columns[name])
            else:
                np.testing.assert_allclose(column, other.columns[name], rtol=1e-12, atol=1e-12)


@pytest.mark.cuda
def test_cuda_measures_what_the_cpu_does() -> None:
    maps = activations()
    for make in REDUCERS:
        equal(
            fed(make(), maps, [7, 16]).compute("l"),
            fed(make(), maps.cuda(), [7, 16]).compute("l"),
            exact=make is not Moments,
        )
