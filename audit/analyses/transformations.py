"""A picture, larger or smaller, turned, moved, brighter, noisier: what a unit may or may not mind.

Pictures are in values of 0..1 before mean and std, and stay there. What comes in from outside has the picture's own
mean colour, whose edge is weaker than that of black.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Picture = Float[Tensor, "channel y x"]
Point = tuple[float, float]
"""(y, x) in pixels; (0, 0) is the middle of the first."""


@dataclass(frozen=True)
class Shown:
    """A picture, the point around which it is scaled and turned, and its noise, of standard deviation 1."""

    pixels: Picture
    middle: Point
    noise: Picture


@dataclass(frozen=True)
class Transformation:
    """One way to change a picture, by each of the `amounts`; at `neutral`, which is one of them, it stays as it is."""

    name: str
    amounts: tuple[float, ...]
    neutral: float
    change: Callable[[Shown, float], Picture]
    text: str

    def of(self, shown: Shown) -> Float[Tensor, "amount channel y x"]:
        """The picture by every amount."""
        changed = [shown.pixels if amount == self.neutral else self.change(shown, amount) for amount in self.amounts]
        return torch.stack(changed)

    def said(self, amount: float) -> str:
        """The amount as a caption has it: `scale 0.5`."""
        return self.text.format(amount)


def scaled(shown: Shown, factor: float) -> Picture:
    """Enlarged by the factor around the middle; bilinear, and smoothed before where it gets smaller."""
    _, height, width = shown.pixels.shape
    fill = _mean(shown.pixels)
    source = shown.pixels - fill
    if factor < 1:
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        (source,) = torch.nn.functional.interpolate(source[None], size, mode="bilinear", antialias=True)
    return fill + _sampled(source, (height, width), shown.middle, torch.eye(2) / factor)


def turned(shown: Shown, degrees: float) -> Picture:
    """Turned around the middle, counter-clockwise."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    fill = _mean(shown.pixels)
    matrix = torch.tensor([[cosine, sine], [-sine, cosine]])
    return fill + _sampled(shown.pixels - fill, shown.pixels.shape[1:], shown.middle, matrix)


def moved(shown: Shown, share: float) -> Picture:
    """Moved to the right by that share of its width, to the nearest pixel."""
    width = shown.pixels.shape[2]
    pixels = round(share * width)
    changed = _mean(shown.pixels).expand_as(shown.pixels).clone()
    left, right = max(pixels, 0), min(width + pixels, width)
    changed[:, :, left:right] = shown.pixels[:, :, left - pixels : right - pixels]
    return changed


def lit(shown: Shown, factor: float) -> Picture:
    """Every pixel times the factor; what gets brighter than white is white."""
    return (shown.pixels * factor).clamp(0, 1)


def noisy(shown: Shown, sigma: float) -> Picture:
    """With Gaussian noise of that standard deviation, in levels of 255."""
    return (shown.pixels + sigma / 255 * shown.noise).clamp(0, 1)


TRANSFORMATIONS = (
    Transformation("scale", tuple(2 ** (step / 4) for step in range(-4, 5)), 1.0, scaled, "scale {:.2g}"),
    Transformation(
        "rotation", (-180.0, -90.0, -45.0, -22.5, 0.0, 22.5, 45.0, 90.0, 180.0), 0.0, turned, "turned by {:g}°"
    ),
    Transformation(
        "shift", (-0.4, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4), 0.0, moved, "moved by {:g} of the width"
    ),
    Transformation("brightness", (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8), 1.0, lit, "brightness {:g}"),
    Transformation("noise", (0.0, 2.0, 4.0, 8.0, 16.0, 24.0, 32.0, 48.0, 64.0), 0.0, noisy, "noise of {:g} levels"),
)
"""As many amounts of each, so that they can stand side by side."""


def _mean(picture: Picture) -> Float[Tensor, "channel 1 1"]:
    return picture.mean(dim=(1, 2), keepdim=True)


def _sampled(
    source: Picture, size: tuple[int, int] | torch.Size, middle: Point, matrix: Float[Tensor, "2 2"]
) -> Float[Tensor, "channel height width"]:
    """What lies at middle + matrix * (p - middle) for every pixel p = (y, x), bilinear; 0 outside.

    `size` is that of the result, in whose pixels middle and p are; `source` may be the same picture in fewer pixels.
    """
    height, width = size
    device = source.device
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    offset = torch.stack([y - middle[0], x - middle[1]], dim=-1).float()
    place = offset @ matrix.T.to(device, torch.float32) + torch.tensor(middle, device=device)
    grid = torch.stack([(2 * place[..., 1] + 1) / width - 1, (2 * place[..., 0] + 1) / height - 1], dim=-1)
    return torch.nn.functional.grid_sample(source[None], grid[None], align_corners=False)[0]
