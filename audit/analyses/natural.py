"""Natural pictures beside optimized images: how strong the unit is on them, and how steep their spectrum is."""

from dataclasses import replace

import numpy as np

from audit.ascent.quality import spectrum_slope
from audit.data.damage import Damages
from audit.data.images import Images
from audit.data.preprocess import batches
from audit.model.load import Model
from audit.records import Pictures, TopK

PICTURES = 64
"""How many pictures a slope is the mean of, evenly spread: those of single ones scatter by a few tenths."""

BATCH = 16


def beside(pictures: Pictures, strongest: TopK, slope: float) -> Pictures:
    """With two more numbers: `of_strongest`, the activation over that on the unit's strongest picture (NaN where the
    unit is above zero on none), and `natural_slope`, the same for all."""
    top = np.array([_top(strongest, unit) for unit in pictures.units])
    numbers = {
        "of_strongest": pictures.numbers["activation"] / top[:, None],
        "natural_slope": np.full(pictures.tiles.shape[:2], slope),
    }
    return replace(pictures, numbers={**pictures.numbers, **numbers})


def natural_slope(model: Model, images: Images, size: tuple[int, int]) -> float:
    """Mean slope of the power spectra of pictures as the model is shown them, their centres cut to (y, x) `size`.

    NaN where the cuts are too small, or of one colour, or no picture can be shown.
    """
    count = min(PICTURES, len(images))
    indices = [number * len(images) // count for number in range(count)]
    slopes = [np.zeros(0)]
    for pixels, _ in batches(images, indices, model.section, BATCH, damages=Damages(len(images), 100.0)):
        top, left = (pixels.shape[2] - size[0]) // 2, (pixels.shape[3] - size[1]) // 2
        slopes.append(spectrum_slope(255 * pixels[:, :, top : top + size[0], left : left + size[1]].numpy()))
    known = np.concatenate(slopes)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else float("nan")


def _top(strongest: TopK, unit: int) -> float:
    known = strongest.value.shape[1] > 0 and strongest.image[unit, 0] >= 0 and strongest.value[unit, 0] > 0
    return float(strongest.value[unit, 0]) if known else float("nan")
