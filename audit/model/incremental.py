"""A picture, and many that differ from it in a box -> one forward pass of what the boxes can change.

Layer by layer the box grows as receptive fields do. Around it a convolution reads the map of the unchanged picture,
which is computed once for all; what lies beyond the reach of a box is what it was (incremental inference: Nakandala,
Kumar and Papakonstantinou 2019, "Incremental and approximate inference for faster occlusion-based deep CNN
explanations", section 3).
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional
from torch.utils.weak import WeakTensorKeyDictionary

from audit.model import winograd
from audit.model.hooks import JOINS
from audit.model.operators import Functions, Pair, pair, tensors
from audit.model.positions import ARITHMETIC, ELEMENTWISE, POOLS, Convolution, Pool
from audit.model.prepared import Prepared

Places = Int[np.ndarray, "picture axis"]  # y, x
Run = Callable[[Tensor], Tensor]  # maps with their padding -> the next maps


@dataclass(frozen=True)
class _Part:
    """Where in each picture's map the computed part begins, and the whole map of the unchanged picture."""

    first: Places
    base: Float[Tensor, "1 unit y x"]

    @property
    def size(self) -> Pair:
        """Of the whole map."""
        return pair(self.base.shape[2:])


@dataclass(frozen=True)
class _Windows:
    """How a convolution or a pool walks over a map."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    def reached(self, first: Places, length: Pair, size: Pair) -> tuple[Places, Pair]:
        """Of the next map, which has that `size`, what parts of `length` from `first` on reach, cut to one length.

        All parts have the length of the longest, and are moved so that they lie in the map.
        """
        reach = [step * (kernel - 1) for step, kernel in zip(self.dilation, self.kernel, strict=True)]
        begins = np.stack(
            [-(-(first[:, axis] + self.padding[axis] - reach[axis]) // self.stride[axis]) for axis in (0, 1)], axis=1
        )
        ends = np.stack(
            [(first[:, axis] + length[axis] - 1 + self.padding[axis]) // self.stride[axis] + 1 for axis in (0, 1)],
            axis=1,
        )
        return together(begins, ends, size)

    def read(self, first: Places, length: Pair) -> tuple[Places, Pair]:
        """Of the map itself, with its padding, what these parts of the next one are made of."""
        begins = first * np.array(self.stride) - np.array(self.padding)
        spans = [
            (count - 1) * stride + (kernel - 1) * dilation + 1
            for count, stride, kernel, dilation in zip(length, self.stride, self.kernel, self.dilation, strict=True)
        ]
        return begins, (spans[0], spans[1])


class NotFollowedError(Exception):
    """A network changed a map in place in a way that cannot be followed."""


class Incremental(Functions):
    """Inside, what a network computes from pictures that `begin` was given is computed where they differ.

    It is what whole forward passes give but for rounding; wide convolutions in float32 are made by `winograd`.

    Functions that keep positions apart are followed; before all others, maps are put together to whole ones, so that
    any network may be run. All pictures are independent of each other, as in inference.
    """

    def __init__(self) -> None:
        super().__init__(self._computed)
        self._parts: MutableMapping[Tensor, _Part] = WeakTensorKeyDictionary()
        self._quick = Prepared(winograd.prepared)
        # made of whole maps, one for each picture
        self._of_each: MutableMapping[Tensor, bool] = WeakTensorKeyDictionary()

    def begin(
        self,
        picture: Float[Tensor, "1 channel y x"],
        changed: Float[Tensor, "picture channel a b"],
        first: Places,
    ) -> Tensor:
        """Pictures that are `picture` but for boxes of a size, which begin at `first` and show `changed`."""
        return self._at(changed, first, picture)

    def at(self, output: Tensor, place: Pair) -> Float[Tensor, "picture unit"]:
        """All units of a layer at a position, in every picture."""
        if output not in self._parts:
            return output[:, :, place[0], place[1]]
        part = self._parts[output]
        with torch._C.DisableTorchFunction():  # in here the tensor has its own shape, not that of the whole map
            return self._gathered(output, part, np.tile(place, (len(part.first), 1)), (1, 1))[:, :, 0, 0]

    def _computed(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        given = list(tensors([args, kwargs]))
        followed = [value for value in given if value in self._parts]
        if not followed:
            result = function(*args, **kwargs)
            return self._marked(result) if any(value in self._of_each for value in given) else result
        title = getattr(function, "__name__", "").strip("_")
        if title == "get":  # an attribute
            found = function(self._seeming(args[0]), *args[1:], **kwargs)
            return self._by_whole_maps(function, args, kwargs) if isinstance(found, Tensor) else found
        if title in {"size", "dim", "numel", "len"}:
            return function(self._seeming(args[0]), *args[1:], **kwargs)
        if any(value in self._of_each for value in given):
            return self._by_whole_maps(function, args, kwargs)
        if title in ELEMENTWISE and len(followed) == 1:
            part = self._parts[followed[0]]
            result = function(*args, **kwargs)
            swapped = _replaced((args, dict(kwargs)), lambda value: part.base if value is followed[0] else value)
            return self._at(result, part.first, function(*swapped[0], **swapped[1]))
        made = None
        if function is functional.conv2d:
            made = self._convolved(*args, **kwargs)
        elif title in POOLS:
            made = self._pooled(function, *args, **kwargs)
        elif title in JOINS:
            made = self._joined(function, *args, **kwargs)
        elif title in ARITHMETIC:
            made = self._combined(function, args, kwargs)
        return self._by_whole_maps(function, args, kwargs) if made is None else made

    def _by_whole_maps(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        whole = _replaced((args, dict(kwargs)), lambda value: self._whole(value) if value in self._parts else value)
        return self._marked(function(*whole[0], **whole[1]))

    def _marked(self, result: Any) -> Any:
        for value in tensors([result]):
            self._of_each[value] = True
        return result

    def _convolved(self, *args: Any, **named: Any) -> Tensor | None:
        asked = Convolution.of(*args, **named)
        if isinstance(asked.padding, str) or asked.weight in self._parts:
            return None
        windows = _Windows(pair(asked.weight.shape[2:]), asked.stride, asked.padding, asked.dilation)
        plain = (asked.stride, asked.dilation, asked.groups) == ((1, 1), (1, 1), 1)
        places = self._quick.of(asked.weight) if plain and winograd.suits(asked.weight) else None

        def run(shown: Tensor) -> Tensor:
            if places is None or len(shown) * prod(winograd.tiles(pair(shown.shape[2:]))) < winograd.FEWEST_TILES:
                return asked.run(shown, (0, 0))
            made = winograd.convolved(shown, places)
            return made if asked.bias is None else made + asked.bias.view(-1, 1, 1)

        base = asked.run(self._parts[asked.input].base, asked.padding)
        return self._windowed(asked.input, windows, run, base)

    def _pooled(self, pool: Callable[..., Any], *args: Any, **named: Any) -> Tensor | None:
        """Maximum; or mean, where no window of it reaches beyond the map."""
        asked = Pool.of(pool, *args, **named)
        beyond = asked.padding != (0, 0) or asked.ceil_mode
        if asked.says_where or (beyond and not asked.is_maximum):
            return None
        windows = _Windows(asked.kernel, asked.stride, asked.padding, asked.dilation)
        base = asked.run(self._parts[asked.input].base, asked.padding)
        fill = -torch.inf if asked.is_maximum else 0.0
        return self._windowed(asked.input, windows, lambda shown: asked.run(shown, (0, 0), ceil_mode=False), base, fill)

    def _windowed(self, input: Tensor, windows: _Windows, run: Run, base: Tensor, fill: float = 0.0) -> Tensor:
        """`base` is what becomes of the unchanged picture; `fill` stands beyond the border."""
        part = self._parts[input]
        first, length = windows.reached(part.first, pair(input.shape[2:]), pair(base.shape[2:]))
        return self._at(run(self._gathered(input, part, *windows.read(first, length), fill)), first, base)

    def _joined(self, join: Callable[..., Tensor], maps: Sequence[Tensor], dim: int = 0) -> Tensor | None:
        if dim not in (1, -3) or not all(value in self._parts for value in maps):
            return None
        aligned, first = self._aligned(maps)
        return self._at(join(aligned, dim), first, join([self._parts[value].base for value in maps], dim))

    def _combined(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Tensor | None:
        """Arithmetic of maps with maps of the same size, numbers, and one number per unit."""
        at = [place for place, value in enumerate(args) if isinstance(value, Tensor) and value in self._parts]
        others = [value for value in tensors([args, kwargs]) if value not in self._parts]
        parts = [self._parts[args[place]] for place in at]
        if not at or any(value.shape[-2:].numel() > 1 for value in others) or len({part.size for part in parts}) > 1:
            return None
        aligned, first = self._aligned([args[place] for place in at])
        shown, base = list(args), list(args)
        for place, value, part in zip(at, aligned, parts, strict=True):
            shown[place], base[place] = value, part.base
        result = function(*shown, **kwargs)
        if result is shown[0] and result is not args[0]:
            raise NotFollowedError(f"{function.__name__} in place, of maps that changed in different places")
        return self._at(result, first, function(*base, **kwargs))

    def _aligned(self, maps: Sequence[Tensor]) -> tuple[list[Tensor], Places]:
        """What any of the maps has, of each."""
        parts = [self._parts[value] for value in maps]
        begins = np.minimum.reduce([part.first for part in parts])
        ends = np.maximum.reduce(
            [part.first + np.array(value.shape[2:]) for part, value in zip(parts, maps, strict=True)]
        )
        first, length = together(begins, ends, parts[0].size)
        return [self._gathered(value, part, first, length) for value, part in zip(maps, parts, strict=True)], first

    def _whole(self, value: Tensor) -> Tensor:
        part = self._parts[value]
        return self._gathered(value, part, np.zeros_like(part.first), part.size)

    def _seeming(self, value: Tensor) -> Tensor:
        """A tensor of the whole map's shape."""
        return self._parts[value].base.expand(len(value), -1, -1, -1)

    def _gathered(self, value: Tensor, part: _Part, first: Places, length: Pair, fill: float = 0.0) -> Tensor:
        """The map from `first` on, of its computed part and what else is known of it; `fill` beyond its border."""
        pictures, units, *own = value.shape
        if length == tuple(own) and np.array_equal(first, part.first):
            return value
        ys, xs = (first[:, axis, None] + np.arange(length[axis]) for axis in (0, 1))
        y, x = ys - part.first[:, 0, None], xs - part.first[:, 1, None]
        computed = _both((y >= 0) & (y < own[0]), (x >= 0) & (x < own[1]))
        known = _both((ys >= 0) & (ys < part.size[0]), (xs >= 0) & (xs < part.size[1]))
        beyond = part.size[0] * part.size[1]
        picture = np.arange(pictures)[:, None, None] * own[0] * own[1] + beyond + 1
        there = picture + y[:, :, None] * own[1] + x[:, None, :]
        index = np.where(computed, there, np.where(known, ys[:, :, None] * part.size[1] + xs[:, None, :], beyond))
        rows = torch.cat([_rows(part.base), value.new_full((1, units), fill), _rows(value)])
        found = rows.index_select(0, torch.from_numpy(index.reshape(-1)).to(rows.device))
        return found.view(pictures, *length, units).permute(0, 3, 1, 2)

    def _at(self, value: Tensor, first: Places, base: Tensor) -> Tensor:
        self._parts[value] = _Part(first, base)
        return value


def together(begins: Places, ends: Places, size: Pair) -> tuple[Places, Pair]:
    """Boxes cut to a map of that size, all as long as the longest, and moved so that they lie in it."""
    bounds = np.array(size)
    begins, ends = np.clip(begins, 0, bounds), np.clip(ends, 0, bounds)
    length = np.maximum((ends - begins).max(axis=0), 1)
    return np.minimum(begins, bounds - length), (int(length[0]), int(length[1]))


def _both(rows: Any, columns: Any) -> Any:
    return rows[:, :, None] & columns[:, None, :]


def _rows(maps: Float[Tensor, "picture unit y x"]) -> Float[Tensor, "place unit"]:
    return maps.permute(0, 2, 3, 1).flatten(0, 2)


def _replaced(values: Any, swap: Callable[[Tensor], Tensor]) -> Any:
    """Nested tuples, lists and dicts with every tensor swapped."""
    if isinstance(values, Tensor):
        return swap(values)
    if isinstance(values, (tuple, list)):
        return type(values)(_replaced(value, swap) for value in values)
    if isinstance(values, dict):
        return {key: _replaced(value, swap) for key, value in values.items()}
    return values
