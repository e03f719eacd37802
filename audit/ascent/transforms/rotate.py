"""Rotate: the picture a little turned around its centre (Olah et al. 2017)."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from audit.ascent.transforms import Transform


class Rotate(Transform):
    """Turns the picture by up to `degrees` either way, uniformly."""

    transform: Literal["rotate"] = "rotate"
    degrees: float = Field(gt=0, le=180, description="Largest angle, in degrees.")

    def matrix(self, draws: Float[Tensor, "image draws"], size: tuple[int, int]) -> Float[Tensor, "image 2 3"]:
        """A rotation by (2 * draw - 1) * degrees."""
        angle = (2 * draws[:, 0] - 1) * math.radians(self.degrees)
        cosine, sine, nothing = angle.cos(), angle.sin(), torch.zeros_like(angle)
        rows = torch.stack([cosine, -sine, nothing], 1), torch.stack([sine, cosine, nothing], 1)
        return torch.stack(rows, 1)
