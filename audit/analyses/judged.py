"""Optimized images -> numbers: what the unit reaches on them, what they look like, and whether others see the class."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float

from audit.analyses.task import Task
from audit.ascent import quality
from audit.ascent.canvas import Canvas
from audit.ascent.objective import Reading, activations_at, frozen
from audit.ascent.rows import Optimized
from audit.data.display import centred
from audit.data.preprocess import normalized
from audit.model.load import Model
from audit.model.precision import exact_arithmetic
from audit.records import Layer
from audit.stream.predictions import log_probabilities

BATCH = 32
"""Images that a network sees together."""

Columns = dict[str, Float[np.ndarray, " tile"]]
Pixels = Float[np.ndarray, "tile channel y x"]
Read = Callable[[Pixels], Float[np.ndarray, "tile unit"]]


def judged(task: Task, canvas: Canvas, rows: Sequence[Sequence[Optimized]]) -> dict[str, np.ndarray]:
    """Float64[unit, tile] by name; a row per unit of the task, tiles by preset and seed.

    `activation`: of the image that is shown, as the layer gives it, at the position that was climbed. `rank`: how many
    units of the layer are there as far in the direction of the push, the unit itself counted: 1 is the strongest.
    `slope`, `high_frequency`, `sparsity`, `hoyer`, `total_variation`, `repetition`: as audit.ascent.quality has them,
    of the picture that is shown, scaled by its largest value, before it is rounded to 8 bits; `extreme` of the image
    itself. `diversity`: mean distance of the layer's activations at that position, and `pixel_diversity` of the pixels,
    over the seeds of a preset, the same for its tiles.

    Only of a layer that is the network's output: `confidence`, the probability of the class; and with a second model
    `recognised`, 1 where its first answer is the class, and `recognised_probability`, that of the class.
    """
    presets = list(task.presets.values())
    push = np.repeat([-1.0 if preset.push == "down" else 1.0 for preset in presets], len(rows[0]) // len(presets))
    groups = [slice(*ends) for ends in pairwise(range(0, len(push) + 1, len(rows[0]) // len(presets)))]
    mean = task.model.mean.cpu().numpy()
    top, left, bottom, right = canvas.crop
    found: list[Columns] = []
    with _reading(task.model, Reading(task.layer, canvas.position)) as read, _second(task, canvas) as answers:
        for unit, row in zip(task.units, rows, strict=True):
            images = np.stack([image.image for image in row])
            seen = images[:, :, top:bottom, left:right]
            activations = read(images / 255 + mean)
            columns = _reached(task.layer, activations, unit, push) | looks(seen, mean)
            codes = np.maximum(activations, 0) if task.layer.activation else activations
            columns |= _diversities({"diversity": codes, "pixel_diversity": seen.reshape(len(row), -1)}, groups)
            if task.model.outline.is_output(task.layer):
                columns["confidence"] = probabilities(activations)[:, unit]
            if answers is not None:
                columns |= recognition(answers(images / 255 + mean), unit)
            found.append(columns)
    return {name: np.stack([columns[name] for columns in found]) for name in found[0]}


def looks(seen: Pixels, mean: Float[np.ndarray, "channel 1 1"]) -> Columns:
    """What images look like, 0..255 minus the mean, of which only the part that the unit sees is given."""
    shown = 255 * (centred(seen.astype(np.float64)) - 0.5)
    return {
        "slope": quality.spectrum_slope(shown),
        "high_frequency": quality.high_frequency_share(shown),
        "sparsity": quality.sparsity(shown),
        "hoyer": quality.hoyer(shown),
        "total_variation": quality.total_variation(shown),
        "extreme": quality.extreme_share(seen, mean),
        "repetition": quality.autocorrelation_peak(shown),
    }


def probabilities(outputs: Float[np.ndarray, "tile class"]) -> Float[np.ndarray, "tile class"]:
    """Softmax, where the outputs are not probabilities already."""
    found: Float[np.ndarray, "tile class"] = log_probabilities(torch.from_numpy(outputs)).exp().numpy()
    return found


def recognition(outputs: Float[np.ndarray, "tile class"], unit: int) -> Columns:
    """What another model's outputs say of images of the class `unit`; not a number where they are not finite."""
    readable = np.isfinite(outputs).all(axis=1)
    return {
        "recognised": np.where(readable, outputs.argmax(axis=1) == unit, np.nan),
        "recognised_probability": np.where(readable, probabilities(outputs)[:, unit], np.nan),
    }


def _reached(
    layer: Layer, activations: Float[np.ndarray, "tile unit"], unit: int, push: Float[np.ndarray, " tile"]
) -> Columns:
    own = activations[:, unit]
    pushed = activations * push[:, None]
    rank = 1.0 + (pushed > pushed[:, [unit]]).sum(axis=1)
    return {
        "activation": np.maximum(own, 0) if layer.rectifier else own,
        "rank": np.where(np.isfinite(activations).all(axis=1), rank, np.nan),
    }


def _diversities(codes: dict[str, Float[np.ndarray, "tile _"]], groups: Sequence[slice]) -> Columns:
    return {
        name: np.concatenate(
            [np.full(len(code[group]), quality.mean_pairwise_distance(code[group])) for group in groups]
        )
        for name, code in codes.items()
    }


@contextmanager
def _reading(model: Model, reading: Reading) -> Iterator[Read]:
    """A function that shows pixels of 0..1 to the model and reads the layer, before its rectifier."""
    with (
        frozen(model.network),
        exact_arithmetic(),
        torch.no_grad(),
        activations_at(model.network, reading) as activations,
    ):

        def read(pixels: Pixels) -> Float[np.ndarray, "tile unit"]:
            shown = torch.split(torch.from_numpy(pixels.astype(np.float32)), BATCH)
            parts = [activations(normalized(part, model.mean, model.std)) for part in shown]
            values: Float[np.ndarray, "tile unit"] = torch.cat(parts).double().cpu().numpy()
            return values

        yield read


@contextmanager
def _second(task: Task, canvas: Canvas) -> Iterator[Read | None]:
    """The outputs of the second model, if there is one and the images are whole inputs of classes."""
    second, outline = task.second, task.model.outline
    if second is None or not outline.is_output(task.layer) or canvas.size != outline.input_shape[1:]:
        yield None
        return
    output = second.outline.layers[-1]
    with _reading(second, Reading(output, output.centre)) as read:
        yield lambda pixels: read(np.clip(pixels, 0, 1))
