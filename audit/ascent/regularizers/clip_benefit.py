"""Clip benefit: pixels that the unit would miss most become the mean colour (px_benefit_percentile of the toolbox)."""

from typing import Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from audit.ascent.regularizers import Regularizer
from audit.ascent.regularizers.clip_contribution import signed_contributions
from audit.ascent.regularizers.percentile import below_percentile, remove


class ClipBenefit(Regularizer):
    """Pixels whose benefit is below that percentile of their image are set to 0, in place.

    The benefit of a pixel is what setting it to 0 would add to the activation, to first order: sum over channels of
    gradient * -image. It has a sign, and the lowest benefits are those of the pixels that do most *for* the unit. They
    go first; a pixel that works against the unit stays. Clip contribution compares magnitudes instead.
    """

    regularizer: Literal["clip-benefit"] = "clip-benefit"
    percentile: float = Field(
        ge=0, le=100, description="Pixels whose removal benefits the unit less than this percentile are removed."
    )

    def apply(
        self, images: Float[Tensor, "image channel y x"], gradient: Float[Tensor, "image channel y x"], step: int
    ) -> Float[Tensor, "image channel y x"]:
        """The images without the pixels of low benefit."""
        benefit = signed_contributions(images, gradient).neg_()
        return remove(images, below_percentile(benefit, self.percentile))
