"""What the tests of reducers share: noise with units of known faults, and ways to feed it."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from hypothesis import strategies as st

from audit.records import Histogram, Scalars, Table
from audit.stream.reducer import Activations, Reducer

R = TypeVar("R", bound=Reducer)

SIZES = st.lists(st.integers(1, 6), min_size=2, max_size=8)
SEEDS = st.integers(0, 2**31)
LAYOUTS = [torch.contiguous_format, torch.channels_last]


def noise(images: int = 23, units: int = 5, size: tuple[int, int] = (4, 3), seed: int = 0) -> torch.Tensor:
    """Rectified normal noise whose unit 2 is dead."""
    maps = torch.from_numpy(np.random.default_rng(seed).normal(size=(images, units, *size))).float().relu()
    maps[:, 2] = 0
    return maps


def fed(reducer: R, maps: torch.Tensor, *sizes: int, first: int = 0) -> R:
    for part in maps.split(list(sizes) or [len(maps)]):
        reducer.update(Activations(part, torch.arange(first, first + len(part))))
        first += len(part)
    return reducer


def merged(make: Callable[[], R], maps: torch.Tensor, sizes: list[int]) -> R:
    """A reducer that takes the states of the parts in their order."""
    state, first = make(), 0
    for part in maps.split(sizes):
        state.merge(fed(make(), part, first=first))
        first += len(part)
    return state


def arrays(record: Any) -> dict[str, np.ndarray]:
    if isinstance(record, Histogram):
        return {"edges": record.edges, "counts": record.counts}
    assert isinstance(record, Scalars | Table)
    return dict(record.columns)


def same(one: Any, other: Any, tolerance: float = 0) -> None:
    """All columns agree, to `tolerance` relative and, near zero, absolute; exactly if it is 0."""
    left, right = arrays(one), arrays(other)
    assert left.keys() == right.keys()
    for name, column in left.items():
        np.testing.assert_allclose(column, right[name], rtol=tolerance, atol=tolerance, err_msg=name)
