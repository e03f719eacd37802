"""Jitter: the picture a little aside (Mordvintsev et al. 2015)."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from audit.ascent.transforms import Transform


class Jitter(Transform):
    """Moves the picture by up to `pixels` along each axis, uniformly, not by whole pixels only.

    `share` is for presets of all canvases: what is 8 pixels of 224 would throw a picture of 7 pixels out of itself.
    """

    transform: Literal["jitter"] = "jitter"
    pixels: float = Field(gt=0, description="Largest distance along each axis, in pixels.")
    share: float = Field(1.0, gt=0, le=1, description="Largest distance, as a share of the shorter side.")

    def matrix(self, draws: Float[Tensor, "image draws"], size: tuple[int, int]) -> Float[Tensor, "image 2 3"]:
        """A shift by (2 * draws - 1) * pixels, or the share if it is less."""
        farthest = min(self.pixels, self.share * min(size))
        kept = torch.eye(2, device=draws.device, dtype=draws.dtype).expand(len(draws), 2, 2)
        return torch.cat([kept, ((2 * draws - 1) * farthest)[:, :, None]], 2)
