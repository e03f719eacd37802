"""Model and pictures -> records of every chosen layer, in one pass over the pictures."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from audit import events
from audit.data.attributes import Attributes
from audit.data.damage import Damages
from audit.data.images import Images
from audit.data.preprocess import batches, normalized
from audit.model.hooks import Observer
from audit.model.load import Model
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
) -> dict[str, list[Record]]:
    """Shows every picture to the model once and feeds each layer's reducers; the forward stops at the last of them.

    Returns the records per layer, in the order of its reducers. Nothing is kept of the activations themselves. Pictures
    that cannot be shown are noted in `damages`, and what the others look like in `attributes`.
    """
    indices = torch.arange(0)
    layouts = {layer.name: layer.layout for layer in model.outline.layers}

    def visit(layer: str, output: Tensor) -> None:
        activations = Activations(maps(output, layouts[layer]), indices)
        for reducer in reducers[layer]:
            reducer.update(activations)

    own = precision(model.network)
    with (
        torch.inference_mode(),
        exact_arithmetic(),
        Observer(model.network, tuple(reducers), visit) as observer,
        events.work(
            listener, f"{model.section.name}: {len(images)} pictures through {len(reducers)} layers", len(images)
        ) as advance,
    ):
        for pixels, part in batches(
            images, range(len(images)), model.section, batch, damages=damages, attributes=attributes
        ):
            indices = torch.tensor(part)
            observer.run(normalized(pixels, model.mean, model.std).to(own))
            advance(len(part))
    return {layer: [reducer.compute(layer) for reducer in chosen] for layer, chosen in reducers.items()}
