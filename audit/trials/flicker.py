"""Pictures as a camera that stands still sees them, frame by frame -> how much answers and layers flicker."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from audit import events
from audit.data.images import Images
from audit.data.preprocess import normalized
from audit.model.load import Model
from audit.model.looking import looking
from audit.model.outline import maps
from audit.records import Outline, Table
from audit.stream.predictions import log_probabilities
from audit.trials.draws import drawn
from audit.trials.noise import Moved, in_memory_order, shown_by_trial
from audit.trials.outputs import classes, spread
from audit.words import plural

FRAMES = 12

PICTURES = 32

SHOT, READ = 0.02, 0.01
"""Standard deviations of the noise of a white pixel's light, and of reading any pixel, for pixels of 0..1."""

ACTIVATIONS, PROBABILITIES = "activations", "probabilities"


def flicker(  # noqa: PLR0917  # a trial takes what the pass takes, and then its own
    model: Model, images: Images, layers: Sequence[str], listener: events.Listener, batch: int, seed: int
) -> Table:
    """Table "flicker": a row per layer (in the order of execution), and one for the probabilities of the outputs.

    Yosinski et al. 2015 see on a webcam that the probabilities change with the noise of the camera while deeper
    convolutions stay. At most 32 evenly spread pictures become 12 `frames` each. The last layer with an activation
    function before the outputs is always there. Columns: layer, of ("activations", "probabilities"), pictures, frames;
    flicker, low and high (median and quartiles over the pictures of the `relative_spread` over the frames); for the
    probabilities also changes (share of frames with another answer than the frame before), unsteady (share of pictures
    with any), probability_std (mean over the pictures of the standard deviation of the probability of the class that
    is the most probable on average), NaN for the others. Unavailable where the outputs are no classes.
    """
    output = classes(model).name
    wanted = {*layers, *deepest(model.outline), output}
    names = [layer.name for layer in model.outline.layers if layer.name in wanted]
    layouts = {layer.name: layer.layout for layer in model.outline.layers}
    found = {(name, ACTIVATIONS): Moved() for name in names} | {(output, PROBABILITIES): Moved()}
    answers: list[Tensor] = []

    def visit(name: str, value: Tensor) -> None:
        flat = in_memory_order(maps(value, layouts[name])).flatten(1)
        found[name, ACTIVATIONS].parts.append(relative_spread(flat.reshape(-1, FRAMES, flat.shape[1])))
        if name == output:
            wide = flat.to(torch.promote_types(flat.dtype, torch.float32))
            shares = log_probabilities(wide).exp().reshape(-1, FRAMES, flat.shape[1])
            found[output, PROBABILITIES].parts.append(relative_spread(shares))
            answers.append(steadiness(shares))

    chosen = spread(range(len(images)), PICTURES)
    title = f"{model.section.name}: frames of {plural(len(chosen), 'picture')}"
    with looking(model.network, names, visit) as run, events.work(listener, title, len(chosen)) as advance:
        for pixels, part in shown_by_trial(model, images, chosen, batch // FRAMES):
            run(normalized(frames(pixels, part, seed).flatten(0, 1), model.mean, model.std))
            advance(len(part))
    return _table(found, torch.cat(answers, dim=1).double().cpu().numpy())


def deepest(outline: Outline) -> list[str]:
    """The last layer with an activation function before the outputs, if there is one."""
    own = [layer for layer in outline.layers if layer.same_as is None and not outline.is_output(layer)]
    return [layer.name for layer in own if layer.nonlinear][-1:]


def frames(
    pixels: Float[Tensor, "image channel y x"], indices: Sequence[int], seed: int
) -> Float[Tensor, "image frame channel y x"]:
    """Each picture as a camera that stands still sees it again and again, drawn from (seed, index).

    Noise of variance SHOT**2 * x + READ**2, of light and of the sensor (Foi et al. 2008, equation 3, as a normal
    distribution); then pixels are whole levels of 255, as a camera gives them.
    """
    deviation = (SHOT**2 * pixels + READ**2).sqrt()[:, None]
    noisy = pixels[:, None] + deviation * drawn(indices, (FRAMES, *pixels.shape[1:]), seed).to(pixels.device)
    return (noisy.clamp(0, 1) * 255).round() / 255


def relative_spread(copies: Float[Tensor, "image frame number"]) -> Float[Tensor, " image"]:
    """Root mean square over the frames of ||a - m|| / ||m||, where m is the mean of a over the frames.

    0 where nothing moves, also of a silent layer; NaN where an activation is not finite.
    """
    wide = copies.to(torch.promote_types(copies.dtype, torch.float32))
    mean = wide.mean(dim=1, keepdim=True)
    moved = torch.linalg.vector_norm(wide - mean, dim=2).square().mean(dim=1).sqrt()
    return torch.where(moved == 0, moved, moved / torch.linalg.vector_norm(mean, dim=2)[:, 0])


def steadiness(shares: Float[Tensor, "image frame class"]) -> Float[Tensor, "3 image"]:
    """Of each picture: share of frames that answer otherwise than the one before, whether any does, and the standard
    deviation of the probability of the class that is the most probable on average; NaN where one is not finite."""
    answer = shares.argmax(dim=2)
    changed = (answer[:, 1:] != answer[:, :-1]).to(shares.dtype)
    usual = shares.mean(dim=1).argmax(dim=1)
    own = shares.gather(2, usual[:, None, None].expand(-1, shares.shape[1], 1))[:, :, 0]
    found = torch.stack([changed.mean(dim=1), changed.amax(dim=1), own.std(dim=1, correction=0)])
    return found.where(shares.isfinite().all(dim=2).all(dim=1), torch.nan)


def _table(found: dict[tuple[str, str], Moved], answers: Float[np.ndarray, "3 image"]) -> Table:
    low, middle, high = np.concatenate([moved.quartiles() for moved in found.values()], axis=1)
    of = np.array([kind for _, kind in found])
    of_answers = np.where(of == PROBABILITIES, answers.mean(axis=1)[:, None], np.nan)
    return Table(
        "flicker",
        {
            "layer": np.array([name for name, _ in found]),
            "of": of,
            "pictures": np.full(len(found), answers.shape[1]),
            "frames": np.full(len(found), FRAMES),
            "flicker": middle,
            "low": low,
            "high": high,
            **dict(zip(("changes", "unsteady", "probability_std"), of_answers, strict=True)),
        },
    )
