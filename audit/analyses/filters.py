"""The weights of units as pictures: what a filter of the first layer looks for, which channels a deeper one reads."""

import math
from typing import ClassVar

import numpy as np
from jaxtyping import Float, UInt8

from audit import events
from audit.analyses.task import Task
from audit.data.display import centred, rgb
from audit.errors import Unavailable
from audit.model.filters import describe
from audit.records import Layer, Outline, Pictures
from audit.stream.weights import layer_filters

PIXELS = 48
"""Tiles are enlarged, each weight a square, until their longer side has at least so many pixels."""

GRAY = 128

Filter = Float[np.ndarray, "channel y x"]


class Filters:
    """The weights themselves, gray being zero (CS231n; seeds D3).

    A filter over one or three channels is one picture, over three in colour. A deeper one is a gray picture per input
    channel, the strongest by their sum of magnitudes first, all on one scale. A linear layer has pictures where what it
    reads is a map or the image; elsewhere its weights have no places, and it is Unavailable.
    """

    needs_data: ClassVar[bool] = False

    def run(self, task: Task) -> Pictures:
        """Tiles by strength; as many as `images`, or as there are channels."""
        filters = _spatial(layer_filters(task.model, task.layer).float().cpu().numpy(), task)
        in_one = filters.shape[1] in (1, 3)
        count = 1 if in_one else min(task.section.images, filters.shape[1])
        tiles, captions = [], []
        name = f"{task.model.section.name}: filters of {task.layer.name}"
        with events.work(task.listener, name, len(task.units)) as advance:
            for unit in task.units:
                channels = [None] if in_one else _strongest(filters[unit], count)
                tiles.append(np.stack([_tile(filters[unit], channel) for channel in channels]))
                captions.append(tuple(_caption(filters[unit], channel, task.seed) for channel in channels))
                advance(1)
        return Pictures(
            layer=task.layer.name,
            kind="filters",
            units=task.units,
            tiles=np.stack(tiles),
            captions=tuple(captions),
            groups=("weights",),
            note=_note(filters.shape, count),
        )


def _spatial(weights: Float[np.ndarray, " unit *axis"], task: Task) -> Float[np.ndarray, "unit channel y x"]:
    """The filters with the axes of a map; Unavailable, saying why, where there are none."""
    if weights.ndim == 4:
        return weights
    if weights.ndim != 2:
        raise Unavailable(f"filters of {task.layer.name} have {weights.ndim - 2} axes of positions; a picture has two")
    channels, height, width = _read(task.model.outline, task.layer, weights.shape[1])
    return weights.reshape(len(weights), channels, height, width)


def _read(outline: Outline, layer: Layer, inputs: int) -> tuple[int, int, int]:
    """Channels, height and width of the map that a linear layer reads: the nearest before it, or the image."""
    index = next(index for index, other in enumerate(outline.layers) if other.name == layer.name)
    for before in reversed(outline.layers[:index]):
        if math.prod(before.shape) != inputs:
            raise Unavailable(
                f"{layer.name} reads a vector of {inputs} numbers: its weights have no places in a picture"
            )
        if before.map_size != (1, 1):
            return before.units, *before.map_size
    if math.prod(outline.input_shape) == inputs:
        return outline.input_shape
    raise Unavailable(f"{layer.name} reads {inputs} numbers, which are neither a map nor the image")


def _strongest(filter_: Filter, count: int) -> list[int | None]:
    """Input channels by the sum of their weights' magnitudes, strongest first; of equal ones the earlier first."""
    return list(np.argsort(-np.abs(filter_).sum(axis=(1, 2)), kind="stable")[:count].tolist())


def _tile(filter_: Filter, channel: int | None) -> UInt8[np.ndarray, "tall wide 3"]:
    """One channel of a filter, or all in colour, by the filter's largest magnitude; gray if that is not finite."""
    chosen = slice(None) if channel is None else slice(channel, channel + 1)
    if np.isfinite(filter_).all():
        small = rgb(centred(filter_)[chosen])
    else:
        small = np.full((*filter_.shape[1:], 3), GRAY, np.uint8)
    times = math.ceil(PIXELS / max(small.shape[:2]))
    return np.asarray(small.repeat(times, axis=0).repeat(times, axis=1))


def _caption(filter_: Filter, channel: int | None, seed: int) -> str:
    """Strength and pattern, or why there is nothing to see."""
    if not np.isfinite(filter_).all():
        return "nothing to show: a weight is NaN or infinite"
    if channel is None:
        return " · ".join([f"norm {_norm(filter_):.3g}", *_pattern(filter_, seed)])
    share = _norm(filter_[channel]) / _norm(filter_) if filter_.any() else 0.0
    return f"input {channel} · norm {_norm(filter_[channel]):.3g} ({share:.0%} of the filter's)"


def _pattern(filter_: Filter, seed: int) -> list[str]:
    """What can be said of it: constant filters have no frequency, gray ones no colour, small ones no smoothness."""
    of = {name: float(values[0]) for name, values in describe(filter_[None], seed).items()}
    texts = []
    if not math.isnan(of["frequency"]):
        texts.append(f"{of['frequency']:.2f} cycles/px at {of['orientation']:.0f}°")
    if len(filter_) == 3 and not math.isnan(of["colourfulness"]):
        texts.append(f"colourfulness {of['colourfulness']:.2f}")
    if not math.isnan(of["smoother_than_null"]):
        texts.append(f"smoother than {of['smoother_than_null']:.0%} of its shuffles")
    return texts


def _norm(weights: Float[np.ndarray, "..."]) -> float:
    return float(np.linalg.norm(weights.astype(np.float64)))


def _note(shape: tuple[int, ...], count: int) -> str:
    _, channels, height, width = shape
    size = f"{height} x {width} weights"
    if channels in (1, 3):
        colour = "in the colours that it looks for; " if channels == 3 else ""
        return f"The weights of each unit, {size}, {colour}gray is zero, each unit by its own largest weight."
    return (
        f"The weights of each unit to the {count} of its {channels} input channels that it reads most, {size}; "
        "gray is zero, bright positive, each unit by its own largest weight."
    )
