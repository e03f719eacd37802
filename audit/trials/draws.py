"""Pictures by their indices -> random numbers for each: the same whatever the batch, and whoever draws them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def normal(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Of mean 0 and standard deviation 1, in float32."""
    return random.standard_normal(shape, dtype=np.float32)


def drawn(indices: Sequence[int], shape: Sequence[int], seed: int, draw: Draw = normal) -> Float[Tensor, "image ..."]:
    """Numbers of that shape for each picture, drawn anew from (seed, index)."""
    return torch.from_numpy(np.stack([draw(np.random.default_rng([seed, index]), tuple(shape)) for index in indices]))
