"""Activations -> a histogram per unit with logarithmic bins that need no range beforehand; histogram -> quantiles."""

from collections.abc import Sequence
from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.data.compiled import compiled
from audit.records import Histogram, Scalars
from audit.stream.reducer import Activations
from audit.stream.sampling import sampled

POSITIONS = 32
"""How many positions of a picture are counted, at most."""

MANTISSA = 3
"""Bits of the mantissa that tell bins apart: 2**3 bins from a power of two to the next."""

LOWEST, HIGHEST = -20, 20
"""Powers of two between which magnitudes are told apart."""

STEPS = (HIGHEST - LOWEST) << MANTISSA
ZERO = STEPS + 1
BINS = 2 * ZERO + 1

RELATIVE_ERROR = 1 / (2 ** (MANTISSA + 1) + 1)
"""Of a quantile whose magnitude is between 2**LOWEST and 2**HIGHEST; below, the error is at most 2**LOWEST."""

QUANTILES = {"p01": 0.01, "p25": 0.25, "median": 0.5, "p75": 0.75, "p99": 0.99}

_SHIFT = 23 - MANTISSA  # of the bits of a float32
_FIRST = (127 + LOWEST) << MANTISSA
_INFINITE = 0x7F800000
_MAGNITUDE = 0x7FFFFFFF
_LIMIT = 2**31 - 1


