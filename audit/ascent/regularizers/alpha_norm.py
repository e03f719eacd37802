"""Alpha norm: the brightest and darkest values fade most (Mahendran and Vedaldi 2015, section 3)."""

from typing import Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from audit.ascent.regularizers import PENALTY_UNIT, Regularizer


class AlphaNorm(Regularizer):
    """x - strength * dR/dx, in place, for R(x) = sum over pixels and channels of |x|^alpha.

    R is that of x / 128, and so is the step. A step that would carry a value beyond 0, where R is least, ends there;
    with alpha 6 it does for magnitudes above 128 / (6 * strength)^(1/4).
    """

    regularizer: Literal["alpha-norm"] = "alpha-norm"
    strength: float = Field(ge=0, description="Length of the step down the penalty, of pixels in units of 128.")
    alpha: float = Field(6.0, ge=1, description="Exponent: the larger, the more the extreme values alone fade.")

    def apply(
        self, images: Float[Tensor, "image channel y x"], gradient: Float[Tensor, "image channel y x"], step: int
    ) -> Float[Tensor, "image channel y x"]:
        """The images, their extreme values nearer to the mean."""
        lost = (images.abs() / PENALTY_UNIT).pow_(self.alpha - 2).mul_(self.strength * self.alpha)
        return images.mul_(lost.neg_().add_(1).clamp_(min=0))
