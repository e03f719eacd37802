"""Waves: half of an image's 2-D spectrum -> the image; a real image has the other half in common with it.

Column 0 and, of an even width, the last one hold the waves that run straight down, each of them twice: as (f) and
as its conjugate (-f). These columns are called `lone` here; of all others only one of both is held.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor


def frequencies(height: int, width: int) -> Float[np.ndarray, "{height} {width}"]:
    """Cycles per pixel of each coefficient of numpy.fft.fft2; that of the mean is the lowest, 1 / the longer side."""
    found: np.ndarray = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    return found.clip(1 / max(height, width))


def half(width: int) -> int:
    """How many columns of the spectrum are held."""
    return width // 2 + 1


def lone(width: int) -> Bool[np.ndarray, " column"]:
    """Which of the columns that are held have no other that is their conjugate."""
    columns = np.arange(half(width))
    return np.asarray((columns == 0) | (2 * columns == width))


def waves(
    real: Float[Tensor, "image channel y column"], imaginary: Float[Tensor, "image channel y column"], width: int
) -> Float[Tensor, "image channel y {width}"]:
    """The images of that spectrum: numpy.fft.irfft2 of norm "ortho", axis by axis.

    In `lone` columns it is the mean of each coefficient and its partner's conjugate that counts. Fast libraries differ
    there when they do both axes at once.
    """
    columns = torch.fft.ifft(torch.complex(real, imaginary), dim=-2, norm="ortho")
    images: Tensor = torch.fft.irfft(columns, n=width, dim=-1, norm="ortho")
    return images