class Distribution:
    """Counts, exactly, the activations at up to 32 positions of each picture, in bins 1/8 to 1/16 of their value wide.

    A bin is a float32's sign, exponent and upper mantissa bits (as in HdrHistogram, and DDSketch, Masson et al. 2019):
    no range is needed beforehand, and the states of any two parts add up. Exact zeros have a bin of their own. The
    state is 643 numbers per unit. The positions are chosen by `sampling`; were they independent, the rank of a quantile
    would be off by less than sqrt(1.84 / samples) with 95 % (Dvoretzky, Kiefer and Wolfowitz). Minimum and maximum are
    those of all positions.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.counts: Int[Tensor, "unit bin"] | None = None
        self.minimum: Float[Tensor, " unit"]
        self.maximum: Float[Tensor, " unit"]

    def update(self, batch: Activations) -> None:
        rows = sampled(batch, POSITIONS).flatten(0, 1).float()
        minimum, maximum = batch.summary.minimum.amin(dim=0), batch.summary.peak.amax(dim=0)
        if self.counts is None:
            self.counts = torch.zeros(rows.shape[1], BINS, dtype=torch.int32, device=rows.device)
            self.minimum, self.maximum = minimum, maximum
        self._make_room(len(rows))
        count(rows, self.counts)
        self.minimum, self.maximum = torch.minimum(self.minimum, minimum), torch.maximum(self.maximum, maximum)

    def merge(self, other: "Distribution") -> None:
        if other.counts is None:
            return
        if self.counts is None:
            self.samples, self.counts = other.samples, other.counts.clone()
            self.minimum, self.maximum = other.minimum, other.maximum
            return
        self._make_room(other.samples)
        self.counts = self.counts + other.counts
        self.minimum = torch.minimum(self.minimum, other.minimum)
        self.maximum = torch.maximum(self.maximum, other.maximum)

    def compute(self, layer: str) -> Histogram:
        """The bins that any unit of the layer uses, cut off at each unit's minimum and maximum.

        Bins outside of those have no width and no counts; that of the exact zeros has no width either. Edges are
        float32, all exact. A unit that was NaN or infinite anywhere has no edges (NaN), and so no quantiles.
        """
        assert self.counts is not None, "nothing was seen"
        counts = self.counts.cpu().numpy().astype(np.int64)
        ends = np.stack([side.float().cpu().numpy() for side in (self.minimum, self.maximum)], axis=1)
        readable = np.isfinite(ends).all(axis=1)
        first, last = _used(counts, ends[readable])
        edges = bin_edges()[None, first : last + 2].clip(ends[:, :1], ends[:, 1:])
        edges[~readable] = np.nan
        return Histogram(layer, edges, counts[:, first : last + 1])

    def _make_room(self, samples: int) -> None:
        """int64 from where a bin could hold more than int32 can."""
        assert self.counts is not None
        self.samples += samples
        if self.samples > _LIMIT:
            self.counts = self.counts.long()


def _used(counts: Int[np.ndarray, "unit bin"], ends: Float[np.ndarray, "readable 2"]) -> tuple[int, int]:
    """The first and the last bin that has a count, or in which a minimum or a maximum lies."""
    used = np.flatnonzero(counts.any(axis=0)).tolist()
    if len(ends):
        used += [np.searchsorted(bin_edges(), ends.min(), "right") - 1, np.searchsorted(bin_edges(), ends.max()) - 1]
    return int(min(used, default=ZERO)), int(max(used, default=ZERO))


def bin_edges() -> Float[np.ndarray, " edge"]:
    """All edges, ascending, exact in float32, mirrored about the zero and infinite at both ends.

    A bin holds its edge that is nearer to zero, and not the other one.
    """
    steps = np.arange(STEPS)
    magnitudes = np.ldexp(1 + (steps % 2**MANTISSA) / 2**MANTISSA, LOWEST + steps // 2**MANTISSA)
    positive = np.concatenate([magnitudes, [np.inf]])
    return np.concatenate([-positive[::-1], [0, 0], positive]).astype(np.float32)


def count(rows: Float[Tensor, "row unit"], counts: Int[Tensor, "unit bin"]) -> None:
    """Adds the finite float32 values of every unit to its counts, in place."""
    bits = rows.contiguous().view(torch.int32)
    if bits.device.type == "cpu":
        compiled(_count)(bits.numpy(), counts.numpy())
        return
    chosen = bins(bits) + torch.arange(bits.shape[1], device=bits.device) * BINS
    finite = (bits & _MAGNITUDE) < _INFINITE
    counts.view(-1).index_add_(0, chosen.flatten(), finite.flatten().to(counts.dtype))


def bins(bits: Int[Tensor, "row unit"]) -> Int[Tensor, "row unit"]:
    """The bin of each float32, given as its bits; the last bin of its sign for one that is not finite."""
    magnitude = bits & _MAGNITUDE
    away = (((magnitude >> _SHIFT) - _FIRST).clamp(-1, STEPS - 1) + 2).where(magnitude > 0, 0)
    return (ZERO + away.where(bits >= 0, -away)).long()


@no_type_check
def _count(bits, counts):
    rows, units = bits.shape
    for first in range(0, units, 16):  # the counts of so many units stay in the nearest cache
        for row in range(rows):
            for unit in range(first, min(first + 16, units)):  # without a branch: half of all activations are zero
                magnitude, negative = bits[row, unit] & _MAGNITUDE, bits[row, unit] >> 31
                away = (min(max((magnitude >> _SHIFT) - _FIRST, -1), STEPS - 1) + 2) * (magnitude > 0)
                counts[unit, np.uintp(ZERO + (away ^ negative) - negative)] += magnitude < _INFINITE


def quantiles(histogram: Histogram, shares: Sequence[float]) -> Float[np.ndarray, "unit share"]:
    """The smallest value that is at least as large as that share of each unit's values, in [0, 1].

    Off by at most RELATIVE_ERROR (see there for very small values); 0 and 1 give the exact minimum and maximum. NaN for
    a unit that was not finite, or that has no counts.
    """
    return np.stack([_quantile(histogram, share) for share in shares], axis=1)


def quantile_columns(histogram: Histogram) -> Scalars:
    """Percentiles 1, 25, 50, 75 and 99 of each unit: "p01", "p25", "median", "p75", "p99"."""
    values = quantiles(histogram, tuple(QUANTILES.values()))
    return Scalars(histogram.layer, dict(zip(QUANTILES, values.T, strict=True)))


def _quantile(histogram: Histogram, share: float) -> Float[np.ndarray, " unit"]:
    if not 0 <= share <= 1:
        raise ValueError(f"a quantile is asked for at {share}; from 0 to 1 there are some")
    below = histogram.counts.cumsum(axis=1)
    total = below[:, -1:]
    rank = np.ceil(share * total).clip(1, None)
    chosen = (below < rank).sum(axis=1, keepdims=True).clip(None, below.shape[1] - 1)
    edges = histogram.edges.astype(np.float64)
    low, high = (np.take_along_axis(edges, chosen + side, axis=1)[:, 0] for side in (0, 1))
    ends = {0.0: edges[:, 0], 1.0: edges[:, -1]}
    return np.where(total[:, 0] > 0, ends.get(share, _centre(low, high)), np.nan)


def _centre(low: Float[np.ndarray, " unit"], high: Float[np.ndarray, " unit"]) -> Float[np.ndarray, " unit"]:
    """The point whose relative error is the same at both ends of a bin; the middle of a bin that reaches zero."""
    total = low + high
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(low * high > 0, 2 * low * high / total, total / 2))
