"""Extremes of a batch -> the largest that were seen so far, and where each is, as machine code."""

from typing import no_type_check

import numpy as np

from audit.stream.kernels.machine import machine
from audit.stream.kernels.walk import SPAN


@machine
@no_type_check
def keep(rows, batch, sign, kept):
    """Enters `sign` times the extremes [row, unit] of the images into the kept ones [unit, place], largest first.

    `rows` are the activations [row, position, unit]: only the span of an extreme that stays is looked through. An
    equal one that came earlier keeps its place, a NaN has none. `least` becomes the smallest that was seen.
    """
    (extreme, span_at, images), (value, image, where, least) = batch, kept
    for row in range(len(extreme)):
        for unit in range(extreme.shape[1]):
            new = sign * extreme[row, unit]
            if new < least[unit]:  # noqa: PLR1730 - min() would take a NaN
                least[unit] = new
            if new > value[unit, -1]:
                _enter(new, row, images[row], (value[unit], image[unit], where[unit]))
    for unit in range(len(value)):
        for place in range(value.shape[1]):
            if where[unit, place] < 0:
                row = -1 - where[unit, place]
                begin = span_at[row, unit] * SPAN
                where[unit, place] = _found(rows[row, :, unit], begin, begin + SPAN, sign * value[unit, place])


@machine
@no_type_check
def _enter(new, row, number, places):
    """Puts an extreme behind all that are at least as large; its position in the row is looked for later."""
    value, image, where = places
    place = len(value) - 1
    while place > 0 and new > value[place - 1]:
        value[place], image[place], where[place] = value[place - 1], image[place - 1], where[place - 1]
        place -= 1
    value[place], image[place], where[place] = new, number, -1 - row


@machine
@no_type_check
def _found(values, begin, end, extreme):
    """The first position from `begin` on, and before `end`, that has the value."""
    for position in range(begin, min(end, len(values))):
        if values[position] == extreme:
            return np.int64(position)
    return np.int64(begin)
