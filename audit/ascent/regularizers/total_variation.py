"""Total variation: neighbouring pixels become more alike at every step (Mahendran and Vedaldi 2015, section 3)."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from audit.ascent.regularizers import PENALTY_UNIT, Regularizer


class TotalVariation(Regularizer):
    """x - strength * dR/dx, in place, for R(x) = sum over pixels and channels of (dx^2 + dy^2)^(beta / 2).

    dx and dy are the differences to the next pixel to the right and below, 0 at the last column and row. R is that of
    x / 128, and so is the step: `strength` means the same for every beta. Where both differences are 0 a pixel adds
    nothing to dR/dx, also where beta < 2 makes R sharp. With beta 2 a strength above 1/8 overshoots.
    """

    regularizer: Literal["total-variation"] = "total-variation"
    strength: float = Field(ge=0, description="Length of the step down the penalty, of pixels in units of 128.")
    beta: float = Field(2.0, ge=1, description="Exponent: 1 keeps sharp edges, 2 blurs, above 2 spikes go first.")

    def apply(
        self, images: Float[Tensor, "image channel y x"], gradient: Float[Tensor, "image channel y x"], step: int
    ) -> Float[Tensor, "image channel y x"]:
        """The images, a little smoother."""
        scale = PENALTY_UNIT ** (2 - self.beta)  # R is homogeneous of degree beta
        return images.sub_(slope(images, self.beta), alpha=self.strength * scale)


def slope(images: Float[Tensor, "image channel y x"], beta: float) -> Float[Tensor, "image channel y x"]:
    """dR/dx of each image, of pixels as they are."""
    across = functional.pad(images.diff(dim=3), (0, 1))
    down = functional.pad(images.diff(dim=2), (0, 0, 0, 1))
    square = across.square().addcmul_(down, down)
    weight = square.clamp_(min=torch.finfo(images.dtype).tiny).pow_(beta / 2 - 1).mul_(beta)
    across.mul_(weight)
    down.mul_(weight)
    found = (across + down).neg_()
    found[..., 1:] += across[..., :-1]
    found[..., 1:, :] += down[..., :-1, :]
    return found
