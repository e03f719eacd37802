"""Pictures and their labels -> the same pictures, changed by so little and yet so that a model errs: FGSM and PGD."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.ascent.objective import frozen
from audit.data.preprocess import normalized
from audit.errors import Unavailable
from audit.model.hooks import Observer
from audit.model.load import Model
from audit.model.memory import fast_order, in_order
from audit.model.outline import maps
from audit.model.precision import exact_arithmetic, precision
from audit.stream.predictions import are_probabilities
from audit.stream.reducer import wide
from audit.trials.draws import Draw, drawn
from audit.trials.outputs import classes

STEPS = 10
"""Of PGD."""

STRIDE = 2.5
"""How far the steps of PGD reach together, in units of the bound: far enough to come from one side to the other."""

Pixels = Float[Tensor, "image channel y x"]
Labels = Int[Tensor, " image"]
Scored = Callable[[Pixels], Float[Tensor, "image class"]]


@contextmanager
def differentiable(model: Model) -> Iterator[Scored]:
    """Inside, the given function says the outputs of pictures of 0..1, with a gradient where torch keeps one.

    Mean and standard deviation are part of it, so that gradients are those of pixels. Unavailable where the outputs are
    no classes.
    """
    last, seen = classes(model), list[Tensor]()
    own, order = precision(model.network), fast_order(model.network)

    def scored(pixels: Pixels) -> Float[Tensor, "image class"]:
        observer.run(normalized(pixels, model.mean, model.std).to(own).contiguous(memory_format=order))
        return seen.pop()

    with (
        frozen(model.network),
        in_order(model.network, order),
        exact_arithmetic(),
        Observer(
            model.network, [last.name], lambda _, output: seen.append(maps(output, last.layout).flatten(1))
        ) as observer,
    ):
        yield scored


def gradient(scored: Scored, pixels: Pixels, labels: Labels) -> Pixels:
    """Of each picture's log-odds against its label, by the pixels of that picture; 0 where it is not finite.

    The cross-entropy is the softplus of these odds: its gradient has the same sign in every pixel, and the attacks read
    no more. But where a network is certain, the cross-entropy is flat in floating point, and the odds are not.
    """
    with torch.enable_grad():
        shown = pixels.detach().requires_grad_()
        outputs = scored(shown)
        if not outputs.requires_grad:
            raise Unavailable("the outputs have no gradient, and the attacks follow one")
        (found,) = torch.autograd.grad(odds_against(outputs, labels).sum(), shown)
    return found.nan_to_num(0.0, 0.0, 0.0)


def odds_against(outputs: Float[Tensor, "image class"], labels: Labels) -> Float[Tensor, " image"]:
    """log((1 - p) / p) of the label's probability p, of outputs that are logits or probabilities already."""
    outputs = outputs.to(wide(outputs.device))
    tiny = torch.finfo(outputs.dtype).tiny
    logits = torch.where(are_probabilities(outputs)[:, None], outputs.clamp_min(tiny).log(), outputs)
    others = logits.scatter(1, labels[:, None], -torch.inf).logsumexp(dim=1)
    return others - logits.gather(1, labels[:, None])[:, 0]


def random_signs(pixels: Pixels, indices: Sequence[int], seed: int) -> Pixels:
    """+1 or -1 for every pixel and channel, drawn anew for each picture from (seed, index)."""
    return _drawn(pixels, indices, seed, lambda random, shape: random.choice(np.array([-1, 1], np.float32), shape))


def anywhere(pixels: Pixels, indices: Sequence[int], seed: int) -> Pixels:
    """Numbers of -1..1, all as likely, drawn anew for each picture from (seed, index)."""
    return _drawn(pixels, indices, seed, lambda random, shape: random.uniform(-1, 1, shape).astype(np.float32))


def moved(pixels: Pixels, by: Pixels, epsilon: float) -> Pixels:
    """Pixels + epsilon * `by`, and black or white where that is beyond."""
    return (pixels + epsilon * by).clamp(0, 1)


def fgsm(pixels: Pixels, slope: Pixels, epsilon: float) -> Pixels:
    """The fast gradient sign method (Goodfellow et al. 2015, section 4): one step of `epsilon` along the sign.

    `slope` is the `gradient` at the pictures themselves, the same for every epsilon.
    """
    return moved(pixels, slope.sign(), epsilon)


def pgd(scored: Scored, pixels: Pixels, labels: Labels, epsilon: float, start: Pixels) -> Pixels:
    """Projected gradient descent in the maximum norm (Madry et al. 2018, section 2.1), from epsilon * `start` on.

    Ten steps along the sign of the gradient, each a quarter of epsilon; after each, pixels come back to within epsilon
    of the picture, and to 0..1.
    """
    low, high = (pixels - epsilon).clamp_min(0), (pixels + epsilon).clamp_max(1)
    changed = moved(pixels, start, epsilon)
    for _ in range(STEPS):
        step = STRIDE / STEPS * epsilon * gradient(scored, changed, labels).sign()
        changed = (changed + step).clamp(low, high)
    return changed


def _drawn(pixels: Pixels, indices: Sequence[int], seed: int, draw: Draw) -> Pixels:
    return drawn(indices, pixels.shape[1:], seed, draw).to(pixels.device)
