"""Activations -> how strongly each unit answers to a few pictures: what units are recognised by in another model."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.records import Responses
from audit.stream.reducer import Activations

PICTURES = 256
"""Pictures that are answered to, evenly spread over all."""


class Answering:
    """The strongest activation of each unit anywhere in a picture, float32, of at most `PICTURES` of `images` pictures.

    Which pictures these are depends on their number alone, so runs on the same pictures can be compared. Of means over
    positions units of a layer have more in common: the most alike correlate with 0.6, of maxima with 0.4 (medians over
    a residual network's convolutions).
    """

    def __init__(self, images: int) -> None:
        self.chosen = spread(images)
        self.images: list[Int[Tensor, " image"]] = []
        self.values: list[Float[Tensor, "image unit"]] = []
        self.units = 0

    def update(self, batch: Activations) -> None:
        rows = torch.from_numpy(np.flatnonzero(np.isin(batch.images.numpy(), self.chosen)))
        self.units = batch.maps.shape[1]
        if len(rows):
            self.images.append(batch.images[rows])
            self.values.append(batch.summary.peak[rows.to(batch.maps.device, non_blocking=True)].float())

    def merge(self, other: "Answering") -> None:
        self.images = self.images + other.images
        self.values = self.values + other.values
        self.units = max(self.units, other.units)

    def compute(self, layer: str) -> Responses:
        """Pictures ascending; none where none of them could be shown."""
        if not self.images:
            return Responses(layer, np.zeros(0, np.int64), np.zeros((self.units, 0), np.float32))
        images = torch.cat(self.images)
        order = images.argsort()
        values = torch.cat(self.values).cpu()[order]
        return Responses(layer, images[order].numpy(), np.ascontiguousarray(values.T.numpy()))


def spread(images: int) -> Int[np.ndarray, " image"]:
    """The indices of the pictures that are answered to."""
    count = min(images, PICTURES)
    return np.arange(count) * images // max(count, 1)
