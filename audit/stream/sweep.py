"""Model and pictures -> records of every chosen layer, in one pass over the pictures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from audit import events
from audit.data.attributes import Attributes
from audit.data.damage import Damages
from audit.data.images import Images
from audit.data.preprocess import batches, normalized
from audit.errors import Unavailable
from audit.model.hooks import Observer
from audit.model.load import Model
from audit.model.memory import fast_order, in_order
from audit.model.outline import maps
from audit.model.precision import exact_arithmetic, precision
from audit.stream.reducer import Activations, Record, Reducer


def sweep(
    model: Model,
    images: Images,
    reducers: Mapping[str, Sequence[Reducer]],
    batch: int,
    listener: events.Listener,
    *,
    damages: Damages | None = None,
    attributes: Attributes | None = None,
) -> dict[str, list[Record | Unavailable]]:
    """Shows every picture to the model once and feeds each layer's reducers; the forward stops at the last of them.

    Returns the records per layer, in the order of its reducers; the reason where one has nothing to say. Nothing is
    kept of the activations themselves. Pictures that cannot be shown are noted in `damages`, and what the others look
    like in `attributes`.
    """
    layouts = {layer.name: layer.layout for layer in model.outline.layers}
    work = f"{model.section.name}: {len(images)} pictures through {len(reducers)} layers"
    with measuring(model.network, reducers, layouts) as show, events.work(listener, work, len(images)) as advance:
        for pixels, part in batches(
            images, range(len(images)), model.section, batch, damages=damages, attributes=attributes
        ):
            show(normalized(pixels, model.mean, model.std), torch.tensor(part))
            advance(len(part))
    return {layer: [_computed(reducer, layer) for reducer in chosen] for layer, chosen in reducers.items()}


def _computed(reducer: Reducer, layer: str) -> Record | Unavailable:
    try:
        return reducer.compute(layer)
    except Unavailable as reason:
        return reason


@contextmanager
def measuring(
    network: nn.Module, reducers: Mapping[str, Sequence[Reducer]], layouts: Mapping[str, str | None]
) -> Iterator[Callable[[Float[Tensor, "image channel y x"], Int[Tensor, " image"]], None]]:
    """Inside, the given function shows the network a batch and its image indices, and feeds each layer's reducers.

    `layouts` says of each layer on which axis its units are. The network computes in its own floating point type, in
    float32 that is float32, and in the memory order in which its convolutions are fast.
    """
    indices = torch.arange(0)
    own, order = precision(network), fast_order(network)

    def visit(layer: str, output: Tensor) -> None:
        activations = Activations(maps(output, layouts[layer]), indices)
        for reducer in reducers[layer]:
            reducer.update(activations)

    def show(pixels: Tensor, images: Tensor) -> None:
        nonlocal indices
        indices = images
        observer.run(pixels.to(own).contiguous(memory_format=order))

    with (
        in_order(network, order),
        torch.inference_mode(),
        exact_arithmetic(),
        Observer(network, tuple(reducers), visit) as observer,
    ):
        yield show
