"""Labelled pictures under attacks of growing strength -> how often a model is still right, and how sure it is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from audit import events
from audit.data.damage import Damages
from audit.data.images import Images
from audit.data.preprocess import batches
from audit.errors import Unavailable, without_labels
from audit.model.load import Model
from audit.records import Table
from audit.trials.attacks import Labels, Pixels, Scored, anywhere, differentiable, fgsm, gradient, moved, pgd
from audit.trials.attacks import random_signs as signs
from audit.trials.outputs import answered, spread
from audit.words import plural

EPSILONS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""How far a pixel may change, in levels of 255; 0 is the picture itself."""

ATTACKS = NOISE, FGSM, PGD = ("noise", "FGSM", "PGD")
"""The first knows nothing of the network: what an attack does beyond it, it does because it is one."""

PICTURES = 64


@dataclass(frozen=True)
class Attacked:
    """A batch after an attack: pixels of 0..1, the answer to each (-1 where outputs are not finite), how sure it is."""

    attack: str
    epsilon: float
    pixels: Pixels
    predicted: Int[Tensor, " image"]
    confidence: Float[Tensor, " image"]


def adversarial(  # noqa: PLR0917  # a trial takes what the pass takes, and then its own
    model: Model, images: Images, labels: Mapping[int, int], listener: events.Listener, batch: int, seed: int
) -> Table:
    """Table "adversarial": a row per attack and epsilon, of at most 64 evenly spread labelled pictures.

    Columns: attack, epsilon (levels of 255), pictures, right (how many get their label), top1 (their share),
    confidence (mean probability of the answer, right or wrong), flat (pictures at which the loss has no gradient, so
    that FGSM does nothing to them). "noise" is epsilon times a random sign for each pixel. Pictures are not rounded to
    whole levels. Unavailable without labels, and where no picture has a gradient: attacks that cannot work are not
    survived.
    """
    found: dict[tuple[str, float], list[Tensor]] = {}
    flat = shown = 0
    chosen = chosen_of(labels)
    title = f"{model.section.name}: attacks on {plural(len(chosen), 'picture')}"
    with differentiable(model) as scored, events.work(listener, title, len(chosen)) as advance:
        damages = Damages(len(images), 100)  # they are the pass's to report
        for pixels, part in batches(images, chosen, model.section, batch, damages=damages):
            pixels = pixels.to(model.device)  # noqa: PLW2901
            truth = torch.tensor([labels[index] for index in part], device=model.device)
            slope = gradient(scored, pixels, truth)
            flat += int((slope == 0).flatten(1).all(dim=1).sum())
            for one in attacked(scored, pixels, truth, slope, part, seed):
                right = (one.predicted == truth).to(one.confidence.dtype)
                found.setdefault((one.attack, one.epsilon), []).append(torch.stack([right, one.confidence]))
            shown += len(part)
            advance(len(part))
    if not shown:
        raise Unavailable("none of the labelled pictures could be shown")
    if flat == shown:
        raise Unavailable(
            "the outputs do not change with the pixels of any picture: an attack has no gradient to follow"
        )
    return _table(found, shown, flat)


def chosen_of(labels: Mapping[int, int]) -> list[int]:
    """The pictures that are attacked; NotApplicable without labels."""
    if not labels:
        raise without_labels()
    return spread(sorted(labels), PICTURES)


def attacked(  # noqa: PLR0917  # what is attacked, and by what
    scored: Scored, pixels: Pixels, truth: Labels, slope: Pixels, indices: Sequence[int], seed: int
) -> Iterator[Attacked]:
    """Every attack with every epsilon, the weakest first; `slope` is the gradient at the pictures.

    A picture on which the model errs already is a success of PGD at every larger epsilon, which allows the same
    picture: it stays as it is, and the steps are spent on the others.
    """
    noise = signs(pixels, indices, seed)
    for epsilon in EPSILONS:
        yield _answered(scored, NOISE, epsilon, moved(pixels, noise, epsilon / 255))
    for epsilon in EPSILONS:
        yield _answered(scored, FGSM, epsilon, fgsm(pixels, slope, epsilon / 255))
    last = _answered(scored, PGD, 0.0, pixels)
    yield last
    start = anywhere(pixels, indices, seed)
    for epsilon in EPSILONS[1:]:
        last = _pushed(scored, last, epsilon, pixels, truth, start)
        yield last


def _pushed(  # noqa: PLR0917  # the last attack, and all that the next one needs
    scored: Scored, last: Attacked, epsilon: float, pixels: Pixels, truth: Labels, start: Pixels
) -> Attacked:
    """PGD with that epsilon on the pictures that withstood the last."""
    left: Bool[Tensor, " image"] = last.predicted == truth
    if not left.any():
        return Attacked(PGD, epsilon, last.pixels, last.predicted, last.confidence)
    changed = last.pixels.clone()
    changed[left] = pgd(scored, pixels[left], truth[left], epsilon / 255, start[left])
    now = _answered(scored, PGD, epsilon, changed[left])
    predicted, confidence = last.predicted.clone(), last.confidence.clone()
    predicted[left], confidence[left] = now.predicted, now.confidence
    return Attacked(PGD, epsilon, changed, predicted, confidence)


def _answered(scored: Scored, attack: str, epsilon: float, pixels: Pixels) -> Attacked:
    with torch.no_grad():
        predicted, confidence, _ = answered(scored(pixels))
    return Attacked(attack, epsilon, pixels, predicted, confidence)


def _table(found: Mapping[tuple[str, float], Sequence[Tensor]], shown: int, flat: int) -> Table:
    right, confidence = np.stack([torch.cat(list(parts), dim=1).double().cpu().numpy() for parts in found.values()], 1)
    return Table(
        "adversarial",
        {
            "attack": np.array([attack for attack, _ in found]),
            "epsilon": np.array([epsilon for _, epsilon in found]),
            "pictures": np.full(len(found), shown),
            "right": right.sum(axis=1).astype(np.int64),
            "top1": right.mean(axis=1),
            "confidence": confidence.mean(axis=1),
            "flat": np.full(len(found), flat),
        },
    )
