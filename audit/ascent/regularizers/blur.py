"""Blur: a Gaussian over each channel every few steps (theta_b_width, theta_b_every)."""

from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from audit.ascent.regularizers import Regularizer


class Blur(Regularizer):
    """Gaussian of standard deviation `width` pixels at steps 0, every, 2 * every, ...

    Equal to scipy.ndimage.gaussian_filter of each channel with its defaults: the picture is mirrored at its borders,
    edge pixels repeated, and the Gaussian ends at four standard deviations. Widths under 0.3 hardly do anything.
    """

    regularizer: Literal["blur"] = "blur"
    width: float = Field(gt=0, description="Standard deviation of the Gaussian, in pixels.")
    every: int = Field(1, gt=0, description="Steps from one blur to the next; the first is at step 0.")

    def apply(
        self, images: Float[Tensor, "image channel y x"], gradient: Float[Tensor, "image channel y x"], step: int
    ) -> Float[Tensor, "image channel y x"]:
        """The blurred images on every `every`-th step, the images as they are on the others."""
        if step % self.every:
            return images
        return blurred(images, self.width)


def blurred(images: Float[Tensor, "image channel y x"], width: float) -> Float[Tensor, "image channel y x"]:
    """Each channel under a Gaussian of that standard deviation, in pixels."""
    return along_axes(
        images, *(blur_matrix(length, width, images.dtype, images.device) for length in images.shape[-2:])
    )


def along_axes(
    images: Float[Tensor, "image channel y x"], down: Float[Tensor, "y2 y"], across: Float[Tensor, "x2 x"]
) -> Float[Tensor, "image channel y2 x2"]:
    """A linear map of each column, and one of each line."""
    lines = images.flatten(0, 2) @ across.T
    return down @ lines.view(*images.shape[:3], -1)


@lru_cache(maxsize=64)
def blur_matrix(size: int, width: float, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "{size} {size}"]:
    """The Gaussian along one axis of `size` pixels as a matrix: exact at every size, also below its reach.

    Made on the device: octaves have another width at every step, and nothing waits for it.
    """
    reach = int(4 * width + 0.5)
    offsets = torch.arange(-reach, reach + 1, device=device)
    exact = torch.float32 if device.type == "mps" else torch.float64  # mps has no other
    weights = torch.exp(-0.5 * (offsets.to(exact) / width).square())
    weights /= weights.sum()
    reached = mirrored(torch.arange(size, device=device)[:, None] + offsets, size)
    matrix = weights.new_zeros((size, size)).scatter_add_(1, reached, weights.expand(size, -1))
    return matrix.to(dtype)


def mirrored(positions: Int[Tensor, "*any"], size: int) -> Int[Tensor, "*any"]:
    """Where positions outside an axis fall when it is mirrored with its edge repeated: -1 -> 0, size -> size - 1."""
    around = positions % (2 * size)
    return torch.minimum(around, 2 * size - 1 - around)
