"""Similarities of the picture plane: where a warp takes points, and what it makes of a picture."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from audit.config import CorrespondenceSection

Points = Float[np.ndarray, "point 2"]
"""(y, x) in pixels; the middle of the first pixel is (0, 0)."""


@dataclass(frozen=True)
class Warp:
    """Points are turned by `angle` (radians) and scaled around the picture's middle, then moved by `shift` (y, x)."""

    size: tuple[int, int]
    angle: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def drawn(cls, size: tuple[int, int], options: CorrespondenceSection, random: np.random.Generator) -> "Warp":
        """A random one, of half of what the options allow at least, either way; uniform, the scale in its logarithm."""
        angle, scale, *shift = (random.uniform(0.5, 1, 4) * random.choice([-1, 1], 4)).tolist()
        return cls(
            size,
            float(np.deg2rad(options.rotate * angle)),
            float(options.scale**scale),
            (options.shift * size[0] * shift[0], options.shift * size[1] * shift[1]),
        )

    def points(self, points: Points) -> Points:
        """Where it takes them."""
        return np.asarray((points - self._middle) @ self._matrix.T + self._middle + np.array(self.shift))

    def picture(self, picture: Float[Tensor, "channel y x"]) -> Float[Tensor, "channel y x"]:
        """The warped picture, bilinear; what was outside is mirrored in."""
        height, width = self.size
        places = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), axis=-1).reshape(-1, 2)
        sources = (places - self._middle - np.array(self.shift)) @ np.linalg.inv(self._matrix).T + self._middle
        grid = 2 * sources[:, ::-1] / np.maximum(np.array([width, height]) - 1, 1) - 1
        where = torch.from_numpy(np.ascontiguousarray(grid).reshape(1, height, width, 2)).to(picture)
        return F.grid_sample(picture[None], where, padding_mode="reflection", align_corners=True)[0]

    @property
    def _middle(self) -> Float[np.ndarray, "2"]:
        return (np.array(self.size) - 1) / 2

    @property
    def _matrix(self) -> Float[np.ndarray, "2 2"]:
        sine, cosine = np.sin(self.angle), np.cos(self.angle)
        return np.asarray(self.scale * np.array([[cosine, -sine], [sine, cosine]]))


def inside(points: Points, size: tuple[int, int]) -> np.ndarray:
    """Which of them are in a picture of that size."""
    return np.asarray(((points >= 0) & (points <= np.array(size) - 1)).all(axis=1))
