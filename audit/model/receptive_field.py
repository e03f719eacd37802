"""The operations of one forward pass -> which input pixels every position of a tensor can see, for any graph.

Arithmetic of Araujo, Norris and Sim 2019 ("Computing receptive fields of convolutional neural networks"), followed
over the operators that are really executed instead of over modules.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from audit.model.operators import Followed, arguments, tensors
from audit.records import Field


@dataclass(frozen=True)
class Axis:
    """A tensor's axis along the input's y or x: position p sees [start + p * stride, start + p * stride + size)."""

    along: Literal["y", "x"]
    start: int = 0
    stride: int = 1
    size: int = 1

    def window(self, kernel: int, stride: int, padding: int, dilation: int = 1) -> "Axis":
        """After a convolution or pooling window."""
        size = self.size + dilation * (kernel - 1) * self.stride
        return replace(self, start=self.start - padding * self.stride, stride=self.stride * stride, size=size)

    def spread(self, low: int, high: int, factor: int) -> "Axis":
        """After `factor` positions were made of each; p is made of those at p + low ... p + high, in new steps."""
        if self.stride % factor:
            raise Global
        stride = self.stride // factor
        return replace(self, start=self.start + low * stride, stride=stride, size=self.size + (high - low) * stride)

    def shifted(self, positions: int, step: int = 1) -> "Axis":
        """From position `positions` on, every `step`-th."""
        return replace(self, start=self.start + positions * self.stride, stride=self.stride * step)

    def union(self, other: "Axis") -> "Axis":
        """What at least one of two tensors sees that are added or joined."""
        if (self.along, self.stride) != (other.along, other.stride):
            raise Global
        start = min(self.start, other.start)
        return replace(self, start=start, size=max(self.start + self.size, other.start + other.size) - start)


Axes = tuple[Axis | None, ...]  # one per dimension; None: not along the input's y or x
Seen = Axes | Literal["everything"]


class Global(Exception):  # noqa: N818  # an answer: a position may see the whole input
    """A position may see the whole input, or what it sees does not move evenly with it."""


class Fields:
    """Follows everything computed from `images` inside the `with`.

    Tensors that do not depend on the images have no field and change none. An operation that is not known to keep
    positions apart sees everything; so does a padding that repeats the picture (reflect, replicate, circular).
    """

    def __init__(self, images: Float[Tensor, "image channel y x"]):
        self._seen = WeakTensorKeyDictionary()
        self._seen[images] = (None, None, Axis("y"), Axis("x"))
        self._written: dict[
            int, object
        ] = {}  # memory without a field that was written into; kept, so that none is reused
        self._modes = ExitStack()

    def __enter__(self) -> "Fields":
        self._modes.enter_context(Followed(self._follow))
        self._modes.enter_context(_Linear(self))
        return self

    def __exit__(self, *_: object) -> None:
        self._modes.close()

    def of(self, output: Tensor) -> Field | None:
        """The field of a tensor [image, unit, y, x]; None where a position may see the whole input."""
        seen = self.seen(output)
        match seen:
            case (None, None, Axis(along="y") as y, Axis(along="x") as x):
                return Field((y.start, x.start), (y.stride, x.stride), (y.size, x.size))
        return None

    def seen(self, value: Tensor) -> Seen | None:
        """What the positions of `value` see; None if it does not depend on the images."""
        if value in self._seen:
            found: Seen = self._seen[value]
            return found
        return "everything" if self._written and _storage(value) in self._written else None

    def tell(self, value: Tensor, seen: Seen) -> None:
        """Sets what the positions of `value` see."""
        fits = seen == "everything" or len(seen) == value.dim()
        self._seen[value] = seen if fits else "everything"

    def _follow(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        seen = self._result(operator, args, kwargs)
        result = operator(*args, **kwargs)
        if seen is not None:
            for value in _written_to(operator, args, kwargs):
                self._overwrite(value)
            for value in tensors(result):
                self.tell(value, seen)
        return result

    def _result(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Seen | None:
        """What the result sees; asked before the operator runs, which may change its arguments."""
        inputs = list(tensors((args, kwargs)))
        seen = [self.seen(value) for value in inputs]
        known = [axes for axes in seen if axes is not None]
        name = operator.overloadpacket.__name__
        if not known or name in CREATIONS:
            return None
        if "everything" in known:
            return "everything"
        try:
            if name in RULES:
                return RULES[name](_Call(self, operator, args, kwargs))
            return _elementwise(inputs, seen) if _is_pointwise(operator, name) else "everything"
        except Global:
            return "everything"

    def _overwrite(self, value: Tensor) -> None:
        """Every other view of the memory of `value` may now hold anything."""
        storage = _storage(value)
        if self.seen(value) is None:
            self._written[storage] = value.untyped_storage()
        for other in [other for other in self._seen if other is not value and _storage(other) == storage]:
            self._seen[other] = "everything"


class _Linear(TorchFunctionMode):
    """F.linear on [image, y, x, channel] mixes no positions; the matrix product that it becomes no longer shows it."""

    def __init__(self, fields: Fields):
        super().__init__()
        self._fields = fields

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is F.linear:
            value, *others = tensors((args, kwargs))
            seen = self._fields.seen(value)
            fixed = all(self._fields.seen(other) is None for other in others)
            if fixed and isinstance(seen, tuple) and seen[-1] is None:
                self._fields.tell(result, seen)
        return result


class _Call:
    """The arguments of an operator by their names in its schema, defaults filled in."""

    def __init__(self, fields: Fields, operator: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]):
        self._values = arguments(operator, args, kwargs)
        self._fields = fields
        self.name: str = operator.overloadpacket.__name__

    @property
    def input(self) -> Tensor:
        """The tensor that the operator is a method of."""
        value: Tensor = self["self" if "self" in self._values else "input"]
        return value

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def get(self, name: str, otherwise: Any = None) -> Any:
        return self._values.get(name, otherwise)

    def axes(self) -> Axes:
        """Axes of the main input; the other tensors (weights) must not depend on the images."""
        others = [value for name, value in self._values.items() if name not in ("self", "input")]
        if any(self._fields.seen(value) is not None for value in tensors(others)):
            raise Global
        return self.axes_of(self.input)

    def axes_of(self, value: Tensor) -> Axes:
        seen = self._fields.seen(value)
        if seen is None or seen == "everything":
            raise Global
        return seen


def _convolution(call: _Call) -> Axes:
    axes, kernel = call.axes(), call["weight"].shape[2:]
    n = len(kernel)
    _require_none(axes[:-n])
    stride, padding, dilation = (_per_axis(call[name], n) for name in ("stride", "padding", "dilation"))
    if call["transposed"]:
        moved = [
            axis and axis.spread(p - d * (k - 1), p, s)
            for axis, k, s, p, d in zip(axes[-n:], kernel, stride, padding, dilation, strict=True)
        ]
    else:
        moved = [
            axis and axis.window(k, s, p, d)
            for axis, k, s, p, d in zip(axes[-n:], kernel, stride, padding, dilation, strict=True)
        ]
    return (*axes[:-n], *moved)


def _pooling(call: _Call) -> Axes:
    axes = call.axes()
    n = 3 if "3d" in call.name else 2
    kernel = _per_axis(call["kernel_size"], n)
    stride = _per_axis(call["stride"] or kernel, n)
    padding, dilation = _per_axis(call["padding"], n), _per_axis(call.get("dilation", 1), n)
    windows = zip(axes[-n:], kernel, stride, padding, dilation, strict=True)
    return (*axes[:-n], *(axis and axis.window(k, s, p, d) for axis, k, s, p, d in windows))


def _adaptive_pooling(call: _Call) -> Axes:
    axes, size = call.axes(), call["output_size"]
    pooled = []
    for axis, there_is, wanted in zip(axes[-2:], call.input.shape[-2:], size, strict=True):
        if axis is not None and there_is % wanted:
            raise Global
        pooled.append(axis and axis.window(there_is // wanted, there_is // wanted, 0))
    return (*axes[:-2], *pooled)


def _padding(call: _Call) -> Axes:
    axes, pad = list(call.axes()), call["pad"]
    for i, before in enumerate(pad[::2], start=1):
        axis = axes[-i]
        axes[-i] = axis and axis.shifted(-before)
    return tuple(axes)


def _nearest(call: _Call) -> Axes:
    axes, result = call.axes(), []
    sizes = call.get("output_size") or [
        int(n * factor) for n, factor in zip(call.input.shape[-2:], call["scale_factors"], strict=True)
    ]
    for axis, there_is, wanted in zip(axes[-2:], call.input.shape[-2:], sizes, strict=True):
        factor, rest = divmod(wanted, there_is)
        if axis is not None and (rest or not factor):
            raise Global
        result.append(axis and axis.spread(1 - factor, 0, factor))
    return (*axes[:-2], *result)


def _batch_norm(call: _Call) -> Axes:
    axes = call.axes()
    _require(not call.get("training", False))
    _require_none(axes[:2])
    return axes


def _layer_norm(call: _Call) -> Axes:
    axes = call.axes()
    _require_none(axes[-len(call["normalized_shape"]) :])
    return axes


def _softmax(call: _Call) -> Axes:
    axes = call.axes()
    _require_none([axes[call["dim"]]])
    return axes


def _reduction(call: _Call) -> Axes:
    axes = call.axes()
    asked = call.get("dim")
    dims = range(len(axes)) if asked is None or asked == [] else [asked] if isinstance(asked, int) else asked
    gone = {dim % len(axes) for dim in dims}
    _require_none([axes[dim] for dim in gone])
    keep = call.get("keepdim", False)
    return tuple(axis for dim, axis in enumerate(axes) if keep or dim not in gone)


def _cat(call: _Call) -> Axes:
    parts, dim = call["tensors"], call["dim"]
    axes = _elementwise(parts, [call._fields.seen(value) for value in parts], ignoring=dim)
    _require_none([axes[dim]])
    return axes


def _slice(call: _Call) -> Axes:
    axes, dim = list(call.axes()), call["dim"]
    axis, there_is = axes[dim], call.input.shape[dim]
    begin, _, step = slice(call["start"], call["end"], call["step"]).indices(there_is)
    axes[dim] = axis and axis.shifted(begin, step)
    return tuple(axes)


def _split(call: _Call) -> Axes:
    axes = call.axes()
    _require_none([axes[call["dim"]]])
    return axes


def _select(call: _Call) -> Axes:
    axes = list(call.axes())
    _require_none([axes.pop(call["dim"])])
    return tuple(axes)


def _unsqueeze(call: _Call) -> Axes:
    axes = list(call.axes())
    axes.insert(call["dim"] % (len(axes) + 1), None)
    return tuple(axes)


def _squeeze(call: _Call) -> Axes:
    axes, asked = call.axes(), call.get("dim")
    dims = range(len(axes)) if asked is None else [asked] if isinstance(asked, int) else asked
    gone = {dim % len(axes) for dim in dims if call.input.shape[dim] == 1}
    _require_none([axes[dim] for dim in gone])
    return tuple(axis for dim, axis in enumerate(axes) if dim not in gone)


def _permute(call: _Call) -> Axes:
    axes = call.axes()
    return tuple(axes[dim] for dim in call["dims"])


def _transpose(call: _Call) -> Axes:
    axes = list(call.axes())
    a, b = call["dim0"], call["dim1"]
    axes[a], axes[b] = axes[b], axes[a]
    return tuple(axes)


def _expand(call: _Call) -> Axes:
    axes, shape = call.axes(), call.input.shape
    size = call["size"]
    new = len(size) - len(axes)
    for axis, there_is, wanted in zip(axes, shape, size[new:], strict=True):
        _require(axis is None or wanted in (-1, there_is))
    return (None,) * new + axes


def _view(call: _Call) -> Axes:
    """Axes that stay whole: as many entries before and after them, and as many of them."""
    axes, old = call.axes(), list(call.input.shape)
    new = list(torch.empty(old, device="meta").reshape(call.get("size") or call["shape"]).shape)
    result: list[Axis | None] = [None] * len(new)
    end = len(new)
    for i in reversed(range(len(old))):
        if axes[i] is None:
            continue
        same = [j for j in range(end) if new[j] == old[i] and prod(new[:j]) == prod(old[:i])]
        _require(bool(same))
        end = same[-1]
        result[end] = axes[i]
    return tuple(result)


def _same(call: _Call) -> Axes:
    return call.axes()


def _assignment(call: _Call) -> Axes:
    """`copy_`: what was there before may shine through nowhere, but to keep both is never too small."""
    values = [call["self"], call["src"]]
    return _elementwise(values, [call._fields.seen(value) for value in values])


RULES: dict[str, Callable[[_Call], Axes]] = {
    "convolution": _convolution,
    "_convolution": _convolution,
    "max_pool2d_with_indices": _pooling,
    "max_pool2d": _pooling,
    "avg_pool2d": _pooling,
    "avg_pool3d": _pooling,
    "max_pool3d_with_indices": _pooling,
    "_adaptive_avg_pool2d": _adaptive_pooling,
    "adaptive_max_pool2d": _adaptive_pooling,
    "constant_pad_nd": _padding,
    "upsample_nearest2d": _nearest,
    "_upsample_nearest_exact2d": _nearest,
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "cudnn_batch_norm": _batch_norm,
    "miopen_batch_norm": _batch_norm,
    "native_layer_norm": _layer_norm,
    "_fused_rms_norm": _layer_norm,
    "_softmax": _softmax,
    "_log_softmax": _softmax,
    "mean": _reduction,
    "sum": _reduction,
    "amax": _reduction,
    "amin": _reduction,
    "max": _reduction,
    "min": _reduction,
    "cat": _cat,
    "slice": _slice,
    "split": _split,
    "split_with_sizes": _split,
    "select": _select,
    "unbind": _select,
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    "permute": _permute,
    "transpose": _transpose,
    "expand": _expand,
    "view": _view,
    "_unsafe_view": _view,
    "_reshape_alias": _view,
    "copy_": _assignment,
    "_to_copy": _same,
    "alias": _same,
    "detach": _same,
    "detach_": _same,
    "lift_fresh": _same,
    "hardswish": _same,
    "hardswish_": _same,
    "_prelu_kernel": _same,
}

CREATIONS = frozenset(
    f"{prefix}_{what}" if prefix == "new" else f"{what}_like"
    for prefix in ("new", "")
    for what in ("zeros", "ones", "empty", "full", "rand", "randn")
) | {"new_empty_strided"}


def _elementwise(values: Sequence[Tensor], seen: Sequence[Seen | None], *, ignoring: int | None = None) -> Axes:
    """Broadcast from the right; one position where another tensor has more is seen from all of them: not a field."""
    rank = max(value.dim() for value in values)
    axes: list[Axis | None] = [None] * rank
    for dim in range(-rank, 0):
        there = [(value.shape[dim], s) for value, s in zip(values, seen, strict=True) if value.dim() >= -dim]
        long = max(length for length, _ in there)
        found = [(length, s[dim]) for length, s in there if s is not None and s != "everything"]
        spatial = [(length, axis) for length, axis in found if axis is not None]
        if not spatial:
            continue
        _require(len(spatial) == len(found) and all(length == long for length, _ in spatial))
        merged = spatial[0][1]
        for _, axis in spatial[1:]:
            merged = merged.union(axis)
        axes[dim] = merged
    if ignoring is not None:
        _require_none([axes[ignoring]])
    return tuple(axes)


def _is_pointwise(operator: Any, name: str) -> bool:
    if torch.Tag.pointwise in operator.tags:
        return True
    plain = getattr(torch.ops.aten, name.rstrip("_"), None) if name.endswith("_") else None
    overload = getattr(plain, operator._overloadname, None)
    return overload is not None and torch.Tag.pointwise in overload.tags


def _written_to(operator: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Tensor]:
    given = arguments(operator, args, kwargs)
    written = [each.name for each in operator._schema.arguments if each.alias_info and each.alias_info.is_write]
    return list(tensors([given[name] for name in written]))


def _per_axis(value: int | Sequence[int], n: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * n if len(values) == 1 else values


def _storage(value: Tensor) -> int:
    return value.untyped_storage().data_ptr()


def _require(condition: bool) -> None:
    if not condition:
        raise Global


def _require_none(axes: Iterable[Axis | None]) -> None:
    _require(all(axis is None for axis in axes))
