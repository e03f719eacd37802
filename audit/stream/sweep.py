"""Model and pictures -> records of every chosen layer, in one pass over the pictures."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from audit import events
from audit.data.attributes import Attributes
from audit.data.damage import Damages
from audit.data.images import Images
from audit.data.preprocess import batches, normalized
from audit.errors import PluginError, Unavailable
from audit.model.load import Model
from audit.model.looking import looking
from audit.model.outline import maps
from audit.records import Layer
from audit.stream.reducer import Activations, Record, Reducer
from audit.words import plural

Lacking = Unavailable | PluginError
"""Why a reducer has no record."""

AT_ONCE = {"cpu": 5 * 2**20}
"""Activations of the largest layer that are made at once: on a CPU few, so that they are still in the cache when the
next layer, and the measurement, read them. With fewer, threads meet too often where other programs keep cores busy."""


def sweep(
    model: Model,
    images: Images,
    reducers: Mapping[str, Sequence[Reducer]],
    batch: int,
    listener: events.Listener,
    *,
    damages: Damages | None = None,
    attributes: Attributes | None = None,
) -> dict[str, list[Record | Lacking]]:
    """Shows every picture to the model once and feeds each layer's reducers; the forward stops at the last of them.

    Returns the records per layer, in the order of its reducers; the reason where one has nothing to say. Nothing is
    kept of the activations themselves. Pictures that cannot be shown are noted in `damages`, and what the others look
    like in `attributes`.
    """
    work = f"{model.section.name}: {plural(len(images), 'picture')} through {plural(len(reducers), 'layer')}"
    with (
        measuring(model.network, model.outline.layers, reducers) as show,
        events.work(listener, work, len(images)) as advance,
    ):
        for pixels, part in batches(
            images, range(len(images)), model.section, batch, damages=damages, attributes=attributes
        ):
            show(normalized(pixels, model.mean, model.std), torch.tensor(part))
            advance(len(part))
    return {layer: [_computed(reducer, layer) for reducer in chosen] for layer, chosen in reducers.items()}


def images_at_once(layers: Sequence[Layer], device: torch.device) -> int:
    """How many images go through the network together, whatever the size of a batch.

    It depends on the network alone, and not on what is asked of it: sums are the same whichever layers are measured.
    A power of two, so that threads share the images evenly.
    """
    largest = max(prod(layer.shape) for layer in layers)
    fitting = max(1, AT_ONCE.get(device.type, sys.maxsize) // largest)
    return 1 << (fitting.bit_length() - 1)


@contextmanager
def measuring(
    network: nn.Module, layers: Sequence[Layer], reducers: Mapping[str, Sequence[Reducer]]
) -> Iterator[Callable[[Float[Tensor, "image channel y x"], Int[Tensor, " image"]], None]]:
    """Inside, the given function shows the network a batch and its image indices, and feeds each layer's reducers.

    `layers` are all of the network's. It computes as in `looking`, with as many images at once as that is fast with.
    """
    indices = torch.arange(0)
    layouts = {layer.name: layer.layout for layer in layers}

    def visit(layer: str, output: Tensor) -> None:
        activations = Activations(maps(output, layouts[layer]), indices)
        for reducer in reducers[layer]:
            reducer.update(activations)

    def show(pixels: Tensor, images: Tensor) -> None:
        nonlocal indices
        together = images_at_once(layers, pixels.device)
        for part, indices in zip(torch.split(pixels, together), torch.split(images, together), strict=True):  # noqa: B007 - `visit`
            run(part)

    with looking(network, tuple(reducers), visit) as run:
        yield show


def _computed(reducer: Reducer, layer: str) -> Record | Lacking:
    try:
        return reducer.compute(layer)
    except (Unavailable, PluginError) as reason:
        return reason
