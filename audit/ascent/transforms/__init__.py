"""What an image must survive: random changes of the picture before each look (Olah et al. 2017).

A transform is its options, and the matrix that it draws; all of a preset's are done by one sampling of the picture.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict
from torch import Tensor
from torch.nn import functional

DRAWS = 2  # numbers of 0..1 that each transform has at each step


def _named(schema: dict[str, Any]) -> None:
    schema["required"] = ["transform", *schema.get("required", [])]


class Transform(BaseModel):
    """A random affine change of the picture, its centre the origin; each row of a batch draws for itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, json_schema_extra=_named)

    @abstractmethod
    def matrix(self, draws: Float[Tensor, "image draws"], size: tuple[int, int]) -> Float[Tensor, "image 2 3"]:
        """Where the pixel (x, y, 1) of the changed picture is in the picture, in pixels from its centre.

        `draws` are two numbers of each image, uniform in 0..1; `size` is (y, x) of the picture.
        """


def drawn(transforms: Sequence[Transform], seed: int, steps: int) -> Float[np.ndarray, "steps numbers"]:
    """The random numbers of an ascent, the same for the same seed whoever shares its batch; float32 in 0..1."""
    return np.random.default_rng((seed, len(transforms))).random((steps, DRAWS * len(transforms)), dtype=np.float32)


def transformed(
    images: Float[Tensor, "image channel y x"],
    transforms: Sequence[Transform],
    draws: Float[Tensor, "image numbers"],
) -> Float[Tensor, "image channel y x"]:
    """The images changed by all transforms, the first one first; bilinear, mirrored at the border, differentiable."""
    height, width = images.shape[-2:]
    found = torch.eye(3, device=images.device, dtype=images.dtype).expand(len(images), 3, 3)
    last = found[:, 2:]
    for transform, own in zip(transforms, torch.split(draws.to(images.dtype), DRAWS, 1), strict=True):
        found = found @ torch.cat([transform.matrix(own, (height, width)), last], 1)
    relative = torch.cat([images.new_full((1,), 2 / width), images.new_full((1,), 2 / height), images.new_ones(1)])
    found = relative[:, None] * found / relative
    grid = functional.affine_grid(found[:, :2], list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
