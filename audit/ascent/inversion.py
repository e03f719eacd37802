"""Codes of a layer -> pictures that have them: what the layer still knows (Mahendran and Vedaldi 2015, section 3)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audit.ascent.objective import Reading, activations_at, frozen
from audit.ascent.parametrizations.fourier import Fourier
from audit.errors import Unavailable
from audit.model.allocator import kept_memory
from audit.model.memory import fast_order, in_order
from audit.model.precision import exact_arithmetic
from audit.records import Layer

BRIGHT, DIFFERENCE = 80.0, 12.0
"""What the penalties count as 1, in levels of 255: a pixel so far from the mean colour, neighbours so far apart.

About what photographs have (Mahendran and Vedaldi 2016, section 3.3): the weights mean the same for all sizes.
"""

ALPHA = 6
COARSE = 100.0
"""How many times stronger the penalties are at the first step: outlines are found before details."""

RATE = 0.1
"""Of Adam, on waves; it falls to 0 along half a cosine."""

Images = Float[Tensor, "image channel y x"]
PerImage = Float[Tensor, " image"]


@dataclass(frozen=True)
class Penalties:
    """Weights of the two penalties at the last step, and how many steps there are."""

    variation: float
    alpha_norm: float
    steps: int

    def of(self, images: Images, mean: Float[Tensor, "channel 1 1"]) -> PerImage:
        """Their weighted sum, of pixels of 0..1."""
        return self.variation * total_variation(images) + self.alpha_norm * alpha_norm(images, mean)

    def at(self, step: int) -> float:
        """What both are multiplied with: from `COARSE` at step 0 down to 1, by the same factor at every step."""
        return float(COARSE ** (1 - step / max(self.steps - 1, 1)))


@dataclass(frozen=True)
class Inverted:
    """Pictures of 0..1 that were found, and how far their codes are from those asked for, at the start and the end."""

    images: Images
    start: PerImage
    misfit: PerImage


def invert(
    network: nn.Module,
    layer: Layer,
    pictures: Images,
    *,
    mean: Float[Tensor, "channel 1 1"],
    std: Float[Tensor, "channel 1 1"],
    penalties: Penalties,
    seed: int = 0,
    advance: Callable[[int], None] = lambda _: None,
) -> Inverted:
    """Pictures x that make `misfit` + variation * `total_variation` + alpha_norm * `alpha_norm` small, from noise.

    Nothing of `pictures` (0..1, where `mean` is) is used but their codes phi0, the layer's whole output, a ReLU's after
    it. The paper goes down the slope of pixels; this goes down the same objective in waves (`Fourier`), which finds
    coarse structure in far fewer steps and keeps pixels in 0..1. What becomes of a picture does not depend on the
    others but for rounding. Unavailable where a code is not finite, or all zeros.
    """
    made = Fourier()
    shape = (pictures.shape[1], pictures.shape[2], pictures.shape[3])
    with (
        frozen(network),
        in_order(network, fast_order(network)),
        exact_arithmetic(),
        kept_memory(),
        activations_at(network, Reading(layer, "code")) as read,
    ):

        def code(images: Images) -> Float[Tensor, "image number"]:
            return read((images - mean) / std).float()

        with torch.no_grad():
            target = code(pictures)
        _check(layer, target)
        start = torch.from_numpy(made.start(seed, shape)).to(pictures)
        waves = start.repeat(len(pictures), *[1] * start.dim()).requires_grad_()
        adam = torch.optim.Adam([waves], lr=RATE)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, penalties.steps)
        with torch.no_grad():
            first = misfit(code(made.pixels(waves, shape)), target)
        for step in range(penalties.steps):
            with torch.enable_grad():
                images = made.pixels(waves, shape)
                loss = (misfit(code(images), target) + penalties.at(step) * penalties.of(images, mean)).sum()
                waves.grad = torch.autograd.grad(loss, waves)[0]
            adam.step()
            falling.step()
            advance(len(pictures))
        with torch.no_grad():
            images = made.pixels(waves, shape)
            return Inverted(images, first, misfit(code(images), target))


def misfit(codes: Float[Tensor, "image number"], targets: Float[Tensor, "image number"]) -> PerImage:
    """||phi(x) - phi0||^2 / ||phi0||^2 of each picture."""
    return (codes - targets).square().sum(1) / targets.square().sum(1)


def total_variation(images: Images) -> PerImage:
    """Mean over pixels and channels of (dx^2 + dy^2) / DIFFERENCE^2, to the next pixel at the right and below: beta 2.

    The differences at the last column and row are 0; `images` are of 0..1.
    """
    across, down = images.diff(dim=3), images.diff(dim=2)
    square = across.square().flatten(1).sum(1) + down.square().flatten(1).sum(1)
    return square * (255 / DIFFERENCE) ** 2 / images[0].numel()


def alpha_norm(images: Images, mean: Float[Tensor, "channel 1 1"]) -> PerImage:
    """Mean over pixels and channels of |x - mean|^6 / BRIGHT^6; `images` and `mean` are of 0..1."""
    return ((images - mean) * (255 / BRIGHT)).pow(ALPHA).flatten(1).mean(1)


def _check(layer: Layer, codes: Float[Tensor, "image number"]) -> None:
    """A code that says nothing fits every picture."""
    if not bool(codes.isfinite().all()):
        raise Unavailable(f"{layer.name} answers a picture with a code that is not finite; there is nothing to invert")
    if bool((codes == 0).all(1).any()):
        raise Unavailable(f"{layer.name} answers a picture with zeros alone; there is nothing to invert")
