"""Activations as they lie in channels_last memory -> their summary in one walk, and the kept extremes, as machine code.

Memory is [image, position, unit]. A walk takes positions four at a time and runs over the units, which are neighbours,
so that the compiler makes vector instructions of the inner loops. Two things let it: each loop works on one scratch
array with constant offsets (with an array each, the compiler gives up proving that they do not overlap), and indices
are unsigned (a negative one would count from the end).
"""

from typing import no_type_check

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from audit.stream.kernels.machine import machine

SPAN = 64
"""Positions that are summed in the activations' own precision; float64 takes over from there."""

UNITS = 256
"""Units that are walked together: their sums stay in the cache."""

AHEAD = 16
"""Positions between what is summed and what is called from memory: without the call, the walk waits half its time."""

TINY = 1e-30
"""Sums of squares below are done again in float64: float32 has no squares of numbers below 1e-19."""

SUM, SQUARE, LOW, HIGH, ABOVE, PIVOT, SCRATCH = (np.uintp(UNITS * place) for place in range(7))
MEAN, SPREAD, LEAST, MOST, LEAST_AT, MOST_AT, POSITIVE, STATE = (np.uintp(UNITS * place) for place in range(8))
ONE, TWO, THREE = np.uintp(1), np.uintp(2), np.uintp(3)


