"""Activations -> share of images and share of positions on which each unit fires (is above zero)."""

import torch
from jaxtyping import Int
from torch import Tensor

from audit.records import Scalars
from audit.stream.reducer import Activations


class Firing:
    """Counts, exactly, the images with a positive activation anywhere, and the positive positions."""

    def __init__(self) -> None:
        self.images = 0
        self.positions = 0
        self.firing_images: Int[Tensor, " unit"] | int = 0
        self.firing_positions: Int[Tensor, " unit"] | int = 0

    def update(self, batch: Activations) -> None:
        self.images += len(batch.maps)
        self.positions += len(batch.maps) * batch.positions
        self.firing_images = self.firing_images + batch.totals.firing
        self.firing_positions = self.firing_positions + batch.totals.positive

    def merge(self, other: "Firing") -> None:
        self.images += other.images
        self.positions += other.positions
        self.firing_images = self.firing_images + other.firing_images
        self.firing_positions = self.firing_positions + other.firing_positions

    def compute(self, layer: str) -> Scalars:
        columns = {
            "share_of_images": torch.as_tensor(self.firing_images).double() / self.images,
            "share_of_positions": torch.as_tensor(self.firing_positions).double() / self.positions,
        }
        return Scalars(layer, {name: column.cpu().numpy() for name, column in columns.items()})
