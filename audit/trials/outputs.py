"""Pictures and a way to show them -> the label that a model gives each, and how sure it is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from audit.errors import Unavailable
from audit.model.load import Model
from audit.model.looking import looking
from audit.model.outline import maps
from audit.records import Layer
from audit.stream.predictions import log_probabilities


@dataclass(frozen=True)
class Answers:
    """What a model says of pictures, by their indices; `predicted` is -1 where an output is NaN or infinite.

    `confidence` is the largest probability of a picture, `entropy` that of all its probabilities, in nats.
    """

    images: Int[np.ndarray, " image"]
    predicted: Int[np.ndarray, " image"]
    confidence: Float[np.ndarray, " image"]
    entropy: Float[np.ndarray, " image"]

    def then(self, later: "Answers") -> "Answers":
        """These, and the answers to other pictures after them."""
        return Answers(*(np.concatenate((getattr(self, name), getattr(later, name))) for name in _COLUMNS))

    def right(self, labels: Mapping[int, int]) -> Bool[np.ndarray, " image"]:
        """Whether each picture's label is the strongest output; a picture without a label is not right."""
        truth = [labels.get(image, -2) for image in self.images.tolist()]
        return np.asarray(self.predicted == np.array(truth, dtype=np.int64))


_COLUMNS = ("images", "predicted", "confidence", "entropy")


def spread(indices: Sequence[int], count: int) -> list[int]:
    """At most `count` of the indices, evenly spread over them."""
    count = min(count, len(indices))
    return [indices[place * len(indices) // count] for place in range(count)]


@contextmanager
def scores(model: Model) -> Iterator[Callable[[Float[Tensor, "image channel y x"]], Float[Tensor, "image class"]]]:
    """Inside, the given function says the outputs of pictures that are already normalised.

    Unavailable where the outputs are no classes.
    """
    last, seen = classes(model), list[Tensor]()

    def scored(images: Float[Tensor, "image channel y x"]) -> Float[Tensor, "image class"]:
        run(images)
        return seen.pop()

    with looking(
        model.network, [last.name], lambda _, output: seen.append(maps(output, last.layout).flatten(1))
    ) as run:
        yield scored


def classes(model: Model) -> Layer:
    """The layer of the outputs; Unavailable where they are no classes."""
    last = model.outline.layers[-1]
    if last.map_size != (1, 1):
        raise Unavailable(f'the outputs "{last.name}" are maps of {last.map_size}, one number per class is needed')
    return last


def answered(outputs: Float[Tensor, "image class"]) -> tuple[Tensor, Tensor, Tensor]:
    """Predicted class (-1 where an output is not finite), confidence and entropy of each picture, on the device."""
    likelihood = log_probabilities(outputs.to(torch.promote_types(outputs.dtype, torch.float32)))
    confidence, predicted = likelihood.exp().max(dim=1)
    readable = outputs.isfinite().all(dim=1)
    return torch.where(readable, predicted, -1), confidence, torch.special.entr(likelihood.exp()).sum(dim=1)
