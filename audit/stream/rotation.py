"""Activations and labels -> how pure units are, and as many random directions of the same layer (Szegedy et al. 2014).

A random rotation of a layer's space holds what the layer holds, and has no units: if units are special, they are purer
than its directions (Bau et al. 2017, section 3.2).
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from audit.errors import Unavailable
from audit.records import Table
from audit.stream.reducer import Activations
from audit.stream.selectivity import Selectivity
from audit.stream.strongest import Strongest

MOST_UNITS = 4096
"""A rotation has a number for each pair of units."""

STRONGEST = 9
FEWEST = 5
"""Strong pictures with a label, without which nothing is said of a unit's purity."""


def rotation(units: int, seed: int) -> Float[np.ndarray, "direction unit"]:
    """Orthonormal rows, uniform over all rotations and reflections (Mezzadri 2007): as many directions as units."""
    made, scale = np.linalg.qr(np.random.default_rng(seed).normal(size=(units, units)))
    return np.asarray((made * np.sign(np.diag(scale))).T)


class Rotation:
    """What is kept of units, kept of random directions too: their strongest pictures and how they answer to classes.

    A direction's activation is the weighted sum of the units at each position, of the layer as it is measured: name the
    ReLU, as Szegedy et al. do, or the convolution before it. `labels` are image index -> class, below `classes`.
    """

    def __init__(self, labels: Mapping[int, int], classes: int, seed: int) -> None:
        self.labels, self.seed = labels, seed
        self.strongest = Strongest(STRONGEST), Strongest(STRONGEST)
        self.selectivity = Selectivity(labels, classes), Selectivity(labels, classes)
        self.units = 0
        self._rotation: Tensor | None = None

    def update(self, batch: Activations) -> None:
        self.units = batch.maps.shape[1]
        if self.units > MOST_UNITS:
            return
        for who, seen in enumerate((batch, Activations(self._rotated(batch.maps), batch.images))):
            self.strongest[who].update(seen)
            self.selectivity[who].update(seen)

    def merge(self, other: "Rotation") -> None:
        self.units = other.units or self.units
        for who in range(2):
            self.strongest[who].merge(other.strongest[who])
            self.selectivity[who].merge(other.selectivity[who])

    def compute(self, layer: str) -> Table:
        """Table "directions", a row per unit and then per direction: `layer`, `of` ("unit" or "direction"), `index`,
        `purity` and `class_information` (`Selectivity`).

        `purity`: of the labelled ones among the nine strongest pictures, the share that has their most frequent label.
        A picture on which the unit is no more than on any other is none of its strongest. NaN with fewer than five.
        Unavailable for layers of more than `MOST_UNITS` units, and as `Selectivity`.
        """
        if self.units > MOST_UNITS:
            raise Unavailable(f"{layer} has {self.units} units; a rotation of more than {MOST_UNITS} is not measured")
        information = [each.compute(layer).columns["class_information"] for each in self.selectivity]
        purity = [self._purity(each, layer) for each in self.strongest]
        return Table(
            "directions",
            {
                "layer": np.full(2 * self.units, layer),
                "of": np.repeat(["unit", "direction"], self.units),
                "index": np.tile(np.arange(self.units), 2),
                "purity": np.concatenate(purity),
                "class_information": np.concatenate(information),
            },
        )

    def _rotated(self, maps: Float[Tensor, "image unit y x"]) -> Float[Tensor, "image direction y x"]:
        """In float32 at least."""
        numbers = torch.promote_types(maps.dtype, torch.float32)
        if self._rotation is None:
            self._rotation = torch.from_numpy(rotation(self.units, self.seed)).to(maps.device, numbers)
        turned: Float[Tensor, "image direction y x"] = (self._rotation @ maps.flatten(2).to(numbers)).view(maps.shape)
        return turned

    def _purity(self, strongest: Strongest, layer: str) -> Float[np.ndarray, " unit"]:
        found = strongest.compute(layer)
        assert strongest.kept is not None
        least = strongest.kept.least.float().cpu().numpy()
        images = np.where(found.value > least[:, None], found.image, -1)
        return np.array([purity([self.labels[image] for image in row if image in self.labels]) for row in images])


def purity(labels: list[int]) -> float:
    """Share of the most frequent label; NaN of fewer than `FEWEST`."""
    return (
        float(np.unique(labels, return_counts=True)[1].max() / len(labels)) if len(labels) >= FEWEST else float("nan")
    )
