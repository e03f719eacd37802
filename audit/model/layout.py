"""The operations of one forward pass -> what the axes of a tensor are: images, units, positions; for any graph.

Units are what a layer's weights make: the channels of a convolution (axis 1), the features of a linear layer (the last
axis), the entries that a normalisation has weights for. From there their axis is followed through every operator, below
autograd: elementwise ones keep it, permutations move it, a view splits and joins it.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from math import prod
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from audit.model.operators import Operators, arguments, tensors
from audit.model.receptive_field import CREATIONS, Fields

Role = Literal["image", "unit", "position", "unknown"]
Axis = tuple[tuple[Role, int], ...]
"""What an axis runs over, outermost first: (("image", 2), ("position", 4)) are the four windows of two images."""
Axes = tuple[Axis, ...]

DRY_IMAGES = 2
"""Images of the dry pass; with one, a positional embedding [1, token, channel] would look like a batch."""


class Layouts:
    """Follows everything computed from `images` inside the `with`; `fields` tells what depends on them."""

    def __init__(self, images: Float[Tensor, "image channel y x"], fields: Fields):
        roles: tuple[Role, ...] = ("image", "unit", "position", "position")
        self._fields = fields
        self._axes = WeakTensorKeyDictionary()
        self._axes[images] = tuple(((role, size),) for role, size in zip(roles, images.shape, strict=True))
        self._modes = ExitStack()

    def __enter__(self) -> "Layouts":
        self._modes.enter_context(_Followed(self._follow))
        return self

    def __exit__(self, *_: object) -> None:
        self._modes.close()

    def of(self, output: Tensor) -> tuple[str, ...] | None:
        """ "image", "unit" or "position" for each axis of `output`; None where no axis is the images, as in windows.

        Where the units were lost they are, by convention, on the last of three axes, and on the first after the images
        of any other number. What does not depend on the images has a row for each of them, or no layout.
        """
        axes = self._known(output) or self._lost(output)
        images = [i for i, axis in enumerate(axes) if "image" in _roles(axis)]
        if len(axes) < 2 or len(images) != 1 or not _is(axes[images[0]], "image"):
            return None
        (image,) = images
        units = _units(axes) or [_conventional([i for i in range(len(axes)) if i != image])]
        return tuple("image" if i == image else "unit" if i in units else "position" for i in range(len(axes)))

    def _known(self, value: Tensor) -> Axes | None:
        """The axes of a tensor; None if it does not depend on the images."""
        if value in self._axes:
            found: Axes = self._axes[value]
            return found
        return None if self._fields.seen(value) is None else self._lost(value)

    def _lost(self, value: Tensor) -> Axes:
        return tuple(
            (("image" if not i and size == DRY_IMAGES else "unknown", size),) for i, size in enumerate(value.shape)
        )

    def _follow(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name = operator.overloadpacket.__name__
        call = _Call(self._known, arguments(operator, args, kwargs))  # asked before the operator may change them
        result = operator(*args, **kwargs)
        if call.known and name not in CREATIONS:
            rule = RULES.get(name.rstrip("_"), _alike)
            for value in tensors(result):
                axes = rule(call, value)
                fits = axes is not None and len(axes) == value.dim()
                self._axes[value] = _fitted(axes, value.shape) if axes is not None and fits else self._lost(value)
        return result


class _Followed(Operators):  # type: ignore[no-untyped-call]
    def __init__(self, follow: Callable[..., Any]):
        super().__init__()
        self._follow = follow

    def execute(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._follow(operator, args, kwargs)


class _Call:
    """The arguments of an operator, and the axes of those that depend on the images."""

    def __init__(self, axes_of: Callable[[Tensor], Axes | None], given: dict[str, Any]):
        self._given = given
        self._by_name = {name: axes_of(value) for name, value in given.items() if isinstance(value, Tensor)}
        self.known = [axes for value in tensors(list(given.values())) if (axes := axes_of(value)) is not None]

    def __getitem__(self, name: str) -> Any:
        return self._given[name]

    def get(self, name: str) -> Any:
        return self._given.get(name)

    def axes(self, name: str) -> Axes | None:
        """Those of the tensor of that name; None if it does not depend on the images."""
        return self._by_name.get(name)

    @property
    def main(self) -> Axes:
        """Those of the tensor that the operator is a method of, else of the first that depends on the images."""
        return self.axes("self") or self.axes("input") or self.known[0]


Rule = Callable[[_Call, Tensor], Axes | None]  # the axes of a result, their sizes perhaps those of before; None: lost


def _alike(call: _Call, result: Tensor) -> Axes | None:
    """Elementwise, or at least axis by axis: from the right, each from the first tensor that is as long there."""
    rank = result.dim()
    longest = max(map(len, call.known))
    if longest > rank:
        return _reduced(call)
    candidates = [((),) * (rank - len(axes)) + axes for axes in call.known]
    return tuple(
        next((axis for axis in there if _size(axis) == size), there[0])
        for size, there in zip(result.shape, zip(*candidates, strict=True), strict=True)
    )


def _reduced(call: _Call) -> Axes | None:
    """Without the axes over which a sum, a maximum, a norm was taken."""
    axes, asked = call.main, call.get("dim")
    if asked is None:
        return None
    gone = {dim % len(axes) for dim in ([asked] if isinstance(asked, int) else asked)}
    return tuple(axis for dim, axis in enumerate(axes) if dim not in gone)


def _convolution(call: _Call, result: Tensor) -> Axes | None:
    axes = call.axes("input")
    return axes and (axes[0], _unit(result.shape[1]), *[_position(size) for size in result.shape[2:]])


def _product(left: str, right: str) -> Rule:
    """Of activations and weights: new units, and what were units are positions. Of two activations: rows, columns."""

    def rule(call: _Call, result: Tensor) -> Axes | None:
        a, b = call.axes(left), call.axes(right)
        *_, rows, columns = result.shape
        if a is not None and b is not None:
            return (*a[:-1], b[-1])
        if a is not None:
            return (*a[:-2], _without_units(a[-2]), _unit(columns))
        return b and (*b[:-2], _unit(rows), _without_units(b[-1]))

    return rule


def _normalisation(dim: int) -> Rule:
    def rule(call: _Call, result: Tensor) -> Axes | None:
        axes, over = list(call.axes("input") or ()), call.get("normalized_shape")
        if len(axes) != result.dim():  # the means and spreads, that it returns as well
            return None
        if (over is not None and len(over) > 1) or _is(axes[dim], "unit") or "image" in _roles(axes[dim]):
            return tuple(axes)
        axes = [_without_units(axis) for axis in axes]
        axes[dim] = _unit(result.shape[dim])
        return tuple(axes)

    return rule


def _view(call: _Call, result: Tensor) -> Axes | None:
    """The same numbers in the same order: runs of one role are split and joined until they fit."""
    left = _runs(part for axis in call.main for part in axis)
    axes: list[Axis] = []
    for size in result.shape:
        axis: list[tuple[Role, int]] = []
        missing = size
        while left and (missing > 1 or (left[0][1] == size == 1 and not axis)):
            role, length = left.pop(0)
            taken = min(missing, length)
            if max(missing, length) % taken:
                return None
            axis.append((role, taken))
            missing //= taken
            if taken < length:
                left.insert(0, (role, length // taken))
        axes.append(tuple(axis))
    return tuple(axes)


def _runs(parts: Iterable[tuple[Role, int]]) -> list[tuple[Role, int]]:
    """Neighbours of one role joined; a single position is none."""
    runs: list[tuple[Role, int]] = []
    for role, size in parts:
        if runs and runs[-1][0] == role:
            runs[-1] = (role, runs[-1][1] * size)
        elif size > 1 or role == "unit":
            runs.append((role, size))
    return runs


def _permute(call: _Call, _: Tensor) -> Axes:
    return tuple(call.main[dim] for dim in call["dims"])


def _transpose(call: _Call, _: Tensor) -> Axes:
    axes = list(call.main)
    a, b = (call["dim0"], call["dim1"]) if call.get("dim0") is not None else (0, -1)
    axes[a], axes[b] = axes[b], axes[a]
    return tuple(axes)


def _select(call: _Call, _: Tensor) -> Axes:
    axes = list(call.main)
    del axes[call["dim"]]
    return tuple(axes)


def _unsqueeze(call: _Call, result: Tensor) -> Axes:
    dim = call["dim"] % result.dim()
    return (*call.main[:dim], (), *call.main[dim:])


def _squeeze(call: _Call, _: Tensor) -> Axes:
    axes, asked = call.main, call.get("dim")
    dims = range(len(axes)) if asked is None else [asked] if isinstance(asked, int) else asked
    gone = {dim % len(axes) for dim in dims if _size(axes[dim]) == 1}
    return tuple(axis for dim, axis in enumerate(axes) if dim not in gone)


def _stack(call: _Call, result: Tensor) -> Axes:
    dim = call["dim"] % result.dim()
    return _with_images((*call.known[0][:dim], (), *call.known[0][dim:]), dim, result)


def _cat(call: _Call, result: Tensor) -> Axes | None:
    axes = _alike(call, result)
    return axes and _with_images(axes, call["dim"] % result.dim(), result)


def _with_images(axes: Axes, dim: int, result: Tensor) -> Axes:
    """Results of one image each, put together again, are images."""
    alone = not any("image" in _roles(axis) for axis in axes)
    if not (alone and dim == 0 and result.shape[0] == DRY_IMAGES):
        return axes
    return ((("image", DRY_IMAGES),), *axes[1:])


def _unfold(call: _Call, _: Tensor) -> Axes:
    return (*call.main, ())


def _columns(call: _Call, result: Tensor) -> Axes:
    return (call.main[0], _unit(result.shape[1]), _position(result.shape[2]))


RULES: dict[str, Rule] = {
    **dict.fromkeys(("convolution", "_convolution", "mkldnn_convolution", "cudnn_convolution"), _convolution),
    "linear": _product("input", "weight"),
    "mm": _product("self", "mat2"),
    "bmm": _product("self", "mat2"),
    "addmm": _product("mat1", "mat2"),
    "baddbmm": _product("batch1", "batch2"),
    "native_layer_norm": _normalisation(-1),
    "_fused_rms_norm": _normalisation(-1),
    "native_group_norm": _normalisation(1),
    **dict.fromkeys(
        ("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "cudnn_batch_norm"),
        _normalisation(1),
    ),
    **dict.fromkeys(("view", "_unsafe_view", "_reshape_alias", "reshape", "_reshape_copy"), _view),
    "permute": _permute,
    **dict.fromkeys(("transpose", "t"), _transpose),
    **dict.fromkeys(("select", "unbind"), _select),
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    "stack": _stack,
    "cat": _cat,
    "unfold": _unfold,
    "im2col": _columns,
}


def _units(axes: Axes) -> list[int]:
    """The axes of nothing but units; else the first that has some among others (a flattened map)."""
    pure = [i for i, axis in enumerate(axes) if _is(axis, "unit")]
    return pure or [i for i, axis in enumerate(axes) if "unit" in _roles(axis)][:1]


def _conventional(rest: list[int]) -> int:
    return rest[-1] if len(rest) == 2 else rest[0]


def _fitted(axes: Axes, shape: Sequence[int]) -> Axes:
    """The same roles at the sizes that there are now: after pooling, padding, a slice."""
    return tuple(axis if _size(axis) == size else _resized(axis, size) for axis, size in zip(axes, shape, strict=True))


def _resized(axis: Axis, size: int) -> Axis:
    roles = _roles(axis) or {"position"}
    role: Role = "unknown" if "image" in roles or len(roles) > 1 else next(iter(roles))
    return ((role, size),)


def _without_units(axis: Axis) -> Axis:
    return tuple(("position" if role == "unit" else role, size) for role, size in axis)


def _is(axis: Axis, role: Role) -> bool:
    """Whether the axis runs over nothing else."""
    return {each for each, size in axis if size > 1 or len(axis) == 1} == {role}


def _roles(axis: Axis) -> set[Role]:
    return {role for role, _ in axis}


def _size(axis: Axis) -> int:
    return prod(size for _, size in axis)


def _unit(size: int) -> Axis:
    return (("unit", size),)


def _position(size: int) -> Axis:
    return (("position", size),)
