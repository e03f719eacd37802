"""The gradient of a network's stem, a convolution of an image with ReLU and maximum behind it, from the maximum's.

Behind a maximum of 3 x 3 at every second position at most a quarter of the convolution's outputs have a gradient, and
only those that are above zero. A dense gradient of them all reads and writes the largest maps of the network, to
multiply mostly zeros: here those that have one are listed by their position, and the weights of each are added to the
image that it saw. The outcome is the same sum in another order.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from audit.data.compiled import compiled, in_threads

LANES = 32
"""Numbers that rows of weights are filled up to a multiple of: what a vectorised loop takes in one step."""


@dataclass(frozen=True)
class Stem:
    """A convolution: its `table` of weights, how it moves over the image, and the shape of that: channel, y, x."""

    table: Float[Tensor, "unit ky lane"]
    stride: tuple[int, int]
    padding: tuple[int, int]
    shape: tuple[int, int, int]

    def gradient(
        self,
        pooled: Float[Tensor, "image unit py px"],
        on: Bool[Tensor, "image unit py px"],
        at: Int[Tensor, "image unit py px"],
        size: tuple[int, int],
    ) -> Float[Tensor, "image channel y x"]:
        """Of the image, from that of the `pooled` map, whose values above 0 are `on`.

        `at` is where in the convolution's map each of them comes from: y * width + x, in a map of that `size`.
        """
        images, (channels, height, across) = len(pooled), self.shape
        (top, left), (sy, sx), (_, kernel, lanes) = self.padding, self.stride, self.table.shape
        row = (across + 2 * left) * channels + lanes  # what the lanes are filled with lands behind the row
        found = pooled.new_zeros(images, height + 2 * top, row)
        values, positive, places = (
            numbers.permute(0, 2, 3, 1).flatten(1, 2).contiguous().numpy() for numbers in (pooled, on, at)
        )
        table, flat = self.table.numpy().reshape(-1), found.numpy().reshape(images, -1)
        geometry = tuple(map(np.uintp, (sy * row, sx * channels, row, kernel, lanes)))
        apart = -(-lanes // (sx * channels))

        def part(first: int, end: int) -> None:
            list_places, add_weights = compiled(_list_places), compiled(_add_weights, "contract")
            # one array with the sums, so that no overlap is to be feared
            weights = np.concatenate((np.zeros(kernel * lanes, table.dtype), table))
            last, before, unit = np.empty(size, np.int64), *np.empty((2, values[0].size), np.int32)
            value = np.empty(values[0].size, values.dtype)
            for image in range(first, end):
                list_places(values[image], positive[image], places[image], (last, before, unit, value))
                add_weights((last, before, unit, value), weights, flat[image], geometry, apart)

        in_threads(part, images, torch.get_num_threads())
        inside = found[:, top : top + height, left * channels : (left + across) * channels]
        return inside.reshape(images, height, across, channels).permute(0, 3, 1, 2)


def table_of(weight: Float[Tensor, "unit channel ky kx"]) -> Float[Tensor, "unit ky lane"]:
    """Rows of the weights as an image in channels_last memory has its pixels, filled up with zeros."""
    rows = weight.permute(0, 2, 3, 1).flatten(2)
    return functional.pad(rows, (0, -rows.shape[2] % LANES)).contiguous()


@no_type_check
def _list_places(values, on, places, entries):
    """Writes all values that are on as entries: which is the last one of each place, and which came before which."""
    last, before, unit, value = entries
    flat, listed = last.reshape(-1), 0
    flat[:] = -1
    for position in range(values.shape[0]):
        for channel in range(values.shape[1]):
            new = values[position, channel]
            if new != 0 and on[position, channel]:
                place = places[position, channel]
                before[listed], unit[listed], value[listed] = flat[place], channel, new
                flat[place] = listed
                listed += 1


@no_type_check
def _add_weights(entries, weights, image, geometry, apart):
    """Adds to the image, behind each place, the weights times the values of its entries; all of a place at once.

    Neighbours follow each other at least `apart` places away: what a processor reads right after it wrote parts of it,
    it waits for.
    """
    last, before, unit, value = entries
    down, across, row, kernel, lanes = geometry
    size, one = kernel * lanes, np.uintp(1)
    for y in range(last.shape[0]):
        for start in range(apart):
            for x in range(start, last.shape[1], apart):
                entry = last[y, x]
                if entry < 0:
                    continue
                for lane in range(size):
                    weights[lane] = 0
                while entry >= 0:
                    factor, of = value[entry], size * (one + np.uintp(unit[entry]))
                    for lane in range(size):
                        weights[lane] += factor * weights[of + lane]
                    entry = before[entry]
                to, of = np.uintp(y) * down + np.uintp(x) * across, np.uintp(0)
                for _ in range(kernel):
                    for lane in range(lanes):
                        image[to + lane] += weights[of + lane]
                    to, of = to + row, of + lanes
