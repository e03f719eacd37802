"""What an image is made of where it is not its own pixels: the coordinates that an ascent moves.

A parametrization is its options, and two methods. Its field `parametrization` holds its registered name.
"""

from abc import abstractmethod
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict
from torch import Tensor

Shape = tuple[int, int, int]  # channels, y, x


def _named(schema: dict[str, Any]) -> None:
    schema["required"] = ["parametrization", *schema.get("required", [])]


class Parametrization(BaseModel):
    """A differentiable map from coordinates to pixels; each row of a batch is an image by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, json_schema_extra=_named)

    @abstractmethod
    def start(self, seed: int, shape: Shape) -> Float[np.ndarray, "..."]:
        """The coordinates that an image of that shape starts from; the same for the same seed."""

    @abstractmethod
    def pixels(self, coordinates: Float[Tensor, "image ..."], shape: Shape) -> Float[Tensor, "image channel y x"]:
        """The images of 0..1 that the coordinates stand for; differentiable, without host synchronisation."""
