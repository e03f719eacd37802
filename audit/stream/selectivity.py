"""Activations and labels -> which class each unit prefers, and how much of its activity classes explain."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.errors import Unavailable
from audit.records import Scalars
from audit.stream.reducer import Activations, wide

MOST_NUMBERS = 2**24
"""The state has a float64 for each unit and class: 128 MiB for so many. Larger ones are not measured."""


class Selectivity:
    """Mean of each unit's peak over the pictures of each class; only classes that have a picture count.

    The peak is the largest activation of the unit in a picture. `labels` are image index -> class, below `classes`;
    pictures without a label are left out.
    """

    def __init__(self, labels: Mapping[int, int], classes: int, most_numbers: int = MOST_NUMBERS) -> None:
        self.labels = labels
        self.classes = classes
        self.most_numbers = most_numbers
        self.units = 0
        self.count = 0
        self.pictures = np.zeros(classes, np.int64)
        self.sums: Float[Tensor, "class unit"] | None = None
        self.mean: Float[Tensor, " unit"]
        self.squares: Float[Tensor, " unit"]

    def update(self, batch: Activations) -> None:
        self.units = batch.maps.shape[1]
        truth = [(row, self.labels[image]) for row, image in enumerate(batch.images.tolist()) if image in self.labels]
        if not truth or self._too_large:
            return
        rows, labels = np.array(truth).T
        peaks = batch.summary.peak[torch.from_numpy(rows).to(batch.maps.device)]
        self._add(peaks.to(wide(peaks.device)), labels)

    def merge(self, other: "Selectivity") -> None:
        self.units = other.units or self.units
        if other.sums is None:
            return
        sums = self._room(other.sums)
        sums += other.sums
        self.pictures += other.pictures
        self._spread(other.count, other.mean, other.squares)

    def compute(self, layer: str) -> Scalars:
        """Per unit, each NaN (`preferred_class` -1) for a unit whose peak was not finite in some labelled picture:

        `preferred_class`: the one with the largest mean, the lowest of equals.
        `selectivity`: (largest mean - mean of the others) / (their sum), Morcos et al. 2018, from 0 to 1; NaN where a
        class has a negative mean, and where all are zero. The fewer pictures a class has, the larger by chance.
        `class_information`: share of the peak's variance that the class explains, corrected for chance (epsilon
        squared, Kelley 1935): 0 if classes say nothing, or by chance a little below, 1 if they say all, whatever the
        unit's sign and scale. NaN where no class has two pictures, or the unit is constant.

        Raises Unavailable without labelled pictures of two classes, and where the state would be too large.
        """
        means = self._means(layer)
        best = means.max(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            columns = {
                "preferred_class": np.where(
                    np.isfinite(means).all(axis=0), np.flatnonzero(self.pictures)[means.argmax(axis=0)], -1.0
                ),
                "selectivity": _index(means, best),
                "class_information": self._information(means),
            }
        return Scalars(layer, columns)

    @property
    def _too_large(self) -> bool:
        return self.units * self.classes > self.most_numbers

    def _add(self, peaks: Float[Tensor, "image unit"], labels: Int[np.ndarray, " image"]) -> None:
        """Each class is summed on its own: no two rows meet in the state, so sums never depend on who comes first."""
        classes, rows, counts = np.unique(labels, return_inverse=True, return_counts=True)
        member = torch.from_numpy(rows == np.arange(len(classes))[:, None]).to(peaks)
        self._room(peaks).index_add_(0, torch.from_numpy(classes).to(peaks.device), member @ peaks)
        self.pictures[classes] += counts
        mean = peaks.mean(dim=0)
        self._spread(len(peaks), mean, (peaks - mean).square().sum(dim=0))

    def _room(self, like: Float[Tensor, "_ unit"]) -> Float[Tensor, "class unit"]:
        """The sums, in the beginning zero."""
        if self.sums is None:
            self.sums = like.new_zeros(self.classes, self.units)
            self.mean, self.squares = like.new_zeros(self.units), like.new_zeros(self.units)
        return self.sums

    def _spread(self, count: int, mean: Float[Tensor, " unit"], squares: Float[Tensor, " unit"]) -> None:
        """Chan et al. 1979's update of mean and squared deviations of the peaks of all classes."""
        total, gap = self.count + count, mean - self.mean
        self.squares = self.squares + squares + gap.square() * (self.count * count / total)
        self.mean = self.mean + gap * (count / total)
        self.count = total

    def _means(self, layer: str) -> Float[np.ndarray, "class unit"]:
        """Of the classes that have a picture."""
        if self._too_large:
            raise Unavailable(
                f"{layer} has {self.units} units and there are {self.classes} classes; selectivity keeps a number for "
                f"each pair, at most {self.most_numbers}"
            )
        seen = self.pictures > 0
        if self.sums is None or seen.sum() < 2:
            raise Unavailable("selectivity compares classes, and there are no labelled pictures of two of them")
        return self.sums.double().cpu().numpy()[seen] / self.pictures[seen, None]

    def _information(self, means: Float[np.ndarray, "class unit"]) -> Float[np.ndarray, " unit"]:
        total = self.squares.double().cpu().numpy()
        if self.count <= len(means):
            return np.full(len(total), np.nan)
        gaps = np.square(means - self.mean.double().cpu().numpy())
        unexplained = np.clip(total - self.pictures[self.pictures > 0] @ gaps, 0, None)
        share = 1 - unexplained / (self.count - len(means)) / (total / (self.count - 1))
        return np.where(total > 0, share, np.nan)


def _index(means: Float[np.ndarray, "class unit"], best: Float[np.ndarray, " unit"]) -> Float[np.ndarray, " unit"]:
    rest = (means.sum(axis=0) - best) / (len(means) - 1)
    return np.where(means.min(axis=0) >= 0, (best - rest) / (best + rest), np.nan)
