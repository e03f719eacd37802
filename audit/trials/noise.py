"""Pictures with noise of growing strength -> how far each layer's activations move, and how often the label changes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from audit import events
from audit.data.damage import Damages
from audit.data.images import Images
from audit.data.preprocess import batches, normalized
from audit.errors import Unavailable
from audit.model.load import Model
from audit.model.looking import looking
from audit.model.outline import maps
from audit.records import Table
from audit.stream.predictions import log_probabilities
from audit.trials.draws import drawn
from audit.trials.outputs import spread
from audit.words import plural

SIGMAS = (0.0, 0.01, 0.02, 0.05, 0.1)
"""Standard deviations of the noise, for pixels of 0..1; 0 is the picture itself."""

PICTURES = 64


def noise(  # noqa: PLR0917  # a trial takes what the pass takes, and then its own
    model: Model, images: Images, layers: Sequence[str], listener: events.Listener, batch: int, seed: int
) -> Table:
    """Table "noise": a row per layer (in the order of execution; the outputs too) and sigma.

    Yosinski et al. 2015 ask how small changes of the input grow on their way up. At most 64 evenly spread pictures x
    get Gaussian noise n, drawn anew for each from (seed, index): the same whatever the batch, and for all sigmas but
    for the factor. Pixels are not clipped. Columns: layer, sigma; change, low and high (median and quartiles over the
    pictures of ||a(x + n) - a(x)|| / ||a(x)||; 0 where nothing moved, infinite where only noise makes a layer speak,
    NaN where an activation is); for the outputs also flips (share of pictures whose strongest output changes) and
    probability_std (root mean square change of the probability of the label that the clean picture gets), NaN for the
    others. A picture and its noisy copies share a forward pass, so that no activation is kept.
    """
    output = model.outline.layers[-1].name
    names = [layer.name for layer in model.outline.layers if layer.name in layers or layer.name == output]
    layouts = {layer.name: layer.layout for layer in model.outline.layers}
    found = {name: Moved() for name in names}
    flips: list[Tensor] = []

    def visit(name: str, value: Tensor) -> None:
        flat = in_memory_order(maps(value, layouts[name])).flatten(1)
        copies = flat.reshape(-1, len(SIGMAS), flat.shape[1])
        found[name].parts.append(relative_change(copies))
        if name == output:
            flips.append(_flipped(copies))

    chosen = spread(range(len(images)), PICTURES)
    title = f"{model.section.name}: noise on {plural(len(chosen), 'picture')}"
    with looking(model.network, names, visit) as run, events.work(listener, title, len(chosen)) as advance:
        for pixels, part in shown_by_trial(model, images, chosen, batch // len(SIGMAS)):
            run(normalized(noisy(pixels, part, seed).flatten(0, 1), model.mean, model.std))
            advance(len(part))
    return _table(found, flips, output)


def shown_by_trial(
    model: Model, images: Images, chosen: Sequence[int], batch: int
) -> Iterator[tuple[Float[Tensor, "image channel y x"], Sequence[int]]]:
    """The chosen pictures that can be shown, of 0..1, and their indices; damaged ones are the pass's to report.

    Unavailable where there is none.
    """
    some = False
    for pixels, part in batches(images, chosen, model.section, max(1, batch), damages=Damages(len(images), 100)):
        some = True
        yield pixels, part
    if not some:
        raise Unavailable("none of the pictures could be shown")


def in_memory_order(value: Float[Tensor, "image unit y x"]) -> Tensor:
    """The same numbers in an order that needs no copy where they lie in channels_last; a norm does not mind."""
    return value if value.is_contiguous() else value.permute(0, 2, 3, 1)


def noisy(
    pixels: Float[Tensor, "image channel y x"], indices: Sequence[int], seed: int
) -> Float[Tensor, "image sigma channel y x"]:
    """Each picture with its own noise at every sigma."""
    sigmas = torch.tensor(SIGMAS)[:, None, None, None]
    return pixels[:, None] + sigmas * drawn(indices, pixels.shape[1:], seed)[:, None]


def relative_change(copies: Float[Tensor, "image sigma number"]) -> Float[Tensor, "image sigma"]:
    """||a(x + n) - a(x)|| / ||a(x)|| of each picture; the first copy is the clean one."""
    wide = copies.to(torch.promote_types(copies.dtype, torch.float32))
    clean = wide[:, :1]
    moved = torch.linalg.vector_norm(wide - clean, dim=2)
    return torch.where(moved == 0, moved, moved / torch.linalg.vector_norm(clean, dim=2))


@dataclass
class Moved:
    """How far a layer moves in each picture, a part per batch, on the device: [image], or [image, sigma]."""

    parts: list[Tensor] = field(default_factory=list)

    def quartiles(self) -> Float[np.ndarray, "3 sigma"]:
        """Lower quartile, median and upper quartile over the pictures; infinite and NaN ones count."""
        changes = torch.cat(self.parts).cpu().numpy().astype(np.float64)
        changes = changes.reshape(len(changes), -1)
        ordered = np.sort(changes, axis=0)  # by ranks: between two infinite numbers there is no other
        ranks = [round(share * (len(ordered) - 1)) for share in (0.25, 0.5, 0.75)]
        quartiles: Float[np.ndarray, "3 sigma"] = ordered[ranks]
        quartiles[:, np.isnan(changes).any(axis=0)] = np.nan
        return quartiles


def _flipped(outputs: Float[Tensor, "image sigma class"]) -> Float[Tensor, "2 image sigma"]:
    """Whether the strongest output changes (0, 1; NaN where one is not finite), and how its probability does."""
    images, sigmas, _ = outputs.shape
    wide = outputs.flatten(0, 1).to(torch.promote_types(outputs.dtype, torch.float32))
    shares = log_probabilities(wide).exp().reshape(outputs.shape)
    label = shares.argmax(dim=2)
    readable = outputs.isfinite().all(dim=2)
    flips = torch.where(readable & readable[:, :1], (label != label[:, :1]).to(shares.dtype), torch.nan)
    certain = shares.gather(2, label[:, :1, None].expand(images, sigmas, 1))[:, :, 0]
    return torch.stack((flips, certain - certain[:, :1]))


def _outputs(parts: Sequence[Tensor]) -> Float[np.ndarray, "2 sigma"]:
    """Share of flips and standard deviation of the probability, over the pictures."""
    flips, changes = torch.cat(list(parts), dim=1).cpu().numpy().astype(np.float64)
    return np.stack((flips.mean(axis=0), np.sqrt((changes**2).mean(axis=0))))


def _table(found: dict[str, Moved], outputs: Sequence[Tensor], output: str) -> Table:
    low, change, high = np.concatenate([moved.quartiles() for moved in found.values()], axis=1)
    layers = np.repeat(np.array(list(found)), len(SIGMAS))
    flips, spread_out = np.full((2, len(layers)), np.nan)
    flips[layers == output], spread_out[layers == output] = _outputs(outputs)
    return Table(
        "noise",
        {
            "layer": layers,
            "sigma": np.tile(SIGMAS, len(found)),
            "pictures": np.full(len(layers), sum(part.shape[1] for part in outputs)),
            "change": change,
            "low": low,
            "high": high,
            "flips": flips,
            "probability_std": spread_out,
        },
    )
