"""Optimized images -> numbers of what they look like: frequencies, gray and extreme pixels, repetition, diversity.

Images are pixels of 0..255 around the mean colour, which is 0. What the numbers look for are the pathologies that
Yosinski et al. 2015 name: extreme pixels, high frequencies, and motifs that repeat without a whole.
"""

import numpy as np
from jaxtyping import Float

Images = Float[np.ndarray, "image channel y x"]
PerImage = Float[np.ndarray, " image"]

GRAY = 0.5
"""A pixel none of whose channels is further from the mean colour, of 255 levels, is gray: 8 bits cannot tell."""

FIRST_RING = 2
"""The main lobe of a Hann window is two cycles wide: what is below is mixed with the mean that was taken away."""

RINGS = 3
"""A line through fewer rings of the spectrum says nothing."""


ROUNDING = 1e-24
"""Power of a frequency, relative to the whole image's, that is only what a Fourier transform rounds."""


def spectrum_slope(images: Images) -> PerImage:
    """Slope of log power over log spatial frequency, by least squares; -2 for natural pictures (Field 1987).

    Each channel without its mean, under a Hann window; the power, summed over the channels, is averaged in rings of one
    cycle per shorter side, from `FIRST_RING` to below the Nyquist frequency. NaN with fewer than `RINGS` rings, or
    where a ring has no power.
    """
    side = min(images.shape[2:])
    rings = np.arange(FIRST_RING, (side + 1) // 2)
    if len(rings) < RINGS:
        return np.full(len(images), np.nan)
    power, cycles = _power(images), np.rint(_frequencies(images) * side)
    mean = np.stack([power[:, cycles == ring].mean(axis=1) for ring in rings], axis=1)
    known = (mean > 0).all(axis=1) & np.isfinite(mean).all(axis=1)
    along = np.log(rings) - np.log(rings).mean()
    slope = np.log(np.where(known[:, None], mean, 1)) @ along / (along @ along)
    return np.where(known, slope, np.nan)


def high_frequency_share(images: Images) -> PerImage:
    """Share of the power, 0..1, above half the Nyquist frequency: 0.25 cycles per pixel, in any direction.

    Of white noise it is 1 - pi / 16 = 0.80. Means and window as in `spectrum_slope`; NaN for an image of one colour.
    """
    power = _power(images)
    high = np.where(_frequencies(images) > 0.25, power, 0).sum(axis=(1, 2))
    return _share(high, power.sum(axis=(1, 2)))


def sparsity(images: Images) -> PerImage:
    """Share of the pixels, 0..1, that are gray: of the mean colour, which the paper's clippings leave."""
    return np.asarray((np.abs(images).max(axis=1) <= GRAY).mean(axis=(1, 2)), dtype=np.float64)


def hoyer(images: Images) -> PerImage:
    """Hoyer's sparseness of the pixels' norms over the channels (Hoyer 2004, section 3.1), whatever their scale.

    0 where all pixels are equally strong, 1 where there is a single one; NaN for an image of the mean colour.
    """
    norms = np.sqrt(np.square(images.astype(np.float64)).sum(axis=1)).reshape(len(images), -1)
    root = np.sqrt(norms.shape[1])
    return np.asarray((root - _share(norms.sum(axis=1), np.sqrt(np.square(norms).sum(axis=1)))) / (root - 1))


def total_variation(images: Images) -> PerImage:
    """Mean absolute difference of neighbours, in pixel values of 0..255: down and across, added."""
    down, across = (np.abs(np.diff(images, axis=axis)) for axis in (2, 3))
    means = [part.mean(axis=(1, 2, 3), dtype=np.float64) if part.size else 0 for part in (down, across)]
    return np.zeros(len(images)) + sum(means)


def extreme_share(images: Images, mean: Float[np.ndarray, "channel 1 1"]) -> PerImage:
    """Share of the pixels, 0..1, with a channel that is black or white: within `GRAY` of 0 or of 255.

    `mean` is the mean colour, of pixels of 0..1.
    """
    pixels = images + 255 * mean
    return np.asarray(((pixels <= GRAY) | (pixels >= 255 - GRAY)).any(axis=1).mean(axis=(1, 2)), dtype=np.float64)


def autocorrelation_peak(images: Images) -> PerImage:
    """How alike the image is to itself elsewhere, -1..1: 1 for a motif that repeats, near 0 for one that does not.

    The largest normalised correlation, over the channels, of an image without its mean and the same image moved by up
    to half of each side, among the moves so far that the mean correlation of equally far ones has fallen to 0: nearer
    ones only say that the image is smooth. NaN where there are none, or the image has one colour.
    """
    correlation = _autocorrelation(images)
    height, width = correlation.shape[1:]
    distance = np.rint(np.hypot(*np.ogrid[-(height // 2) : height // 2 + 1, -(width // 2) : width // 2 + 1])).astype(
        int
    )
    count = np.bincount(distance.ravel())
    peaks = []
    for one in correlation:
        around = np.bincount(distance.ravel(), weights=one.ravel()) / count
        apart = one[distance >= (np.argmax(around <= 0) if (around <= 0).any() else len(around))]
        peaks.append(apart.max() if len(apart) and np.isfinite(one).all() else np.nan)
    return np.array(peaks, dtype=np.float64)


def mean_pairwise_distance(codes: Float[np.ndarray, "image entry"]) -> float:
    """Mean over all pairs of 1 - cosine: 0 where all say the same, 1 where they have nothing in common, at most 2.

    NaN with fewer than two images, and where a code is all zeros: it has no direction.
    """
    if len(codes) < 2:
        return float("nan")
    codes = codes.astype(np.float64)
    norms = np.sqrt(np.square(codes).sum(axis=1, keepdims=True))
    if not (norms > 0).all():
        return float("nan")
    cosines = (codes / norms) @ (codes / norms).T
    pairs = len(codes) * (len(codes) - 1)
    return float(1 - (cosines.sum() - np.trace(cosines)) / pairs)


def _power(images: Images) -> Float[np.ndarray, "image y x"]:
    """Power of each frequency, summed over the channels; none at 0."""
    height, width = images.shape[2:]
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    images = images.astype(np.float64)
    mean = (images * window).sum(axis=(2, 3), keepdims=True) / window.sum()
    power = np.square(np.abs(np.fft.fft2((images - mean) * window))).sum(axis=1)
    rounding = ROUNDING * np.square(images * window).sum(axis=(1, 2, 3))[:, None, None]
    return np.where(power <= rounding, 0, power)


def _frequencies(images: Images) -> Float[np.ndarray, "y x"]:
    """Cycles per pixel, in any direction, of what `_power` gives."""
    height, width = images.shape[2:]
    return np.asarray(np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)))


def _autocorrelation(images: Images) -> Float[np.ndarray, "image down right"]:
    """Of every move by at most half of each side, no move in the middle: the correlation of what then overlaps."""
    height, width = images.shape[2:]
    images = images.astype(np.float64)
    centred = images - images.mean(axis=(2, 3), keepdims=True)
    size = height + height // 2, width + width // 2
    spectrum = np.fft.rfft2(centred, s=size)
    there = np.fft.irfft2((spectrum * spectrum.conj()).sum(axis=1), s=size)
    energy = np.fft.rfft2(np.square(centred).sum(axis=1), s=size)
    ones = np.fft.rfft2(np.ones((height, width)), s=size)
    own, others = (np.fft.irfft2(product, s=size) for product in (energy * ones.conj(), energy.conj() * ones))
    together = np.sqrt(np.clip(own, 0, None) * np.clip(others, 0, None))
    correlation = _share(there, np.where(together > 1e-9 * together[:, :1, :1], together, np.inf))
    correlation = np.where(together[:, :1, :1] > 0, correlation, np.nan)
    y, x = np.arange(-(height // 2), height // 2 + 1), np.arange(-(width // 2), width // 2 + 1)
    return np.asarray(correlation[:, y[:, None], x], dtype=np.float64)


def _share(part: Float[np.ndarray, "*any"], whole: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """NaN of nothing."""
    share: Float[np.ndarray, "*any"] = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return share
