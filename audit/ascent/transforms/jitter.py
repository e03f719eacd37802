"""Jitter: the picture a little aside (Mordvintsev et al. 2015)."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from audit.ascent.transforms import Transform


class Jitter(Transform):
    """Moves the picture by up to `pixels` along each axis, uniformly, not by whole pixels only."""

    transform: Literal["jitter"] = "jitter"
    pixels: float = Field(gt=0, description="Largest distance along each axis, in pixels.")

    def matrix(self, draws: Float[Tensor, "image draws"]) -> Float[Tensor, "image 2 3"]:
        """A shift by (2 * draws - 1) * pixels."""
        kept = torch.eye(2, device=draws.device, dtype=draws.dtype).expand(len(draws), 2, 2)
        return torch.cat([kept, ((2 * draws - 1) * self.pixels)[:, :, None]], 2)
