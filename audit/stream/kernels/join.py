"""The summary of a batch -> its totals, as machine code."""

from typing import no_type_check

import numpy as np

from audit.stream.kernels.machine import machine


@machine
@no_type_check
def total(summary, positions, totals):
    """Fills the totals [unit] of a summary [image, unit]; images are joined one after the other (Chan et al. 1979)."""
    mean, squares, minimum, peak, positive = summary
    (all_mean, all_squares), (least, most), (non_finite, firing, all_positive) = totals
    least[:], most[:] = minimum[0], peak[0]
    all_mean[:], all_squares[:] = 0, 0
    non_finite[:], firing[:], all_positive[:] = 0, 0, 0
    for image in range(len(mean)):
        share = 1 / (image + 1)
        for unit in range(len(least)):
            gap = mean[image, unit] - all_mean[unit]
            all_squares[unit] += squares[image, unit] + gap * gap * (share * image * positions)
            all_mean[unit] += gap * share
            least[unit] = _extreme(least[unit], minimum[image, unit], minimum[image, unit] < least[unit])
            most[unit] = _extreme(most[unit], peak[image, unit], peak[image, unit] > most[unit])
            non_finite[unit] += not np.isfinite(mean[image, unit])
            firing[unit] += positive[image, unit] > 0
            all_positive[unit] += positive[image, unit]


@machine
@no_type_check
def _extreme(known, new, further):
    """The further one; a NaN, once known, stays."""
    return new if further or np.isnan(new) else known
