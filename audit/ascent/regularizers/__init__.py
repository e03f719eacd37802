"""What keeps an optimized image natural: operators applied after every step (Yosinski et al. 2015, r_theta).

A regularizer is its options, and one method. Its field `regularizer` holds its registered name, so that a preset
written out and read back, hashed or shown, always says which operators it has.
"""

from abc import abstractmethod
from typing import Any

from jaxtyping import Float
from pydantic import BaseModel, ConfigDict
from torch import Tensor

PENALTY_UNIT = 128
"""Pixel values, of 0..255, that a penalty counts as 1: images minus the mean lie in about -1..1 then."""


def _named(schema: dict[str, Any]) -> None:
    schema["required"] = ["regularizer", *schema.get("required", [])]


class Regularizer(BaseModel):
    """An operator of r_theta: frozen options, each row of a batch treated by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, json_schema_extra=_named)

    @abstractmethod
    def apply(
        self, images: Float[Tensor, "image channel y x"], gradient: Float[Tensor, "image channel y x"], step: int
    ) -> Float[Tensor, "image channel y x"]:
        """The regularized images; `images` itself may be changed and returned.

        `images` are pixels of 0..255 minus the mean, already stepped and treated by the regularizers before this one;
        `gradient` is what that step followed, of the image before the step, and is left as it is; `step` counts from 0.
        """
