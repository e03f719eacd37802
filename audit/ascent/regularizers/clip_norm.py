"""Clip norm: pixels of small norm become the mean colour (theta_n_pct)."""

from typing import Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from audit.ascent.regularizers import Regularizer
from audit.ascent.regularizers.percentile import below_percentile, remove


class ClipNorm(Regularizer):
    """Pixels whose L2 norm over the channels is below that percentile of their image are set to 0, in place."""

    regularizer: Literal["clip-norm"] = "clip-norm"
    percentile: float = Field(
        ge=0, le=100, description="Pixels with a smaller L2 norm than this percentile of the image are removed."
    )

    def apply(
        self, images: Float[Tensor, "image channel y x"], gradient: Float[Tensor, "image channel y x"], step: int
    ) -> Float[Tensor, "image channel y x"]:
        """The images without their small pixels."""
        return remove(images, below_percentile(norms(images), self.percentile))


def norms(images: Float[Tensor, "image channel y x"]) -> Float[Tensor, "image y x"]:
    """L2 norm of each pixel over the channels, plane by plane: several times faster than a reduction over axis 1."""
    squares = images[:, 0].square()
    for channel in range(1, images.shape[1]):
        squares.addcmul_(images[:, channel], images[:, channel])
    return squares.sqrt_()
