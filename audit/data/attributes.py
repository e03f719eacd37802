"""Pictures as the model sees them -> what can be said of each: how bright, how sharp, how large it was."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8
from torch import Tensor

from audit.data.source import Images
from audit.records import Table

NAMES = ("brightness", "contrast", "sharpness", "saturation", "width", "height", "aspect")
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's gray


def attributes(pixels: Shaped[Tensor, "channel y x"], size: tuple[int, int]) -> Float32[np.ndarray, " attribute"]:
    """The numbers of `NAMES` for one picture of uint8 or of 0..1, after resizing and before mean and std.

    `size` is the height and width in pixels that the picture had before. Brightness and contrast are mean and standard
    deviation of the luma, 0..1; sharpness is the variance of its Laplacian (four neighbours; Pech-Pacheco et al. 2000),
    low for blurred pictures and NaN for those without a neighbourhood of 3 x 3; saturation is the mean of HSV's, 0 for
    gray pictures and for models of fewer than three channels. Channels beyond three are left out.
    """
    planes = pixels[:3].numpy()
    luma = _luma(planes)
    height, width = size
    return np.array(
        [luma.mean(), luma.std(), _sharpness(luma), _saturation(planes), width, height, width / height], np.float32
    )


class Attributes:
    """What is known of each picture that was shown: 28 bytes for each."""

    def __init__(self, images: Images):
        self._images = images
        self._numbers = np.full((len(images), len(NAMES)), np.nan, np.float32)
        self._shown = np.zeros(len(images), np.bool_)

    def note(self, index: int, numbers: Float32[np.ndarray, " attribute"]) -> None:
        """Those of one picture, in the order of `NAMES`."""
        self._numbers[index], self._shown[index] = numbers, True

    def table(self) -> Table:
        """A row per picture that was shown: its index ("image"), the measured columns, and those of the source."""
        shown = np.flatnonzero(self._shown)
        measured = {name: self._numbers[shown, place] for place, name in enumerate(NAMES)}
        given = {name: column[shown] for name, column in self._images.columns().items()}
        columns: Mapping[str, Shaped[np.ndarray, " row"]] = {"image": shown, **measured, **given}
        return Table("attributes", columns)


def _luma(planes: Shaped[np.ndarray, "channel y x"]) -> Float[np.ndarray, "y x"]:
    """0..1; the mean of two channels."""
    scale = np.float32(1 / 255 if planes.dtype == np.uint8 else 1)
    weights = LUMA if len(planes) == 3 else (1 / len(planes),) * len(planes)
    luma = planes[0] * np.float32(weights[0] * scale)
    for plane, weight in zip(planes[1:], weights[1:], strict=True):
        luma += plane * np.float32(weight * scale)
    return np.asarray(luma)


def _sharpness(luma: Float[np.ndarray, "y x"]) -> float:
    if min(luma.shape) < 3:
        return float("nan")
    laplacian = luma[1:-1, :-2] + luma[1:-1, 2:]
    laplacian += luma[:-2, 1:-1]
    laplacian += luma[2:, 1:-1]
    laplacian -= 4 * luma[1:-1, 1:-1]
    return float(laplacian.var())


def _saturation(planes: Float[np.ndarray, "channel y x"] | UInt8[np.ndarray, "channel y x"]) -> float:
    if len(planes) < 3:
        return 0.0
    high, low = planes.max(axis=0), planes.min(axis=0)
    return float(((high - low) / np.where(high > 0, high, 1).astype(np.float32)).mean())
