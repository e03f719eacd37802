"""A network and the names of layers -> a function that shows pictures to it, exactly and in its fast order."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audit.model.hooks import Observer
from audit.model.memory import fast_order, in_order
from audit.model.precision import exact_arithmetic, precision


@contextmanager
def looking(
    network: nn.Module, names: Collection[str], visit: Callable[[str, Tensor], None]
) -> Iterator[Callable[[Float[Tensor, "image channel y x"]], None]]:
    """Inside, the given function runs a batch up to the last of the layers `names`; `visit` is shown each (`Observer`).

    The network computes without gradients, in its own floating point type, in float32 that is float32, and in the
    memory order in which its convolutions are fast. Raises Unavailable as `Observer.run` does.
    """
    own, order = precision(network), fast_order(network)

    def run(images: Float[Tensor, "image channel y x"]) -> None:
        observer.run(images.to(own).contiguous(memory_format=order))

    with (
        in_order(network, order),
        torch.inference_mode(),
        exact_arithmetic(),
        Observer(network, names, visit) as observer,
    ):
        yield run
