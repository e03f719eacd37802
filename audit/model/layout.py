"""The operations of one forward pass -> what the axes of a tensor are: images, units, positions; for any graph.

Units are what a layer's weights make: the channels of a convolution (axis 1), the features of a linear layer (the last
axis), the entries that a normalisation has weights for. From there their axis is followed through every operator, below
autograd: elementwise ones keep it, permutations move it, a view splits and joins it.
"""

from contextlib import ExitStack
from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from audit.model.axes import DRY_IMAGES, Axes, Call, Role, axes_after, is_only, roles, units_of
from audit.model.operators import Followed, arguments, tensors
from audit.model.receptive_field import CREATIONS, Fields


class Layouts:
    """Follows everything computed from `images` inside the `with`; `fields` tells what depends on them."""

    def __init__(self, images: Float[Tensor, "image channel y x"], fields: Fields):
        axes: tuple[Role, ...] = ("image", "unit", "position", "position")
        self._fields = fields
        self._axes = WeakTensorKeyDictionary()
        self._axes[images] = tuple(((role, size),) for role, size in zip(axes, images.shape, strict=True))
        self._modes = ExitStack()

    def __enter__(self) -> "Layouts":
        self._modes.enter_context(Followed(self._follow))
        return self

    def __exit__(self, *_: object) -> None:
        self._modes.close()

    def of(self, output: Tensor) -> tuple[str, ...] | None:
        """What each axis of `output` is, "image", "unit" or "position"; None if none is the images, as in windows.

        Where the units were lost they are, by convention, on the last of three axes, and on the first after the images
        of any other number. What does not depend on the images has a row for each of them, or no layout.
        """
        axes = self._known(output) or self._lost(output)
        images = [i for i, axis in enumerate(axes) if "image" in roles(axis)]
        if len(axes) < 2 or len(images) != 1 or not is_only(axes[images[0]], "image"):
            return None
        (image,) = images
        units = units_of(axes) or [_conventional([i for i in range(len(axes)) if i != image])]
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
        call = Call(self._known, arguments(operator, args, kwargs))  # asked before the operator may change them
        result = operator(*args, **kwargs)
        if call.known and name not in CREATIONS:
            for value in tensors(result):
                self._axes[value] = axes_after(name, call, value) or self._lost(value)
        return result


def _conventional(rest: list[int]) -> int:
    return rest[-1] if len(rest) == 2 else rest[0]
