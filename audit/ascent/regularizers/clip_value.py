"""Clip value: single values near the mean become the mean (small_val_percentile of the paper's toolbox)."""

from typing import Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from audit.ascent.regularizers import Regularizer
from audit.ascent.regularizers.percentile import below_percentile


class ClipValue(Regularizer):
    """Values whose magnitude is below that percentile of all values of their image are set to 0, in place.

    Each channel of a pixel by itself, the percentile over all channels: a pixel may lose some of them and keep others.
    """

    regularizer: Literal["clip-value"] = "clip-value"
    percentile: float = Field(
        ge=0, le=100, description="Values of a smaller magnitude than this percentile of the image are removed."
    )

    def apply(
        self, images: Float[Tensor, "image channel y x"], gradient: Float[Tensor, "image channel y x"], step: int
    ) -> Float[Tensor, "image channel y x"]:
        """The images without their small values."""
        return images.mul_(~below_percentile(images.abs(), self.percentile))
