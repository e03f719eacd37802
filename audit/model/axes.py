"""One operator of a forward pass -> what the axes of its result are, from those of its arguments."""

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any, Literal

from torch import Tensor

from audit.model.operators import tensors

Role = Literal["image", "unit", "position", "unknown"]
Axis = tuple[tuple[Role, int], ...]
"""What an axis runs over, outermost first: (("image", 2), ("position", 4)) are the four windows of two images."""
Axes = tuple[Axis, ...]

DRY_IMAGES = 2
"""Images of the dry pass; with one, a positional embedding [1, token, channel] would look like a batch."""


def axes_after(operator: str, call: "Call", result: Tensor) -> Axes | None:
    """Those of a result of the operator of that name; None where they are lost."""
    axes = RULES.get(operator.rstrip("_"), _alike)(call, result)
    return _fitted(axes, result.shape) if axes is not None and len(axes) == result.dim() else None


class Call:
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


Rule = Callable[[Call, Tensor], Axes | None]  # the axes of a result, their sizes perhaps those of before; None: lost


def _alike(call: Call, result: Tensor) -> Axes | None:
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


def _reduced(call: Call) -> Axes | None:
    """Without the axes over which a sum, a maximum, a norm was taken."""
    axes, asked = call.main, call.get("dim")
    if asked is None:
        return None
    gone = {dim % len(axes) for dim in ([asked] if isinstance(asked, int) else asked)}
    return tuple(axis for dim, axis in enumerate(axes) if dim not in gone)


def _convolution(call: Call, result: Tensor) -> Axes | None:
    axes = call.axes("input")
    return axes and (axes[0], _unit(result.shape[1]), *[_position(size) for size in result.shape[2:]])


def _product(left: str, right: str) -> Rule:
    """Of activations and weights: new units, and what were units are positions. Of two activations: rows, columns."""

    def rule(call: Call, result: Tensor) -> Axes | None:
        a, b = call.axes(left), call.axes(right)
        *_, rows, columns = result.shape
        if a is not None and b is not None:
            return (*a[:-1], b[-1])
        if a is not None:
            return (*a[:-2], _without_units(a[-2]), _unit(columns))
        return b and (*b[:-2], _unit(rows), _without_units(b[-1]))

    return rule


def _normalisation(dim: int) -> Rule:
    def rule(call: Call, result: Tensor) -> Axes | None:
        axes, over = list(call.axes("input") or ()), call.get("normalized_shape")
        if len(axes) != result.dim():  # the means and spreads, that it returns as well
            return None
        if (over is not None and len(over) > 1) or is_only(axes[dim], "unit") or "image" in roles(axes[dim]):
            return tuple(axes)
        axes = [_without_units(axis) for axis in axes]
        axes[dim] = _unit(result.shape[dim])
        return tuple(axes)

    return rule


def _view(call: Call, result: Tensor) -> Axes | None:
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


def _permute(call: Call, _: Tensor) -> Axes:
    return tuple(call.main[dim] for dim in call["dims"])


def _transpose(call: Call, _: Tensor) -> Axes:
    axes = list(call.main)
    a, b = (call["dim0"], call["dim1"]) if call.get("dim0") is not None else (0, -1)
    axes[a], axes[b] = axes[b], axes[a]
    return tuple(axes)


def _select(call: Call, _: Tensor) -> Axes:
    axes = list(call.main)
    del axes[call["dim"]]
    return tuple(axes)


def _unsqueeze(call: Call, result: Tensor) -> Axes:
    dim = call["dim"] % result.dim()
    return (*call.main[:dim], (), *call.main[dim:])


def _squeeze(call: Call, _: Tensor) -> Axes:
    axes, asked = call.main, call.get("dim")
    dims = range(len(axes)) if asked is None else [asked] if isinstance(asked, int) else asked
    gone = {dim % len(axes) for dim in dims if _size(axes[dim]) == 1}
    return tuple(axis for dim, axis in enumerate(axes) if dim not in gone)


def _stack(call: Call, result: Tensor) -> Axes:
    dim = call["dim"] % result.dim()
    return _with_images((*call.known[0][:dim], (), *call.known[0][dim:]), dim, result)


def _cat(call: Call, result: Tensor) -> Axes | None:
    axes = _alike(call, result)
    return axes and _with_images(axes, call["dim"] % result.dim(), result)


def _with_images(axes: Axes, dim: int, result: Tensor) -> Axes:
    """Results of one image each, put together again, are images."""
    alone = not any("image" in roles(axis) for axis in axes)
    if not (alone and dim == 0 and result.shape[0] == DRY_IMAGES):
        return axes
    return ((("image", DRY_IMAGES),), *axes[1:])


def _unfold(call: Call, _: Tensor) -> Axes:
    return (*call.main, ())


def _columns(call: Call, result: Tensor) -> Axes:
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


def units_of(axes: Axes) -> list[int]:
    """The axes of nothing but units; else the first that has some among others (a flattened map)."""
    pure = [i for i, axis in enumerate(axes) if is_only(axis, "unit")]
    return pure or [i for i, axis in enumerate(axes) if "unit" in roles(axis)][:1]


def _fitted(axes: Axes, shape: Sequence[int]) -> Axes:
    """The same roles at the sizes that there are now: after pooling, padding, a slice."""
    return tuple(axis if _size(axis) == size else _resized(axis, size) for axis, size in zip(axes, shape, strict=True))


def _resized(axis: Axis, size: int) -> Axis:
    there = roles(axis) or {"position"}
    role: Role = "unknown" if "image" in there or len(there) > 1 else next(iter(there))
    return ((role, size),)


def _without_units(axis: Axis) -> Axis:
    return tuple(("position" if role == "unit" else role, size) for role, size in axis)


def is_only(axis: Axis, role: Role) -> bool:
    """Whether the axis runs over nothing else."""
    return {each for each, size in axis if size > 1 or len(axis) == 1} == {role}


def roles(axis: Axis) -> set[Role]:
    """All that it runs over."""
    return {role for role, _ in axis}


def _size(axis: Axis) -> int:
    return prod(size for _, size in axis)


def _unit(size: int) -> Axis:
    return (("unit", size),)


def _position(size: int) -> Axis:
    return (("position", size),)
