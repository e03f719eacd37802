"""The largest numbers of each unit that were seen so far, with the images and positions they come from."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass
class Kept:
    """The k largest per unit, largest first, and of equal ones the earlier first; `least` is the smallest ever seen.

    Places without a number hold minus infinity and image -1.
    """

    value: Float[Tensor, "unit k"]
    image: Int[Tensor, "unit k"]
    where: Int[Tensor, "unit k"]
    least: Float[Tensor, " unit"]

    def enter(self, later: "Kept") -> None:
        """Takes what was seen later; all stays on the device, which nobody waits for."""
        value = torch.cat([self.value, later.value], dim=1)
        order = value.sort(dim=1, descending=True, stable=True).indices[:, : self.value.shape[1]]
        self.value = value.gather(1, order)
        self.image = torch.cat([self.image, later.image], dim=1).gather(1, order)
        self.where = torch.cat([self.where, later.where], dim=1).gather(1, order)
        self.least = torch.minimum(self.least, later.least)


def nothing(units: int, kept: int, kind: torch.dtype, device: torch.device) -> Kept:
    """What is kept before anything was seen."""
    image = torch.full((units, kept), -1, device=device)
    value = torch.full((units, kept), -torch.inf, dtype=kind, device=device)
    return Kept(value, image, torch.zeros_like(image), value.new_full((units,), torch.inf))


def batch(value: Float[Tensor, "image unit"], images: Int[Tensor, " image"], where: Int[Tensor, "image unit"]) -> Kept:
    """One number of each image; a NaN is never among the largest, nor the smallest."""
    image = images.to(value.device, non_blocking=True).expand(value.shape[1], -1)
    unread = value.isnan()
    least = value.masked_fill(unread, torch.inf).amin(dim=0)
    return Kept(value.masked_fill(unread, -torch.inf).T, image, where.long().T, least)
