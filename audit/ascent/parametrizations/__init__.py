"""What an image is made of where it is not its own pixels: the coordinates that an ascent moves.

A parametrization is its options, and two methods. Its field `parametrization` holds its registered name.
"""

from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, PrivateAttr
from torch import Tensor

Shape = tuple[int, int, int]  # channels, y, x


def _named(schema: dict[str, Any]) -> None:
    schema["required"] = ["parametrization", *schema.get("required", [])]


class Parametrization(BaseModel):
    """A differentiable map from coordinates to pixels; each row of a batch is an image by itself.

    Files that options name lie in the folder of the audit.toml that the options come from, else in the working folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, json_schema_extra=_named)

    _folder: Path = PrivateAttr(default=Path())

    def model_post_init(self, context: Any) -> None:
        """Remembers the folder that pydantic's context has as "folder"."""
        self._folder = (context or {}).get("folder", Path())

    @abstractmethod
    def start(self, seed: int, shape: Shape) -> Float[np.ndarray, "..."]:
        """The coordinates that an image of that shape starts from; the same for the same seed."""

    @abstractmethod
    def pixels(self, coordinates: Float[Tensor, "image ..."], shape: Shape) -> Float[Tensor, "image channel y x"]:
        """The images of 0..1 that the coordinates stand for; differentiable, without host synchronisation."""

    def kept_within(self, coordinates: Float[Tensor, "image ..."]) -> Float[Tensor, "image ..."]:
        """The nearest coordinates that are allowed, looked up after every step."""
        return coordinates

    def contents(self) -> str:
        """A digest of what the options only name, so that kept work is made again when it changes."""
        return ""
