"""Phase: only the phases of an image's waves move, their magnitudes stay natural (MACO; Fel et al. 2023).

However strongly a unit is excited, no frequency can grow out of proportion: no high-frequency patterns, no saturation.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, field_validator
from torch import Tensor

from audit.ascent.parametrizations import Parametrization, Shape
from audit.ascent.parametrizations.colours import mixed, unmixed
from audit.ascent.parametrizations.waves import frequencies, half, lone, waves
from audit.errors import AuditError


class Phase(Parametrization):
    """sigmoid(colours(waves of fixed magnitude and these phases)); of size (channel, y, x // 2 + 1), in radians.

    As in the paper the values have mean 0 and standard deviation 1 before the sigmoid. The paper divides by what it
    measures at every step; here it is a constant, since the variance of an image is the sum of its squared magnitudes
    (Parseval). Magnitudes are kept exactly: waves that run straight down have opposite phases in both of their
    coefficients, which are made of the difference of two coordinates.
    """

    parametrization: Literal["phase"] = "phase"
    spectrum: str | None = Field(
        None, description="Magnitudes in a .npy file [channel, y, x], relative to this file; 1 / frequency if left out."
    )

    @field_validator("spectrum")
    @classmethod
    def _is_there(cls, spectrum: str | None, info: Any) -> str | None:
        folder = (info.context or {}).get("folder", Path())
        if spectrum is not None and not (folder / spectrum).is_file():
            raise ValueError(f'there is no file "{spectrum}"')
        return spectrum

    def start(self, seed: int, shape: Shape) -> Float[np.ndarray, "channel y column"]:
        """Uniform phases: noise with the spectrum."""
        channels, height, width = shape
        return np.random.default_rng(seed).uniform(-np.pi, np.pi, (channels, height, half(width)))

    def pixels(
        self, coordinates: Float[Tensor, "image channel y column"], shape: Shape
    ) -> Float[Tensor, "image channel y x"]:
        """The images of 0..1."""
        where = coordinates.dtype, coordinates.device
        magnitude = magnitudes(self._file(), shape, *where)
        partner = coordinates.flip(-2).roll(1, -2)
        phase = coordinates - _lone(shape[2], *where) * partner
        return torch.sigmoid(mixed(waves(magnitude * phase.cos(), magnitude * phase.sin(), shape[2])))

    def contents(self) -> str:
        """The digest of the file of magnitudes."""
        file = self._file()
        return "" if file is None else hashlib.sha256(file.read_bytes()).hexdigest()

    def _file(self) -> Path | None:
        return None if self.spectrum is None else self._folder / self.spectrum


def spectrum_of(pictures: Float[np.ndarray, "picture channel y x"]) -> Float[np.ndarray, "channel y x"]:
    """The mean magnitude of each wave in pictures of 0..1: what `spectrum` names, once it is saved by numpy.save.

    Coefficients in the order of numpy.fft.fft2 with norm "ortho", of decorrelated colours where there are three
    channels; 0 for the mean, which is no wave.
    """
    spectrum: np.ndarray = np.abs(np.fft.fft2(unmixed(pictures), norm="ortho")).mean(axis=0)
    spectrum[:, 0, 0] = 0
    return spectrum


@lru_cache(maxsize=16)
def magnitudes(
    file: Path | None, shape: Shape, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "channel y column"]:
    """Magnitudes of images of that shape, 0 for the mean, so that pixels have variance 1 on average over channels.

    AuditError for a file that holds no magnitudes of that many channels.
    """
    photographs = 1 / np.broadcast_to(frequencies(*shape[1:]), shape)
    whole = photographs.copy() if file is None else resized(_read(file, shape), shape)
    whole[:, 0, 0] = 0
    whole /= np.sqrt(np.mean(whole**2) or 1)
    return torch.from_numpy(whole[:, :, : half(shape[2])]).to(device=device, dtype=dtype)


def resized(spectrum: Float[np.ndarray, "channel y x"], shape: Shape) -> Float[np.ndarray, "channel y2 x2"]:
    """The magnitudes at the frequencies of another size of image, bilinear.

    It is magnitude times frequency that is interpolated: for photographs nearly a constant.
    """

    from scipy.ndimage import map_coordinates

    flat = spectrum * frequencies(*spectrum.shape[1:])
    flat[:, 0, 0] = (flat[:, 1 % flat.shape[1], 0] + flat[:, 0, 1 % flat.shape[2]]) / 2
    axes = [np.fft.fftfreq(new) * old for old, new in zip(spectrum.shape[1:], shape[1:], strict=True)]
    places = np.meshgrid(*axes, indexing="ij")
    found = [map_coordinates(channel, places, order=1, mode="grid-wrap") for channel in flat]
    there: np.ndarray = np.stack(found) / frequencies(*shape[1:])
    return there


def _read(file: Path, shape: Shape) -> Float[np.ndarray, "channel y x"]:
    try:
        spectrum: np.ndarray = np.load(file, allow_pickle=False).astype(np.float64)
    except (OSError, ValueError, AttributeError) as error:
        raise AuditError(f"spectrum {file.name} cannot be read: {error}") from None
    if spectrum.ndim != 3 or len(spectrum) != shape[0]:
        raise AuditError(f"spectrum {file.name} has shape {spectrum.shape}; this model needs ({shape[0]}, y, x)")
    if not (np.isfinite(spectrum).all() and (spectrum >= 0).all() and spectrum.any()):
        raise AuditError(f"spectrum {file.name} has values that are no magnitudes: finite, not negative, not all 0")
    return spectrum


@lru_cache(maxsize=64)
def _lone(width: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, " column"]:
    return torch.from_numpy(lone(width)).to(device=device, dtype=dtype)
