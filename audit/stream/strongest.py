"""Activations -> the images on which each unit is strongest, with value and position, one position per image."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.records import TopK
from audit.stream.reducer import Activations

KEPT = 9


class Strongest:
    """Exact top 9 per unit; of equal values the earlier image wins. A NaN is never strongest."""

    def __init__(self) -> None:
        self.value: Float[Tensor, "k unit"] | None = None
        self.image: Int[Tensor, "k unit"]
        self.where: Int[Tensor, "k unit"]
        self.width = 1

    def update(self, batch: Activations) -> None:
        part = Strongest()
        part.width = batch.maps.shape[3]
        part.value = batch.summary.peak.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
        part.image = batch.images.to(part.value.device)[:, None].expand(part.value.shape)
        part.where = batch.summary.where
        self.merge(part)

    def merge(self, other: "Strongest") -> None:
        if other.value is None:
            return
        self.width = other.width
        parts = [other] if self.value is None else [self, other]
        value = torch.cat([part.value for part in parts if part.value is not None])
        order = value.sort(dim=0, descending=True, stable=True).indices[:KEPT]
        self.image = torch.cat([part.image for part in parts]).gather(0, order)
        self.where = torch.cat([part.where for part in parts]).gather(0, order)
        self.value = value.gather(0, order)

    def compute(self, layer: str) -> TopK:
        assert self.value is not None, "nothing was seen"
        value = _filled(self.value.float(), -torch.inf)
        image = _filled(self.image, -1).where(value > -torch.inf, -1)
        where = _filled(self.where, 0)
        return TopK(
            layer,
            value.T.cpu().numpy(),
            image.T.cpu().numpy(),
            (where // self.width).T.cpu().numpy(),
            (where % self.width).T.cpu().numpy(),
        )


def _filled(state: Tensor, filler: float | int) -> Tensor:
    """Exactly 9 rows, the missing ones filled."""
    missing = KEPT - state.shape[0]
    return torch.cat([state, state.new_full((missing, state.shape[1]), filler)]) if missing > 0 else state
