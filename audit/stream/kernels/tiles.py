"""The summary of activations on a CUDA device as one Triton kernel: a program walks some units of an image by tiles."""

from typing import no_type_check

import triton
import triton.language as tl


@triton.jit
@no_type_check
def summarize(  # noqa: PLR0917 - a kernel takes pointers and numbers, by position
    maps,
    mean,
    squares,
    minimum,
    peak,
    minimum_at,
    peak_at,
    positive,
    positions,
    units,
    by_image,
    by_unit,
    by_position,
    POSITIONS: tl.constexpr,  # noqa: N803 - so are constants named, here too
    UNITS: tl.constexpr,  # noqa: N803
):
    """Fills the summary [image, unit]; `maps` is read by its strides, whatever its layout.

    A tile is read once: its squares are taken about its own mean and joined with the earlier ones in float64 (Chan et
    al. 1979). Deviations are divided by the largest of the tile before they are squared, for float32 has no squares
    above 1e38 or below 1e-38.
    """
    image = tl.program_id(0).to(tl.int64)
    unit = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    there = unit < units
    origin = maps + image * by_image + unit.to(tl.int64)[None, :] * by_unit
    total = tl.zeros([UNITS], tl.float64)
    middle = tl.zeros([UNITS], tl.float64)
    spread = tl.zeros([UNITS], tl.float64)
    spoiled = tl.zeros([UNITS], tl.int32)
    above = tl.zeros([UNITS], tl.int32)
    least = tl.full([UNITS], float("inf"), tl.float32)
    most = tl.full([UNITS], float("-inf"), tl.float32)
    least_at = tl.zeros([UNITS], tl.int32)
    most_at = tl.zeros([UNITS], tl.int32)
    for start in range(0, positions, POSITIONS):
        position = start + tl.arange(0, POSITIONS)
        inside = (position < positions)[:, None] & there[None, :]
        tile = tl.load(origin + position.to(tl.int64)[:, None] * by_position, mask=inside, other=0).to(tl.float32)
        count = tl.minimum(positions - start, POSITIONS).to(tl.float64)
        number = inside & (tile == tile)  # noqa: PLR0124 - so is NaN told
        spoiled += tl.sum((inside & ~number).to(tl.int32), axis=0)
        above += tl.sum((tile > 0).to(tl.int32), axis=0)
        low, low_at = tl.min(tl.where(number, tile, float("inf")), axis=0, return_indices=True)
        high, high_at = tl.max(tl.where(number, tile, float("-inf")), axis=0, return_indices=True)
        least_at = tl.where(low < least, start + low_at, least_at)
        most_at = tl.where(high > most, start + high_at, most_at)
        least = tl.where(low < least, low, least)
        most = tl.where(high > most, high, most)
        part = tl.sum(tile.to(tl.float64), axis=0)
        pivot = (part / count).to(tl.float32)
        away = tl.where(inside, tile - pivot[None, :], 0.0)
        largest = tl.max(tl.abs(away), axis=0)
        largest = tl.where(largest > 0, largest, 1.0)
        away = away / largest[None, :]
        scale = largest.to(tl.float64)
        rest = tl.sum(away.to(tl.float64), axis=0)
        square = tl.sum((away * away).to(tl.float64), axis=0) - rest * rest / count
        gap = pivot.to(tl.float64) + scale * rest / count - middle
        share = count / (start + count)
        spread += tl.where(square > 0, square, 0.0) * scale * scale + gap * gap * share * start
        middle += gap * share
        total += part
    finite = tl.abs(total) < float("inf")
    place = image * units + unit
    tl.store(mean + place, tl.where(finite, middle, total / positions), mask=there)
    tl.store(squares + place, tl.where(finite, spread, float("nan")), mask=there)
    tl.store(minimum + place, tl.where(spoiled > 0, float("nan"), least), mask=there)
    tl.store(peak + place, tl.where(spoiled > 0, float("nan"), most), mask=there)
    tl.store(minimum_at + place, least_at, mask=there)
    tl.store(peak_at + place, most_at, mask=there)
    tl.store(positive + place, above, mask=there)
