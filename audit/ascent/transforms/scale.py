"""Scale: the picture a little larger or smaller around its centre (Olah et al. 2017)."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from audit.ascent.transforms import Transform


class Scale(Transform):
    """Enlarges the picture by a factor between 1 - `share` and 1 + `share`, uniformly."""

    transform: Literal["scale"] = "scale"
    share: float = Field(gt=0, lt=1, description="Largest change of the size, as a share of it.")

    def matrix(self, draws: Float[Tensor, "image draws"], size: tuple[int, int]) -> Float[Tensor, "image 2 3"]:
        """A pixel of the picture enlarged by f comes from 1 / f of its distance from the centre."""
        shrunk = 1 / (1 + (2 * draws[:, 0] - 1) * self.share)
        kept = torch.eye(2, 3, device=draws.device, dtype=draws.dtype)
        return shrunk[:, None, None] * kept
