"""Optimized images -> numbers of what they look like: frequencies, gray pixels, variation."""

import numpy as np
from jaxtyping import Float

Images = Float[np.ndarray, "image channel y x"]
PerImage = Float[np.ndarray, " image"]

GRAY = 0.5
"""A pixel no channel of which is further from the mean colour, of 255 levels, is gray."""


def spectrum_slope(images: Images) -> PerImage:
    """Slope of log power over log spatial frequency, rings of one cycle per picture, below the Nyquist frequency.

    -2 for 1/f pictures (Field 1987). Each channel without its mean, under a Hann window. NaN with fewer than 3 rings,
    or a ring without power.
    """
    power, ring = _spectrum(images)
    rings = np.arange(1, min(images.shape[2:]) // 2)
    if len(rings) < 3:
        return np.full(len(images), np.nan)
    mean = np.stack([power[:, ring == number].mean(axis=1) for number in rings], axis=1)
    known = np.asarray((mean > 0).all(axis=1))
    height = np.log(np.where(known[:, None], mean, 1))
    along = np.log(rings) - np.log(rings).mean()
    return np.where(known, height @ along / (along @ along), np.nan)


def high_frequency_share(images: Images) -> PerImage:
    """Share of the power above half the Nyquist frequency; NaN for an image of one colour."""
    power, ring = _spectrum(images)
    total = power.sum(axis=(1, 2))
    high = np.where(ring > min(images.shape[2:]) / 4, power, 0).sum(axis=(1, 2))
    return np.asarray(np.divide(high, total, out=np.full(len(images), np.nan), where=total > 0))


def sparsity(images: Images) -> PerImage:
    """Share of the pixels that are gray: of the mean colour."""
    return np.asarray((np.abs(images).max(axis=1) <= GRAY).mean(axis=(1, 2)), dtype=np.float64)


def total_variation(images: Images) -> PerImage:
    """Mean absolute difference of neighbours, in pixel values: down and across, added."""
    down, across = (np.abs(np.diff(images, axis=axis)) for axis in (2, 3))
    means = [part.mean(axis=(1, 2, 3)) if part.size else np.zeros(len(images)) for part in (down, across)]
    return np.asarray(sum(means), dtype=np.float64)


def _spectrum(images: Images) -> tuple[Float[np.ndarray, "image y x"], np.ndarray]:
    """Power summed over channels, and the ring of each frequency: its distance from 0 in cycles per picture."""
    height, width = images.shape[2:]
    window = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[1:-1]
    centred = (images - images.mean(axis=(2, 3), keepdims=True)) * window
    power = np.square(np.abs(np.fft.fft2(centred))).sum(axis=1)
    side = min(height, width)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)) * side
    return power, np.rint(frequency)
