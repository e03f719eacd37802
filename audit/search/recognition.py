"""Images of a model's classes -> whether another model sees the same classes in them."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from audit.ascent.objective import Reading, activations_at, frozen
from audit.ascent.rows import Direction
from audit.data.preprocess import normalized
from audit.model.load import Model
from audit.model.precision import exact_arithmetic
from audit.search.asked import Place
from audit.stream.predictions import log_probabilities

BATCH = 32


def recognised(
    second: Model | None,
    pixels: Float[np.ndarray, "image channel y x"],
    place: Place,
    classes: Sequence[int | Direction],
) -> dict[str, Float[np.ndarray, " image"]]:
    """ "probability" of each image's class in the second model, and "agreement": 1 where it is its first answer.

    `pixels` are 0..255 minus the first model's mean. Not a number without a second model.
    """
    if second is None:
        unknown = np.full(len(pixels), np.nan)
        return {"probability": unknown, "agreement": unknown}
    mean = place.model.mean.cpu().numpy()
    shown = torch.from_numpy(np.clip(pixels / 255 + mean, 0, 1).astype(np.float32))
    output = second.outline.layers[-1]
    with (
        frozen(second.network),
        exact_arithmetic(),
        torch.no_grad(),
        activations_at(second.network, Reading(output, output.centre)) as answers,
    ):
        parts = [answers(normalized(part, second.mean, second.std)) for part in torch.split(shown, BATCH)]
    said = log_probabilities(torch.cat(parts).float()).exp().cpu().double().numpy()
    wanted = np.array(classes)
    return {
        "probability": said[np.arange(len(said)), wanted],
        "agreement": (said.argmax(axis=1) == wanted).astype(np.float64),
    }
