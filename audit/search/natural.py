"""Pictures of the audit -> the slope of their power spectrum, at the size of an optimized image."""

import numpy as np

from audit.ascent import quality
from audit.data.damage import Damages
from audit.data.images import Images
from audit.data.preprocess import batches
from audit.search.asked import Place

PICTURES = 64
"""How many are looked at, evenly spread: the slope of single pictures scatters by about 0.3."""


def natural_slope(images: Images, place: Place, damaged: float) -> float:
    """Mean over pictures as the model is shown them, of their centre cut to the size of the unit's image.

    NaN where the images are too small to have one. DataError where more than `damaged` percent cannot be shown.
    """
    count = min(PICTURES, len(images))
    indices = [number * len(images) // count for number in range(count)]
    top, left, bottom, right = place.canvas.crop
    height, width = bottom - top, right - left
    mean = place.model.mean.cpu().numpy()
    slopes = []
    for pixels, _ in batches(images, indices, place.model.section, 16, damages=Damages(count, damaged)):
        y, x = (pixels.shape[2] - height) // 2, (pixels.shape[3] - width) // 2
        cut = pixels.numpy()[:, :, y : y + height, x : x + width]
        slopes.append(quality.spectrum_slope(255 * (cut - mean)))
    known = np.concatenate(slopes)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else float("nan")