@intrinsic
@no_type_check
def call_from_memory(typing, values, index):
    """Asks for the cache line of `values[index]`, which may lie behind the end; nothing is read."""

    def code(context, builder, signature, arguments):
        place = builder.gep(context.make_array(signature.args[0])(context, builder, arguments[0]).data, [arguments[1]])
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        builder.call(prefetch, [builder.bitcast(place, pointer), *(ir.Constant(number, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(values, index), code


@machine
@no_type_check
def summarize(rows, first, last, fields):
    """Fills the fields of a summary for tasks first .. last - 1; a task is a block of up to UNITS units of an image."""
    (mean, squares), (minimum, peak), (minimum_at, peak_at, positive) = fields
    positions, units = rows.shape[1:]
    blocks = (units + UNITS - 1) // UNITS
    sums, state, flat = np.empty(SCRATCH, rows.dtype), np.empty(STATE, np.float64), rows.reshape(-1)
    for task in range(first, last):
        image, begin = task // blocks, task % blocks * UNITS
        count = min(UNITS, units - begin)
        _walk(flat, image * positions * units + begin, (positions, units, count), sums, state)
        for unit in range(count):
            place = (image, begin + unit)
            mean[place], squares[place] = state[MEAN + np.uintp(unit)], state[SPREAD + np.uintp(unit)]
            minimum[place], peak[place] = state[LEAST + np.uintp(unit)], state[MOST + np.uintp(unit)]
            minimum_at[place], peak_at[place] = state[LEAST_AT + np.uintp(unit)], state[MOST_AT + np.uintp(unit)]
            positive[place] = state[POSITIVE + np.uintp(unit)]
            if _doubtful(mean[place], squares[place], minimum[place] < peak[place]):
                mean[place], squares[place], spoiled = _plainly(rows[image, :, begin + unit])
                if spoiled:
                    minimum[place], peak[place] = np.nan, np.nan


@machine
@no_type_check
def _walk(flat, origin, shape, sums, state):
    """State of `count` of the units of one image, whose memory begins at `origin`."""
    positions, units, count = shape
    _begin(flat, (origin, units, min(positions, 8)), np.uintp(count), sums, state)
    for start in range(0, positions, SPAN):
        end = min(start + SPAN, positions)
        _clear(np.uintp(count), sums)
        fours = start + (end - start) // 4 * 4
        for position in range(start, fours, 4):
            _prefetch(flat, origin + (position + AHEAD) * units, units, count)
            _four(flat, np.uintp(origin + position * units), np.uintp(units), np.uintp(count), sums)
        for position in range(fours, end):
            _one(flat, np.uintp(origin + position * units), np.uintp(count), sums)
        _join(start, end, np.uintp(count), sums, state)


@machine
@no_type_check
def _begin(flat, start, count, sums, state):
    """The first pivot is the mean of the first few positions."""
    origin, units, few = np.uintp(start[0]), np.uintp(start[1]), np.uintp(start[2])
    for unit in range(count):
        first = flat[origin + unit]
        total = first - first
        for position in range(ONE, few):
            total += flat[origin + position * units + unit] - first
        sums[PIVOT + unit] = first + total / few
        state[MEAN + unit] = state[SPREAD + unit] = state[POSITIVE + unit] = 0
        state[LEAST + unit], state[MOST + unit] = np.inf, -np.inf
        state[LEAST_AT + unit] = state[MOST_AT + unit] = 0


@machine
@no_type_check
def _clear(count, sums):
    for unit in range(count):
        sums[SUM + unit] = sums[SQUARE + unit] = sums[ABOVE + unit] = 0
        sums[LOW + unit], sums[HIGH + unit] = np.inf, -np.inf


@machine
@no_type_check
def _prefetch(flat, place, units, count):
    for position in range(4):
        for line in range(0, count, 64 // flat.itemsize):
            call_from_memory(flat, np.uintp(place + position * units + line))


@machine
@no_type_check
def _four(flat, place, units, count, sums):
    """Adds four positions, from `place` on, to the sums of deviations from the pivot, the extremes and the count."""
    for unit in range(count):
        a, b = flat[place + unit], flat[place + units + unit]
        c, d = flat[place + TWO * units + unit], flat[place + THREE * units + unit]
        pivot = sums[PIVOT + unit]
        sums[ABOVE + unit] = _counted(d, _counted(c, _counted(b, _counted(a, sums[ABOVE + unit]))))
        sums[LOW + unit] = _lower(sums[LOW + unit], _lower(_lower(a, b), _lower(c, d)))
        sums[HIGH + unit] = _higher(sums[HIGH + unit], _higher(_higher(a, b), _higher(c, d)))
        a, b, c, d = a - pivot, b - pivot, c - pivot, d - pivot
        sums[SUM + unit] += (a + b) + (c + d)
        sums[SQUARE + unit] += (a * a + b * b) + (c * c + d * d)


@machine
@no_type_check
def _one(flat, place, count, sums):
    for unit in range(count):
        a = flat[place + unit]
        sums[ABOVE + unit] = _counted(a, sums[ABOVE + unit])
        sums[LOW + unit], sums[HIGH + unit] = _lower(sums[LOW + unit], a), _higher(sums[HIGH + unit], a)
        a -= sums[PIVOT + unit]
        sums[SUM + unit] += a
        sums[SQUARE + unit] += a * a


@machine
@no_type_check
def _join(start, end, count, sums, state):
    """Adds a span's sums to the state (Chan et al. 1979); its mean becomes the next pivot.

    A span's mean is never far from the next one's beside the spread of both: sum((x - pivot)**2) stays below 10 times
    the sum of squared deviations, so that nothing cancels, whatever the mean.
    """
    share, span = (end - start) / end, start // SPAN
    for unit in range(count):
        total = np.float64(sums[SUM + unit])
        offset = total / (end - start)
        mean = sums[PIVOT + unit] + offset
        gap = mean - state[MEAN + unit]
        state[SPREAD + unit] += _higher(sums[SQUARE + unit] - total * offset, 0.0) + gap * gap * (share * start)
        state[MEAN + unit] += gap * share
        state[POSITIVE + unit] += sums[ABOVE + unit]
        low, high = np.float64(sums[LOW + unit]), np.float64(sums[HIGH + unit])
        state[LEAST_AT + unit] = span if low < state[LEAST + unit] else state[LEAST_AT + unit]
        state[MOST_AT + unit] = span if high > state[MOST + unit] else state[MOST_AT + unit]
        state[LEAST + unit] = _lower(state[LEAST + unit], low)
        state[MOST + unit] = _higher(state[MOST + unit], high)
        sums[PIVOT + unit] = mean


@machine
@no_type_check
def _doubtful(mean, squares, varies):
    """Whether the sums were spoiled by what is not finite, or went below or beyond what squares of float32 can be."""
    return not (np.isfinite(mean) and np.isfinite(squares)) or (varies and squares < TINY)


@machine
@no_type_check
def _plainly(values):
    """(mean, sum of squared deviations, whether there is a NaN) of a unit's positions in float64, in two walks."""
    total, squares = 0.0, 0.0
    for value in values:
        total += value
    mean = total / len(values)
    spoiled = False
    for value in values:
        squares += (value - mean) ** 2
        spoiled |= value != value  # noqa: PLR0124 - so is NaN told
    return mean, squares, spoiled


@machine
@no_type_check
def _lower(one, other):
    return other if other < one else one


@machine
@no_type_check
def _higher(one, other):
    return other if other > one else one


@machine
@no_type_check
def _counted(value, count):
    return count + np.float32(1) if value > 0 else count
