"""What little change fools the network: pictures, the change enlarged, and what the network takes them for after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float

from audit import events
from audit.analyses.task import Task
from audit.data.damage import Damages
from audit.data.display import centred, rgb
from audit.data.images import Images, label_index
from audit.data.preprocess import batches
from audit.errors import Unavailable
from audit.model.load import Model
from audit.records import Pictures
from audit.trials.adversarial import PGD, PICTURES, Attacked, attacked, chosen_of
from audit.trials.attacks import STEPS, Scored, differentiable, gradient
from audit.trials.outputs import answered, spread

BATCH = 32

Pixels = Float[np.ndarray, "channel y x"]
GROUPS = ("picture", "change", "attacked")


@dataclass(frozen=True)
class Example:
    """A picture before and after the weakest attack that fools the network, in 0..1; the answers and how sure they are.

    `fooled` is False where none did: then it is the strongest attack.
    """

    image: int
    before: Pixels
    after: Pixels
    answers: tuple[int, int]
    confidence: tuple[float, float]
    epsilon: float
    fooled: bool


class Adversarial:
    """Of pictures that the network gets right, the weakest PGD attack of the trial "adversarial" that fools it."""

    needs_data: ClassVar[bool] = True

    def run(self, task: Task) -> Pictures:
        """A row per picture: itself, the change, and both together; `images` rows at most, evenly spread.

        Unavailable where the units are no classes, where no picture has a label, and where the network gets none right.
        """
        assert task.images is not None
        model = task.model
        if not model.outline.is_output(task.layer):
            raise Unavailable(f"the units of {task.layer.name} are no classes; attack {model.outline.layers[-1].name}")
        labels = label_index(task.images, model.labels, task.layer.units)
        with differentiable(model) as scored:
            chosen = spread(_right(scored, model, task.images, labels), task.section.images)
            if not chosen:
                raise Unavailable(
                    f"the network gets none of {PICTURES} pictures right, so an attack takes nothing away"
                )
            examples = _examples(scored, task, chosen, labels)
        return Pictures(
            layer=task.layer.name,
            kind="adversarial",
            units=tuple(range(len(examples))),
            tiles=np.stack([_tiles(example) for example in examples]),
            captions=tuple(_captions(example, model.labels) for example in examples),
            groups=GROUPS,
            note=f"Pictures that the network gets right, under PGD in {STEPS} steps with the smallest bound of those "
            "tried that fools it.",
            numbers={
                "epsilon": np.array([[0, example.epsilon, example.epsilon] for example in examples], np.float64),
                "confidence": np.array([[one.confidence[0], np.nan, one.confidence[1]] for one in examples]),
            },
            names=tuple(task.images.name(example.image) for example in examples),
        )


def _right(scored: Scored, model: Model, images: Images, labels: Mapping[int, int]) -> list[int]:
    """Those of the pictures of the trial that get their label."""
    right: list[int] = []
    damages = Damages(len(images), 100)
    for pixels, part in batches(images, chosen_of(labels), model.section, BATCH, damages=damages):
        with torch.no_grad():
            predicted, _, _ = answered(scored(pixels))
        right += [index for index, answer in zip(part, predicted.tolist(), strict=True) if answer == labels[index]]
    return right


def _examples(scored: Scored, task: Task, chosen: Sequence[int], labels: Mapping[int, int]) -> list[Example]:
    assert task.images is not None
    found: list[Example] = []
    name = f"{task.model.section.name}: attacked pictures"
    with events.work(task.listener, name, len(chosen)) as advance:
        for pixels, part in batches(task.images, chosen, task.model.section, BATCH):
            shown = pixels.to(task.model.device)
            truth = torch.tensor([labels[index] for index in part], device=task.model.device)
            slope = gradient(scored, shown, truth)
            tried = [one for one in attacked(scored, shown, truth, slope, part, task.seed) if one.attack == PGD]
            found += [_example(tried, row, index, labels[index]) for row, index in enumerate(part)]
            advance(len(part))
    return found


def _example(tried: Sequence[Attacked], row: int, image: int, label: int) -> Example:
    """What became of one row of a batch; `tried` are its attacks from none to the strongest."""
    fooling = [one for one in tried if int(one.predicted[row]) != label]
    first, last = tried[0], (fooling or tried[-1:])[0]
    return Example(
        image,
        first.pixels[row].cpu().numpy(),
        last.pixels[row].cpu().numpy(),
        (int(first.predicted[row]), int(last.predicted[row])),
        (float(first.confidence[row]), float(last.confidence[row])),
        last.epsilon,
        bool(fooling),
    )


def _tiles(example: Example) -> np.ndarray:
    return rgb(np.stack([example.before, centred(example.after - example.before), example.after]))


def _captions(example: Example, labels: Sequence[str]) -> tuple[str, str, str]:
    before, after = (labels[answer] if labels and answer >= 0 else f"output {answer}" for answer in example.answers)
    sure, then = example.confidence
    times = 0.5 / max(float(np.abs(example.after - example.before).max()), 1e-9)
    return (
        f"{before}, {100 * sure:.3g} %",
        f"at most {example.epsilon:g} of 255, shown {times:.3g} times as large",
        f"{after}, {100 * then:.3g} %" + ("" if example.fooled else ": not fooled"),
    )
