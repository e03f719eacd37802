"""Activations -> how sparse and how local each unit's maps are, and how strong they are as a whole."""

from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.data.compiled import compilable, compiled
from audit.records import Scalars
from audit.stream.reducer import Activations, wide
from audit.stream.sampling import hashed

ALWAYS, ONE_IN = 64, 8
"""Sparseness and spread look at the pictures 0 to 63, and at one in eight of the others, chosen by their index."""

UNITS = 256
"""Units that are summed together: their sums stay in the cache, and in one array, else nothing is vectorized."""

SQUARE, X, FAR, Y = (np.uintp(UNITS * place) for place in range(1, 5))


class Maps:
    """Means over pictures of what a unit's map looks like; sums of float64 and exact counts.

    Trained rectified units end sparse and local (CS231n, Visualizing what ConvNets learn): few positions fire, close to
    one another. Both are about the positive part of the map, in the pictures where there is one.
    """

    def __init__(self) -> None:
        self.images = 0
        self.positions = 0
        self.norm: Float[Tensor, " unit"] | None = None
        self.norm_squares: Float[Tensor, " unit"]
        self.firing: Int[Tensor, " unit"]
        self.positive: Int[Tensor, " unit"]
        self.shapes: Float[Tensor, "3 unit"]

    def update(self, batch: Activations) -> None:
        part, summary = Maps(), batch.summary
        part.images, part.positions = len(summary.peak), batch.positions
        double = wide(summary.mean.device)
        norm = (summary.squares.to(double) + summary.mean.to(double).square() * batch.positions).sqrt()
        part.norm = norm.mean(dim=0)
        part.norm_squares = (norm - part.norm).square().sum(dim=0)
        part.firing, part.positive = (summary.positive > 0).sum(dim=0), summary.positive.long().sum(dim=0)
        part.shapes = _shapes(batch)
        self.merge(part)

    def merge(self, other: "Maps") -> None:
        if other.norm is None:
            return
        if self.norm is None:
            self.images, self.positions = other.images, other.positions
            self.norm, self.norm_squares = other.norm, other.norm_squares
            self.firing, self.positive, self.shapes = other.firing, other.positive, other.shapes
            return
        images, gap = self.images + other.images, other.norm - self.norm
        self.norm_squares = self.norm_squares + other.norm_squares
        self.norm_squares = self.norm_squares + gap.square() * (self.images * other.images / images)
        self.norm = self.norm + gap * (other.images / images)
        self.firing, self.positive = self.firing + other.firing, self.positive + other.positive
        self.shapes = self.shapes + other.shapes
        self.images = images

    def compute(self, layer: str) -> Scalars:
        """Per unit, NaN for one that was not finite anywhere:

        `map_norm`, `map_norm_std`: mean and standard deviation over the pictures of the map's Euclidean norm.
        `share_when_firing`: of the positions in pictures with a positive one, those that are positive; NaN if none is.
        `sparseness`: (1 - mean**2 / mean square) / (1 - 1 / positions) of the positive part (Treves and Rolls 1991;
        Vinje and Gallant 2000), the mean over pictures: 0 if all positions are equal, 1 if only one fires.
        `spread`: root of the mean squared distance from the centroid, weighted by the positive part, relative to that
        of a map of equal numbers: 0 at a single position, 1 if everywhere alike; the mean over pictures.

        The last two are NaN where a map has one position, or never fires. A sequence is a map one position wide.
        """
        assert self.norm is not None, "nothing was seen"
        looked, sparseness, spread = self.shapes
        columns = {
            "map_norm": self.norm,
            "map_norm_std": (self.norm_squares / self.images).sqrt(),
            "share_when_firing": self.positive / (self.firing * self.positions),
            "sparseness": sparseness / looked,
            "spread": spread / looked,
        }
        readable = self.norm.isfinite()
        return Scalars(layer, {n: c.double().where(readable, torch.nan).cpu().numpy() for n, c in columns.items()})


def looked_at(images: Int[Tensor, " image"]) -> Int[np.ndarray, " looked"]:
    """The rows of those images whose maps are looked through."""
    indices = np.array(images.tolist(), dtype=np.int64)
    return np.flatnonzero((indices < ALWAYS) | (hashed(indices) % ONE_IN == 0))


def _shapes(batch: Activations) -> Float[Tensor, "3 unit"]:
    """Over the chosen pictures in which a unit fires: their number, the sums of sparseness and of spread."""
    rows, device = looked_at(batch.images), batch.maps.device
    if not len(rows) or batch.positions == 1:
        return torch.zeros(3, batch.maps.shape[1], dtype=wide(device), device=device)
    if not compilable(batch.maps):
        return _shapes_of(batch.maps[torch.from_numpy(rows).to(device, non_blocking=True)])
    shapes = torch.zeros(3, batch.maps.shape[1], dtype=torch.float64)
    compiled(_add_shapes)(batch.maps.detach().permute(0, 2, 3, 1).numpy(), rows, shapes.numpy())
    return shapes


def _shapes_of(maps: Float[Tensor, "image unit y x"]) -> Float[Tensor, "3 unit"]:
    positive = maps.clamp_min(0).to(wide(maps.device))
    height, width = maps.shape[2:]
    y = torch.arange(height, device=maps.device)[:, None] - (height - 1) / 2
    x = torch.arange(width, device=maps.device) - (width - 1) / 2
    weights = (torch.ones_like(x), positive, y, x, y.square() + x.square())
    total, squares, y, x, far = ((positive * weight).sum(dim=(2, 3)) for weight in weights)
    sparseness = (1 - total.square() / squares / (height * width)) / (1 - 1 / (height * width))
    square = (far / total - (y / total).square() - (x / total).square()).clamp_min(0)
    spread = (square / ((height**2 + width**2 - 2) / 12)).sqrt()
    fires = total > 0
    return torch.stack([part.where(fires, 0).sum(dim=0) for part in (torch.ones_like(total), sparseness, spread)])


@no_type_check
def _add_shapes(maps, rows, shapes):
    _, height, width, units = maps.shape
    size, even = height * width, (height**2 + width**2 - 2) / 12
    nothing = np.zeros(1, maps.dtype)[0]
    along, sums = np.empty(4 * UNITS, maps.dtype), np.empty(5 * UNITS)
    for image in rows:
        for first in range(0, units, UNITS):
            count = np.uintp(min(UNITS, units - first))
            sums[:] = 0
            for row in range(height):
                y = row - (height - 1) / 2
                along[:] = 0
                for column in range(width):
                    x = maps.dtype.type(column - (width - 1) / 2)
                    values = maps[image, row, column, first : first + count]
                    for unit in range(count):
                        value = values[unit] if values[unit] > nothing else nothing
                        along[unit] += value
                        along[unit + SQUARE] += value * value
                        along[unit + X] += value * x
                        along[unit + FAR] += value * (x * x)
                for unit in range(count):
                    total = np.float64(along[unit])
                    sums[unit] += total
                    sums[unit + SQUARE] += along[unit + SQUARE]
                    sums[unit + X] += along[unit + X]
                    sums[unit + FAR] += along[unit + FAR] + total * y * y
                    sums[unit + Y] += total * y
            for unit in range(count):
                total = sums[unit]
                if total > 0:
                    square = sums[unit + FAR] / total - (sums[unit + Y] / total) ** 2 - (sums[unit + X] / total) ** 2
                    shapes[0, first + unit] += 1
                    shapes[1, first + unit] += (1 - total * total / sums[unit + SQUARE] / size) / (1 - 1 / size)
                    shapes[2, first + unit] += (max(square, 0.0) / even) ** 0.5
