"""What is asked of each unit in each image of a batch."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Summary:
    """A batch of a layer's activations in seven numbers per unit and image.

    `mean` and `squares`, the sum of squared deviations from it, are float64; `minimum` and `peak` have the activations'
    own type, float32 at least. A NaN makes all four NaN; infinities spoil the mean and the squares as in any sum.
    `positive` is the number of positions above zero. Positions y * width + x come in spans of `span`: `minimum_at` and
    `peak_at` are the first span that has the extreme, and mean nothing where there is a NaN. Where spans are longer
    than one position, `rows` are the activations to look for it in.
    """

    mean: Float[Tensor, "image unit"]
    squares: Float[Tensor, "image unit"]
    minimum: Float[Tensor, "image unit"]
    peak: Float[Tensor, "image unit"]
    minimum_at: Int[Tensor, "image unit"]
    peak_at: Int[Tensor, "image unit"]
    positive: Int[Tensor, "image unit"]
    span: int = field(default=1, kw_only=True)
    rows: Float[Tensor, "image position unit"] | None = field(default=None, kw_only=True)


def wide(device: torch.device) -> torch.dtype:
    """float64, the type of every state, but where the device has none."""
    return torch.float32 if device.type == "mps" else torch.float64
