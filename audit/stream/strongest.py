"""Activations -> the images on which each unit is strongest or weakest, with value and position, one for each image."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.records import TopK
from audit.stream import kept
from audit.stream.kernels import cpu
from audit.stream.reducer import Activations
from audit.stream.summary import Summary

KEPT = 9


class Strongest:
    """Exactly the `count` images with the largest peak of each unit; of equal peaks the earlier image wins.

    A NaN is never strongest. A unit whose peak is the same on all images, as a dead one's, has no strongest image:
    there `image` is -1 and `value` its peak. Where nothing was to be kept, `value` is minus infinity.
    """

    end: Literal["strongest", "weakest"] = "strongest"
    sign = 1

    def __init__(self, count: int = KEPT) -> None:
        self.count = count
        self.images = 0
        self.width = 1
        self.kept: kept.Kept | None = None

    def update(self, batch: Activations) -> None:
        summary = batch.summary
        value, at = self._extreme(summary)
        self.images += len(value)
        self.width = batch.maps.shape[3]
        if self.kept is None:
            self.kept = kept.nothing(value.shape[1], self.count, value.dtype, value.device)
        if summary.rows is None:
            self.kept.enter(kept.batch(self.sign * value, batch.images, at))
        else:
            cpu.keep(summary.rows, value, at, batch.images, sign=self.sign, kept=self.kept)

    def merge(self, other: "Strongest") -> None:
        if other.kept is None:
            return
        self.images += other.images
        self.width = other.width
        if self.kept is None:
            self.kept = kept.nothing(len(other.kept.value), self.count, other.kept.value.dtype, other.kept.value.device)
        self.kept.enter(other.kept)

    def compute(self, layer: str) -> TopK:
        assert self.kept is not None, "nothing was seen"
        value, where = self.kept.value.float(), self.kept.where
        missing = (value == -torch.inf) | self._constant(self.kept)[:, None]
        return TopK(
            layer,
            (self.sign * value).cpu().numpy(),
            self.kept.image.where(~missing, -1).cpu().numpy(),
            (where // self.width).cpu().numpy(),
            (where % self.width).cpu().numpy(),
            self.end,
        )

    def _constant(self, found: kept.Kept) -> Tensor:
        """Whether a unit says the same of all images; a single image tells nothing."""
        return (found.least == found.value[:, 0]) & (self.images > 1)

    def _extreme(self, summary: Summary) -> tuple[Float[Tensor, "image unit"], Int[Tensor, "image unit"]]:
        return summary.peak, summary.peak_at


class Weakest(Strongest):
    """Exactly the `count` images with the smallest minimum of each unit, smallest first; else as `Strongest`.

    Where nothing was to be kept, `value` is plus infinity.
    """

    end = "weakest"
    sign = -1

    def _extreme(self, summary: Summary) -> tuple[Float[Tensor, "image unit"], Int[Tensor, "image unit"]]:
        return summary.minimum, summary.minimum_at
