"""Fourier: an image as the coefficients of waves, so that a step moves all frequencies alike (Olah et al. 2017).

Gradients of pixels are full of high frequencies. A coefficient is divided by its frequency, as the amplitudes of
photographs are, and colours are mixed from independent ones: steepest ascent there is another direction than in pixels.
"""

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from audit.ascent.parametrizations import Parametrization, Shape
from audit.ascent.parametrizations.colours import mixed
from audit.ascent.parametrizations.waves import frequencies, half, lone, waves


class Fourier(Parametrization):
    """sigmoid(colours(waves(coefficient / frequency ^ decay))); of size (2, channel, y, x // 2 + 1).

    Scaled so that independent coefficients of standard deviation s make pixels of standard deviation s before the
    sigmoid, whatever the size of the image: a rate suits all canvases.
    """

    parametrization: Literal["fourier"] = "fourier"
    decay: float = Field(1.0, ge=0, description="Power of the frequency that coefficients are divided by.")
    decorrelated: bool = Field(True, description="Mix natural colours from independent ones; only of three channels.")
    deviation: float = Field(0.01, gt=0, description="Standard deviation of the start, before the sigmoid.")

    def start(self, seed: int, shape: Shape) -> Float[np.ndarray, "part channel y column"]:
        """Independent normal numbers: noise with the spectrum of photographs."""
        channels, height, width = shape
        size = (2, channels, height, half(width))
        return np.random.default_rng(seed).normal(0, self.deviation, size)

    def pixels(
        self, coordinates: Float[Tensor, "image part channel y column"], shape: Shape
    ) -> Float[Tensor, "image channel y x"]:
        """The images of 0..1; real and imaginary parts are the two `part`s."""
        scale = scale_of(shape[1], shape[2], self.decay, coordinates.dtype, coordinates.device)
        real, imaginary = (coordinates * scale).unbind(1)
        made = waves(real, imaginary, shape[2])
        return torch.sigmoid(mixed(made) if self.decorrelated else made)


@lru_cache(maxsize=64)
def scale_of(
    height: int, width: int, decay: float, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "y column"]:
    """What each coefficient is multiplied with: frequency ^ -decay, so that pixels have the variance of coefficients.

    A lone column's coefficient is averaged with its partner's, which the root of 2 makes up for: the spectrum of noise
    is the same in all directions.
    """
    amplitude = frequencies(height, width) ** -decay
    amplitude /= np.sqrt(2 * np.mean(amplitude**2))
    scale = amplitude[:, : half(width)] * np.where(lone(width), np.sqrt(2), 1)
    return torch.from_numpy(scale).to(device=device, dtype=dtype)
