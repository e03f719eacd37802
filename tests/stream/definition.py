"""The definition of a summary, slow and in float64, and activations that are hard to summarize.

As a program, under TRITON_INTERPRET=1, it holds the CUDA kernel against the definition on the CPU.
"""

from itertools import product

import numpy as np
import torch

from audit.stream.kernels import cuda
from audit.stream.summary import Summary

LAYOUTS = ("contiguous", "channels_last", "every second", "tokens")
SHAPES = ((3, 5, 9, 7), (2, 300, 4, 3), (2, 3, 33, 29), (4, 17, 1, 1))
INTERPRETED = ((3, 10, 9, 7), (1, 66, 4, 3), (1, 3, 33, 29), (2, 5, 1, 1))
TYPES = (torch.float32, torch.bfloat16, torch.float16)

NAN, PLUS, MINUS, BOTH = range(4)
"""Units of the first image with a NaN, infinities of one sign, and of both; a shape with 3 units has no BOTH."""


def unruly(shape: tuple[int, ...], layout: str, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Noise with rectified, dead, far, tiny, huge and constant units, and NaN and infinities in the first image."""
    maps = torch.from_numpy(np.random.default_rng(0).normal(size=shape)).float()
    maps[:, 0].relu_()
    for unit, (scale, shift) in enumerate([(1, 1000), (1e-3, -1), (0, 0.1), (0, 0)]):
        maps[:, 1 + unit :: 9] = maps[:, 1 + unit :: 9] * scale + shift
    if dtype == torch.float32 and shape[1] > 6:
        maps[:, 5] *= 1e-25
        maps[:, 6] *= 1e25
    maps = maps.to(dtype)
    maps[0, NAN, -1, -1], maps[0, PLUS, 0, -1], maps[0, MINUS, -1, 0] = torch.nan, torch.inf, -torch.inf
    if shape[1] > BOTH:
        maps[0, BOTH, 0, 0], maps[0, BOTH, -1, -1] = -torch.inf, torch.inf
    return _laid_out(maps, layout)


def _laid_out(maps: torch.Tensor, layout: str) -> torch.Tensor:
    images, units, height, width = maps.shape
    match layout:
        case "contiguous":
            return maps
        case "channels_last":
            return maps.to(memory_format=torch.channels_last)
        case "every second":
            wide = torch.full((images, units, height, 2 * width), torch.nan, dtype=maps.dtype)
            wide[..., ::2] = maps
            return wide[..., ::2]
        case "tokens":
            return maps.flatten(2).transpose(1, 2).contiguous().transpose(1, 2)[:, :, :, None]
    raise ValueError(layout)


def agrees(found: Summary, maps: torch.Tensor) -> None:
    """Extremes, their places and counts are exact; mean and squares are right to 1e-6 of what they are made of."""
    with np.errstate(invalid="ignore"):
        for image, unit in np.ndindex(*maps.shape[:2]):
            _agrees(_at(found, image, unit), maps[image, unit].double().numpy().ravel(), found, (image, unit))


def _at(found: Summary, image: int, unit: int) -> dict[str, float]:
    names = ("mean", "squares", "minimum", "peak", "minimum_at", "peak_at", "positive")
    return {name: getattr(found, name)[image, unit].item() for name in names}


def _agrees(found: dict[str, float], values: np.ndarray, summary: Summary, place: tuple[int, int]) -> None:
    mean, squares, deviation = values.mean(), values.size * values.var(), values.std()
    assert found["positive"] == (values > 0).sum(), place
    np.testing.assert_allclose(found["mean"], mean, rtol=1e-6, atol=1e-6 * np.nan_to_num(deviation), err_msg=str(place))
    np.testing.assert_allclose(found["squares"], squares, rtol=2e-6, err_msg=str(place))
    np.testing.assert_equal([found["minimum"], found["peak"]], [values.min(), values.max()], err_msg=str(place))
    if not np.isnan(values).any():
        assert found["minimum_at"] == values.argmin() // summary.span, place
        assert found["peak_at"] == values.argmax() // summary.span, place


def main() -> None:
    """Every layout and type through the CUDA kernel; prints how many cases, so that none is not all."""
    cases = list(product(INTERPRETED, LAYOUTS, (torch.float32,))) + [
        (SHAPES[0], "channels_last", kind) for kind in TYPES
    ]
    for shape, layout, dtype in cases:
        maps = unruly(shape, layout, dtype)
        agrees(cuda.summarize(maps), maps)
    print(f"{len(cases)} agree")


if __name__ == "__main__":
    main()
