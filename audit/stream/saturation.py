"""Activations -> at which share of all positions each unit is exactly as strong as it ever is."""

from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.data.compiled import compilable, compiled
from audit.records import Scalars
from audit.stream.reducer import Activations


class Saturation:
    """Largest value of each unit, and exactly at how many positions it was reached.

    A unit that meets a bound (ReLU6, sigmoid, hard-tanh) is there at many positions; one without reaches its maximum at
    one; one that is constant, a dead one too, at all. Only pictures whose peak is the maximum so far are looked
    through.
    """

    def __init__(self) -> None:
        self.positions = 0
        self.top: Float[Tensor, " unit"] | None = None
        self.reached: Int[Tensor, " unit"]

    def update(self, batch: Activations) -> None:
        part, summary = Saturation(), batch.summary
        part.positions = len(summary.peak) * batch.positions
        highest = summary.peak.amax(dim=0)
        part.top = highest if self.top is None else torch.maximum(highest, self.top)
        part.reached = _reached(batch, part.top)
        self.merge(part)

    def merge(self, other: "Saturation") -> None:
        if other.top is None:
            return
        self.positions += other.positions
        if self.top is None:
            self.top, self.reached = other.top, other.reached
            return
        top = torch.maximum(self.top, other.top)
        self.reached = self.reached * (self.top == top) + other.reached * (other.top == top)
        self.top = top

    def compute(self, layer: str) -> Scalars:
        """`share_at_max`; NaN for a unit that was NaN, or plus infinity, anywhere."""
        assert self.top is not None, "nothing was seen"
        share = self.reached.double() / self.positions
        return Scalars(layer, {"share_at_max": share.where(self.top.isfinite(), torch.nan).cpu().numpy()})


def _reached(batch: Activations, top: Float[Tensor, " unit"]) -> Int[Tensor, " unit"]:
    """At how many positions of the batch each unit is exactly at `top`."""
    if not compilable(batch.maps):
        return (batch.maps == top[:, None, None]).sum(dim=(0, 2, 3))
    reached = torch.zeros(len(top), dtype=torch.int64)
    rows = batch.maps.detach().permute(0, 2, 3, 1).flatten(1, 2)
    extremes = batch.summary.peak.numpy(), batch.summary.minimum.numpy()
    compiled(_look_through)(rows.numpy(), *extremes, top.numpy(), reached.numpy())
    return reached


@no_type_check
def _look_through(rows, peak, minimum, top, reached):
    positions, units = rows.shape[1:]
    by_unit = rows.strides[1] < rows.strides[2]
    active = np.empty(units, np.int64)
    for image in range(rows.shape[0]):
        found = 0
        for unit in range(units):
            if peak[image, unit] != top[unit]:
                continue
            if minimum[image, unit] == top[unit]:
                reached[unit] += positions
            else:
                active[found] = unit
                found += 1
        if by_unit:
            for number in range(found):
                unit = active[number]
                for position in range(positions):
                    reached[unit] += rows[image, position, unit] == top[unit]
        elif found > 0:
            for position in range(positions):
                for number in range(found):
                    unit = active[number]
                    reached[unit] += rows[image, position, unit] == top[unit]
