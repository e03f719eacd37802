"""What first-layer filters look like: a weight array -> frequency, orientation, colour, smoothness of each filter."""

import numpy as np
from jaxtyping import Float, Int

BINS = 128
"""Frequencies per axis at which a spectrum is sampled: filters are padded with zeros to at least this size."""

COLOUR = 0.5
"""A filter with more of its energy outside its gray part is a colour filter; trained filters avoid the middle."""

SHUFFLES = 1000
"""Random arrangements of a filter's weights to which the filter is compared."""

FLAT = 1e-12
"""A filter is constant if at most this share of its energy is left without the channels' means (rounding: 4e-15)."""


def describe(weight: Float[np.ndarray, "unit channel y x"], seed: int = 0) -> dict[str, Float[np.ndarray, " unit"]]:
    """Columns with one number per filter, float64; seeds.md D3, D4 and T2.16 (Yosinski et al. 2015, supplement).

    `frequency`: cycles per pixel, radius of the strongest frequency (see `dominant_wave`), 0 .. 0.707.
    `orientation`: degrees in [0, 180), direction in which that wave changes: 0 is vertical stripes, 90 horizontal ones,
    45 stripes that run from the lower left to the upper right.
    `colourfulness`: share of the energy outside the gray part, 0 .. 1 (see `colourfulness`); 0 if there is one channel.
    `is_colour`: 1.0 where colourfulness is above `COLOUR` (a colour blob or colour edge), else 0.0 (a gray edge).
    `smoothness`: mean squared difference of neighbours over twice the variance (Geary's C), so that LOWER IS SMOOTHER:
    0 for no change between neighbours, exactly 1 on average for shuffled weights, towards 2 for a checkerboard. Fine
    oblique stripes, above about 0.35 cycles per pixel, are structure without being smooth.
    `smoother_than_null`: share of `SHUFFLES` random arrangements of the same weights that are less smooth, 0 .. 1.

    The null moves whole pixels, the channels together. Under "the arrangement means nothing" the pixels of a filter
    are exchangeable but its channels are not: they are correlated in any gray filter, and shuffling them apart would
    count one pattern as several independent ones, a null so narrow that gray noise would look significant.
    All filters meet the same arrangements, drawn from `seed`.

    NaN stands for what does not exist: everything of a filter with a non-finite weight; colour of an all-zero filter
    with several channels; the four spatial columns of a constant filter and of filters with fewer than 3 x 3 positions.
    """
    arrangements = _arrangements(weight.shape[2] * weight.shape[3], seed)
    rows = [_describe(filter_, arrangements) for filter_ in weight.astype(np.float64)]
    columns = np.array(rows, dtype=np.float64).reshape(-1, 6).T
    names = ("frequency", "orientation", "colourfulness", "is_colour", "smoothness", "smoother_than_null")
    return dict(zip(names, columns, strict=True))


def dominant_wave(filter_: Float[np.ndarray, "channel y x"]) -> tuple[float, float]:
    """(y, x) frequency in cycles per pixel, x >= 0, at which the power spectrum of a filter is strongest.

    The spectrum is that of the filter without each channel's mean, padded with zeros to `BINS` x `BINS` and summed over
    the channels: the true maximum is at most half a bin (0.004 cycles per pixel) away on each axis.
    """
    bins = max(BINS, 2 * max(filter_.shape[1:]))
    power = (np.abs(np.fft.rfft2(_centred(filter_), s=(bins, bins), axes=(1, 2))) ** 2).sum(axis=0)
    row, column = np.unravel_index(power.argmax(), power.shape)
    return float(np.fft.fftfreq(bins)[row]), float(np.fft.rfftfreq(bins)[column])


def colourfulness(filter_: Float[np.ndarray, "channel y x"]) -> float:
    """Share of a filter's energy that is not in its gray part, the mean over the channels; NaN for zeros."""
    if len(filter_) == 1:
        return 0.0
    energy = float((filter_**2).sum())
    return float(((filter_ - filter_.mean(axis=0)) ** 2).sum()) / energy if energy else float("nan")


def smoothness(
    filter_: Float[np.ndarray, "channel y x"], arrangements: Int[np.ndarray, "arrangement position"]
) -> Float[np.ndarray, " arrangement"]:
    """Geary's C of a filter whose pixels are rearranged (position p shows pixel arrangement[p]); lower is smoother."""
    pixels = _centred(filter_).reshape(len(filter_), -1)
    power = (pixels**2).sum(axis=0)
    distances = np.maximum(power[:, None] + power[None, :] - 2 * pixels.T @ pixels, 0)
    here, there = _neighbours(*filter_.shape[1:])
    variance = power.sum() / (power.size - 1)
    return np.asarray(distances[arrangements[:, here], arrangements[:, there]].mean(axis=1) / (2 * variance))


def _describe(filter_: Float[np.ndarray, "channel y x"], arrangements: Int[np.ndarray, "a p"]) -> tuple[float, ...]:
    nan = float("nan")
    if not np.isfinite(filter_).all():
        return (nan,) * 6
    filter_ = filter_ / (np.abs(filter_).max(initial=0) or 1)  # the scale means nothing here and could overflow
    colour = colourfulness(filter_)
    is_colour = nan if np.isnan(colour) else float(colour > COLOUR)
    if min(filter_.shape[1:]) < 3 or (_centred(filter_) ** 2).sum() <= FLAT * (filter_**2).sum():
        return nan, nan, colour, is_colour, nan, nan
    wave = dominant_wave(filter_)
    own, *null = smoothness(filter_, arrangements)
    rougher = np.array(null) > own * (1 + 1e-9)  # an arrangement that shows the same picture is a tie, not rougher
    orientation = float(np.degrees(np.arctan2(*wave))) % 180
    return float(np.hypot(*wave)), orientation, colour, is_colour, float(own), float(rougher.mean())


def _centred(filter_: Float[np.ndarray, "channel y x"]) -> Float[np.ndarray, "channel y x"]:
    return np.asarray(filter_ - filter_.mean(axis=(1, 2), keepdims=True))


def _neighbours(height: int, width: int) -> tuple[Int[np.ndarray, " pair"], Int[np.ndarray, " pair"]]:
    """The positions of every pair of horizontal and of vertical neighbours, each pair once."""
    grid = np.arange(height * width).reshape(height, width)
    here = np.concatenate([grid[:, :-1].ravel(), grid[:-1].ravel()])
    return here, np.concatenate([grid[:, 1:].ravel(), grid[1:].ravel()])


def _arrangements(positions: int, seed: int) -> Int[np.ndarray, "arrangement position"]:
    """The order as it is, then `SHUFFLES` random ones."""
    order = np.arange(positions)
    shuffled = np.random.default_rng(seed).permuted(np.tile(order, (SHUFFLES, 1)), axis=1)
    return np.concatenate([order[None], shuffled])
