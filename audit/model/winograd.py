"""A 3 x 3 convolution of many units -> the same with a quarter of the products, on a CPU.

Four by four outputs are made of six by six inputs: both inputs and weights are transformed, multiplied unit by unit at
each of 36 places, and transformed back (Lavin and Gray 2016, "Fast algorithms for convolutional neural networks",
F(4 x 4, 3 x 3), section 4.1). In float32 it is off by about 1e-5 of the largest output, an ordinary one by 1e-6.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

FEWEST_UNITS, FEWEST_TILES = 256, 64
"""Fewer of them are convolved faster in the ordinary way."""

INPUT = [
    [4.0, 0.0, -5.0, 0.0, 1.0, 0.0],
    [0.0, -4.0, -4.0, 1.0, 1.0, 0.0],
    [0.0, 4.0, -4.0, -1.0, 1.0, 0.0],
    [0.0, -2.0, -1.0, 2.0, 1.0, 0.0],
    [0.0, 2.0, -1.0, -2.0, 1.0, 0.0],
    [0.0, 4.0, 0.0, -5.0, 0.0, 1.0],
]
WEIGHT = [
    [1 / 4, 0.0, 0.0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0.0, 0.0, 1.0],
]
OUTPUT = [
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
    [0.0, 1.0, -1.0, 2.0, -2.0, 0.0],
    [0.0, 1.0, 1.0, 4.0, 4.0, 0.0],
    [0.0, 1.0, -1.0, 8.0, -8.0, 1.0],
]
Prepared = Float[Tensor, "36 unit out"]


def suits(weight: Float[Tensor, "out unit ky kx"]) -> bool:
    """Whether a convolution of stride 1 by this weight is faster so, where there is enough to convolve."""
    units = min(weight.shape[:2])
    of_a_cpu = weight.device.type == "cpu" and weight.dtype == torch.float32
    return of_a_cpu and weight.shape[2:] == (3, 3) and units >= FEWEST_UNITS


def prepared(weight: Float[Tensor, "out unit 3 3"]) -> Prepared:
    """The weights at each of the 36 places; made in float64 and rounded once."""
    way = torch.tensor(WEIGHT, dtype=torch.float64, device=weight.device)
    made = torch.einsum("ai,bj,kcij->abck", way, way, weight.double())
    return made.flatten(0, 1).to(weight.dtype).contiguous()


def tiles(size: tuple[int, int]) -> tuple[int, int]:
    """How many tiles of outputs a map of that size, without padding, has down and across."""
    return -(-(size[0] - 2) // 4), -(-(size[1] - 2) // 4)


def convolved(maps: Float[Tensor, "image unit y x"], places: Prepared) -> Float[Tensor, "image out oy ox"]:
    """The convolution without padding, in channels_last memory."""
    (images, units, height, width), (down, across) = maps.shape, tiles((maps.shape[2], maps.shape[3]))
    filled = (
        functional.pad(maps, (0, 4 * across + 2 - width, 0, 4 * down + 2 - height)).permute(0, 2, 3, 1).contiguous()
    )
    image, row, column, _ = filled.stride()
    steps = row, column, image, 4 * row, 4 * column, 1
    tiled = filled.as_strided((6, 6, images, down, across, units), steps).reshape(36, -1)
    inputs = _both_axes(INPUT, maps) @ tiled
    products = torch.bmm(inputs.view(36, -1, units), places)
    outputs = (_both_axes(OUTPUT, maps) @ products.flatten(1)).view(4, 4, images, down, across, -1)
    whole = outputs.permute(2, 3, 0, 4, 1, 5).reshape(images, 4 * down, 4 * across, -1)
    return whole[:, : height - 2, : width - 2].permute(0, 3, 1, 2)


def _both_axes(way: list[list[float]], like: Tensor) -> Float[Tensor, "to from"]:
    matrix = torch.tensor(way, dtype=like.dtype, device=like.device)
    return torch.kron(matrix, matrix)
