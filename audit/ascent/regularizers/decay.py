"""Decay: the whole image a little greyer after every step (theta_decay, an L2 penalty)."""

from typing import Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from audit.ascent.regularizers import Regularizer


class Decay(Regularizer):
    """x * (1 - strength), in place."""

    regularizer: Literal["decay"] = "decay"
    strength: float = Field(ge=0, le=1, description="Share of the image that is taken away at every step.")

    def apply(
        self, images: Float[Tensor, "image channel y x"], gradient: Float[Tensor, "image channel y x"], step: int
    ) -> Float[Tensor, "image channel y x"]:
        """The images, `strength` closer to the mean picture."""
        return images.mul_(1 - self.strength)
