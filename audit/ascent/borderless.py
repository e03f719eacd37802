"""A forward pass on the receptive field of a unit -> the same one without the positions that the unit does not see.

A convolution pads its map, and so has outputs that see the border. On a picture that is no larger than a unit's field
the unit sees none of these: it is enough to convolve without padding ("valid" convolutions), and maps shrink layer by
layer to the one position that is read. Where two branches meet, the larger map is cut to what both have.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional
from torch.utils.weak import WeakTensorKeyDictionary

from audit.model.hooks import JOINS
from audit.model.operators import Functions, Pair, tensors
from audit.model.positions import ARITHMETIC, ELEMENTWISE, POOLS, Convolution, Pool

Box = tuple[int, int, int, int]  # top, left, bottom, right, end exclusive


class NotFollowedError(Exception):
    """A function of which it is not known what its result has to do with the positions that it was given."""


class Borderless(Functions):
    """Inside, what is computed from a picture that `begin` was given is computed without borders.

    Every function that is not known raises NotFollowedError, so that nothing is wrong silently. Shapes may be asked
    for: whether what a network makes of them is right has to be tried (`audit.ascent.canvas.proven`).
    """

    def __init__(self) -> None:
        super().__init__(self._computed)
        self._first = WeakTensorKeyDictionary()

    def begin(self, picture: Tensor, box: Box) -> Tensor:
        """The part of the picture that is looked at."""
        return self._at(cut(picture, box), (box[0], box[1]))

    def end(self, output: Tensor) -> Pair:
        """Which position of the whole map is the first one of `output`; from here on functions are as usual."""
        if output not in self._first:
            raise NotFollowedError("the layer was made by a function that is not known")
        first: Pair = self._first[output]
        self._first.clear()
        return first

    def _computed(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        followed = [value for value in tensors([args, kwargs]) if value in self._first]
        if not followed:
            return function(*args, **kwargs)
        title = getattr(function, "__name__", "").strip("_")
        if function is functional.conv2d:
            return self._convolved(*args, **kwargs)
        for titles, computed in ((POOLS, self._pooled), (JOINS, self._joined), (ARITHMETIC, self._combined)):
            if title in titles:
                return computed(function, *args, **kwargs)
        result = function(*args, **kwargs)
        if title in ELEMENTWISE:
            return self._at(result, self._first[followed[0]])
        if any(True for _ in tensors(result)):
            raise NotFollowedError(title)
        return result

    def _convolved(self, *args: Any, **named: Any) -> Tensor:
        asked = Convolution.of(*args, **named)
        if isinstance(asked.padding, str):
            raise NotFollowedError(f"conv2d with padding {asked.padding}")
        seen, first = self._inside(asked.input, asked.stride, asked.padding)
        return self._at(asked.run(seen, (0, 0)), first)

    def _pooled(self, pool: Callable[..., Tensor], *args: Any, **named: Any) -> Tensor:
        """Maximum or mean; a window that `ceil_mode` adds sees the border."""
        asked = Pool.of(pool, *args, **named)
        seen, first = self._inside(asked.input, asked.stride, asked.padding)
        return self._at(asked.run(seen, (0, 0), ceil_mode=False), first)

    def _joined(self, join: Callable[..., Tensor], tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
        if dim not in (1, -3):
            raise NotFollowedError(f"{join.__name__} along axis {dim}")
        aligned, first = self._aligned(tensors)
        return self._at(join(aligned, dim), first)

    def _combined(self, function: Callable[..., Tensor], *values: Any, **named: Any) -> Tensor:
        """Arithmetic of maps with maps, numbers, and one number per unit."""
        maps = [at for at, value in enumerate(values) if isinstance(value, Tensor) and self._is_map(value)]
        aligned, first = self._aligned([values[at] for at in maps])
        there = dict(zip(maps, aligned, strict=True))
        return self._at(function(*(there.get(at, value) for at, value in enumerate(values)), **named), first)

    def _inside(self, value: Tensor, stride: Pair, padding: Pair) -> tuple[Tensor, Pair]:
        """The map from where the first window begins that sees no border, and the position of that window."""
        begins = self._first[value]
        first = [-(-(begin + pad) // step) for begin, pad, step in zip(begins, padding, stride, strict=True)]
        top, left = (
            at * step - pad - begin for at, step, pad, begin in zip(first, stride, padding, begins, strict=True)
        )
        return cut(value, (top, left, *value.shape[2:])), (first[0], first[1])

    def _aligned(self, maps: Sequence[Tensor]) -> tuple[list[Tensor], Pair]:
        """What all of the maps have, of each, and its first position."""
        if not all(value in self._first for value in maps):
            raise NotFollowedError("a map that was not made of the picture")
        begins = [self._first[value] for value in maps]
        top, left = (max(begin[axis] for begin in begins) for axis in (0, 1))
        ends = [(y + value.shape[2], x + value.shape[3]) for value, (y, x) in zip(maps, begins, strict=True)]
        bottom, right = (min(end[axis] for end in ends) for axis in (0, 1))
        boxes = [(top - y, left - x, bottom - y, right - x) for y, x in begins]
        return [cut(value, box) for value, box in zip(maps, boxes, strict=True)], (top, left)

    def _is_map(self, value: Tensor) -> bool:
        return value in self._first or value.shape[-2:].numel() > 1

    def _at(self, value: Tensor, first: Pair) -> Tensor:
        self._first[value] = first
        return value


def cut(value: Tensor, box: Box) -> Tensor:
    """The part of each map in the box; a slice's gradient would come in another memory order than the map's."""
    (top, left, bottom, right), (height, width) = box, value.shape[2:]
    margins = left, width - right, top, height - bottom
    return functional.pad(value, [-margin for margin in margins]) if any(margins) else value
