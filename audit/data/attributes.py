"""Pictures as the model sees them -> what can be said of each: how bright, how sharp, how large it was."""

from collections.abc import Callable, Mapping
from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Shaped
from torch import Tensor

from audit.data.compiled import compiled
from audit.data.source import Images
from audit.records import Table

NAMES = ("brightness", "contrast", "sharpness", "saturation", "width", "height", "aspect")
Measure = Callable[[np.ndarray, np.ndarray], tuple[float, ...]]
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's gray


def attributes(pixels: Shaped[Tensor, "channel y x"], size: tuple[int, int]) -> Float32[np.ndarray, " attribute"]:
    """The numbers of `NAMES` for one picture of uint8 or of 0..1, after resizing and before mean and std.

    `size` is the height and width in pixels that the picture had before. Brightness and contrast are mean and standard
    deviation of the luma, 0..1; sharpness is the variance of its Laplacian (four neighbours; Pech-Pacheco et al. 2000),
    low for blurred pictures and NaN for those without a neighbourhood of 3 x 3; saturation is the mean of HSV's, 0 for
    gray pictures and for models of fewer than three channels. Channels beyond three are left out.
    """
    planes = pixels[:3].numpy()
    planes = np.ascontiguousarray(planes if planes.dtype == np.uint8 else planes.astype(np.float32))
    weights = np.array(LUMA if len(planes) == 3 else (1 / len(planes),) * len(planes))
    weights = weights / 255 if planes.dtype == np.uint8 else weights
    height, width = size
    return np.array([*_measure()(planes, weights), width, height, width / height], np.float32)


class Attributes:
    """What is known of each picture that was shown: 28 bytes for each."""

    def __init__(self, images: Images):
        _measure()  # once, before many threads ask for it
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


def _measure() -> Measure:
    """`_measured` as machine code that may add in any order."""
    measure: Measure = compiled(_measured, "reassoc", "contract")
    return measure


@no_type_check
def _measured(planes, weights):
    """(brightness, contrast, sharpness, saturation) in one walk over the rows: three rows of luma are kept.

    Sums are of differences to the first pixel, so that a picture of one colour has no contrast at all.
    """
    channels, height, width = planes.shape
    rows = np.empty((3, width))
    first = 0.0
    for channel in range(channels):
        first += weights[channel] * planes[channel, 0, 0]
    total = squares = edges = edge_squares = colour = 0.0
    for y in range(height):
        row = rows[y % 3]
        row[:] = -first
        for channel in range(channels):
            for x in range(width):
                row[x] += weights[channel] * planes[channel, y, x]
        for x in range(width):
            total += row[x]
            squares += row[x] * row[x]
        if y >= 2:
            above, middle = rows[(y - 2) % 3], rows[(y - 1) % 3]
            for x in range(1, width - 1):
                edge = above[x] + row[x] + middle[x - 1] + middle[x + 1] - 4 * middle[x]
                edges += edge
                edge_squares += edge * edge
        if channels == 3:
            red, green, blue = planes[0, y], planes[1, y], planes[2, y]
            for x in range(width):
                high = np.float32(max(red[x], green[x], blue[x]))
                low = np.float32(min(red[x], green[x], blue[x]))
                colour += (high - low) / high if high > 0 else np.float32(0)
    pixels, inner = height * width, max(height - 2, 0) * max(width - 2, 0)
    mean = total / pixels
    contrast = np.sqrt(max(squares / pixels - mean * mean, 0.0))
    sharpness = max(edge_squares / inner - (edges / inner) ** 2, 0.0) if inner > 0 else np.nan
    return first + mean, contrast, sharpness, colour / pixels
