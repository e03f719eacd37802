"""Clip contribution: pixels that do little for the unit become the mean colour (theta_c_pct)."""

from typing import Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from audit.ascent.regularizers import Regularizer
from audit.ascent.regularizers.percentile import below_percentile, remove


class ClipContribution(Regularizer):
    """Pixels whose contribution is below that percentile of their image are set to 0, in place.

    The contribution of a pixel is what setting it to 0 would change, to first order and in either direction:
    |sum over channels of gradient * image|. It is exact for a linear network.
    """

    regularizer: Literal["clip-contribution"] = "clip-contribution"
    percentile: float = Field(
        ge=0, le=100, description="Pixels that contribute less than this percentile of the image are removed."
    )

    def apply(
        self, images: Float[Tensor, "image channel y x"], gradient: Float[Tensor, "image channel y x"], step: int
    ) -> Float[Tensor, "image channel y x"]:
        """The images without the pixels of small contribution."""
        return remove(images, below_percentile(contributions(images, gradient), self.percentile))


def contributions(
    images: Float[Tensor, "image channel y x"], gradient: Float[Tensor, "image channel y x"]
) -> Float[Tensor, "image y x"]:
    """|sum over channels of gradient * image| of each pixel."""
    return signed_contributions(images, gradient).abs_()


def signed_contributions(
    images: Float[Tensor, "image channel y x"], gradient: Float[Tensor, "image channel y x"]
) -> Float[Tensor, "image y x"]:
    """Sum over channels of gradient * image of each pixel, plane by plane."""
    total = images[:, 0] * gradient[:, 0]
    for channel in range(1, images.shape[1]):
        total.addcmul_(images[:, channel], gradient[:, channel])
    return total
