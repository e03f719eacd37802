"""Reducers against slow float64 definitions; however the images are split, the records are the same."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import Unavailable
from audit.records import Scalars, TopK
from audit.stream.accuracy import Accuracy
from audit.stream.firing import Firing
from audit.stream.moments import Moments
from audit.stream.reducer import AT_ONCE, Activations, Reducer
from audit.stream.strongest import KEPT, Strongest

REDUCERS: tuple[Callable[[], Reducer], ...] = (Moments, Firing, Strongest)


def activations(images: int = 23, units: int = 5, size: tuple[int, int] = (4, 3), seed: int = 0) -> torch.Tensor:
    """Rectified noise whose unit 2 is dead and whose unit 3 is far from zero."""
    maps = torch.from_numpy(np.random.default_rng(seed).normal(size=(images, units, *size))).float().relu()
    maps[:, 2] = 0
    maps[:, 3] += 100
    return maps


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


def test_fewer_images_than_places_leave_places_empty() -> None:
    found = fed(Strongest(), activations(images=3), [3]).compute("layer")
    assert isinstance(found, TopK)
    assert (found.image[:, :3] >= 0).all()
    assert (found.image[:, 3:] == -1).all()


def test_a_nan_is_never_strongest() -> None:
    maps = activations()
    maps[5, 0, 1, 1] = torch.nan
    found = fed(Strongest(), maps, [23]).compute("layer")
    assert isinstance(found, TopK)
    assert 5 not in found.image[0]
    assert np.isfinite(found.value[0]).all()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_summary_of_many_parts_is_that_of_each_map(layout: torch.memory_format, dtype: torch.dtype) -> None:
    maps = activations(images=9, units=40, size=(33, 29)).to(dtype).to(memory_format=layout)
    assert maps.numel() > 2 * AT_ONCE["cpu"]
    maps[3, 5, 2, 2], maps[4, 1, 7, 8] = torch.nan, 900.0
    maps[4, 1, 20, 3] = 900.0
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = Activations(maps, torch.arange(9)).summary
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    for image, unit in np.ndindex(9, 40):
        plain = maps[image, unit].double().numpy()
        if (image, unit) == (3, 5):
            assert bool(found.peak[image, unit].isnan())
            continue
        assert float(found.mean[image, unit]) == pytest.approx(plain.mean(), rel=1e-6)
        assert float(found.squares[image, unit]) == pytest.approx(plain.size * plain.var(), rel=1e-5, abs=1e-9)
        assert float(found.minimum[image, unit]) == plain.min()
        assert float(found.peak[image, unit]) == plain.max()
        assert int(found.positive[image, unit]) == (plain > 0).sum()
        assert int(found.where[image, unit]) == plain.argmax()


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
                np.testing.assert_allclose(column, other.columns[name], rtol=1e-9, atol=1e-12)


def test_accuracy_counts_only_what_has_a_label() -> None:
    outputs = torch.eye(6)[[0, 1, 2, 3, 4]] + torch.arange(6) * 0.01
    reducer = Accuracy({0: 0, 1: 1, 2: 5, 4: 0})
    fed(reducer, outputs[:, :, None, None], [2, 3])
    assert reducer.compute("fc").values == {"labelled_images": 4.0, "top1": 0.5, "top5": 0.75}


def test_outputs_that_are_not_finite_are_never_right() -> None:
    outputs = torch.eye(6)[[0, 1]]
    outputs[0, 3] = torch.nan
    reducer = Accuracy({0: 0, 1: 1})
    fed(reducer, outputs[:, :, None, None], [2])
    assert reducer.compute("fc").values["top1"] == 0.5


def test_accuracy_without_labels_is_unavailable_not_zero() -> None:
    reducer = Accuracy({})
    fed(reducer, torch.eye(6)[:, :, None, None], [6])
    with pytest.raises(Unavailable, match="label"):
        reducer.compute("fc")


@pytest.mark.cuda
def test_cuda_measures_what_the_cpu_does() -> None:
    maps = activations()
    for make in REDUCERS:
        equal(
            fed(make(), maps, [7, 16]).compute("l"),
            fed(make(), maps.cuda(), [7, 16]).compute("l"),
            exact=make is not Moments,
        )
