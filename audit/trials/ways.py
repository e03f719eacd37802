"""A `[[models]]` section -> the other ways in which its pictures might have been meant to be shown."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from audit.config import ModelSection

Numbers = tuple[float, ...]

BYTE = 1 / 255
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
COLOUR: dict[str, tuple[Numbers, Numbers]] = {
    "ImageNet's mean and std": IMAGENET,
    "ImageNet's mean, pixels of 0..255 (Caffe)": (IMAGENET[0], (BYTE,) * 3),
    "CIFAR-10's mean and std": ((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
}
GRAY: dict[str, tuple[Numbers, Numbers]] = {"MNIST's mean and std": ((0.1307,), (0.3081,))}
"""Normalisations that are in use, for pixels of 0..1 (torchvision, Caffe, common CIFAR and MNIST code)."""

ZOOMS = (0.8, 1.25)
"""Sides of the input relative to the configured ones: objects are that much smaller or larger."""

MARGIN = 256 / 224
"""Short side over crop, as ImageNet pictures are usually shown."""


@dataclass(frozen=True, eq=False)  # one way is one object: a section holds a dict, and has no hash
class Way:
    """One way of showing pictures: numbers per channel, red and blue swapped or not, and how they are cut to size.

    `change` is what audit.toml would say for it. `section` is the model's, with another `input` or `resize` for a size.
    """

    name: str
    kind: str
    mean: Numbers
    std: Numbers
    section: ModelSection
    swapped: bool = False
    change: str = ""

    def shown(self, pixels: Float[Tensor, "image channel y x"]) -> Float[Tensor, "image channel y x"]:
        """Pixels of 0..1 as the network sees them; swapped colours keep their own mean and std."""
        mean, std = (torch.tensor(of, device=pixels.device)[:, None, None] for of in (self.mean, self.std))
        shown = (pixels - mean) / std
        return shown.flip(1) if self.swapped else shown

    def like(self, other: "Way") -> bool:
        """Whether the numbers are nearly the other's: too near for a picture to look different."""
        means = max(abs(ours - theirs) for ours, theirs in zip(self.mean, other.mean, strict=True))
        ratios = [ours / theirs for ours, theirs in zip(self.std, other.std, strict=True)]
        return means < 0.02 and max(ratios) < 1.05 and min(ratios) > 1 / 1.05


def configured(section: ModelSection) -> Way:
    """The way that audit.toml asks for."""
    channels = section.input[0]
    mean, std = (of if isinstance(of, tuple) else (of,) * channels for of in (section.mean, section.std))
    return Way("as configured", "as configured", mean, std, section)


def ways(section: ModelSection) -> Iterator[Way]:
    """Ways that need no other size: other normalisations, contrast, brightness, and blue before red."""
    now = configured(section)
    others = [_normalised(now, name, *numbers) for name, numbers in _normalisations(section.input[0]).items()]
    yield from (way for way in others if not way.like(now))
    yield from _scaled(now)
    if section.input[0] == 3:
        yield swapped(now)


def swapped(way: Way) -> Way:
    """The same numbers, but the network is shown blue, green, red."""
    change = " and ".join(filter(None, (way.change, "a factory that swaps red and blue")))
    return replace(way, name=f"{way.name}, blue first", kind="channels", swapped=True, change=change)


def sizes(section: ModelSection) -> Iterator[Way]:
    """Other sizes of the input, and other crops at the configured one; a network need not accept each of them."""
    (channels, height, width), resize = section.input, section.resize
    for zoom in ZOOMS:
        sides = (round(zoom * height), round(zoom * width))
        larger = None if resize is None else max(round(zoom * resize), *sides)
        yield _sized(section, f"input of {sides[0]} x {sides[1]}", (channels, *sides), larger)
    crop = max(height, width)
    if resize is not None:
        yield _sized(section, "whole picture, no crop", section.input, None)
    for side in (crop, round(MARGIN * crop)):
        if resize is None or abs(side - resize) > 0.02 * resize:
            yield _sized(section, f"short side of {side}, then cropped", section.input, side)


def _normalisations(channels: int) -> dict[str, tuple[Numbers, Numbers]]:
    """By name: mean and std per channel; those that are the same for all channels fit any number of them."""
    same = {
        "pixels of 0..1": (0.0, 1.0),
        "pixels of -1..1": (0.5, 0.5),
        "pixels of 0..255": (0.0, BYTE),
    }
    named = {3: COLOUR, 1: GRAY}.get(channels, {})
    return {name: ((mean,) * channels, (std,) * channels) for name, (mean, std) in same.items()} | named


def _normalised(now: Way, name: str, mean: Numbers, std: Numbers) -> Way:
    return replace(now, name=name, kind="normalisation", mean=mean, std=std, change=_written(mean, std))


def _scaled(now: Way) -> Iterator[Way]:
    for name, shift, factor in (
        ("twice the contrast", 0.0, 0.5),
        ("half the contrast", 0.0, 2.0),
        ("brighter by a quarter", -0.25, 1.0),
        ("darker by a quarter", 0.25, 1.0),
    ):
        mean = tuple(round(number + shift, 4) for number in now.mean)
        std = tuple(number * factor for number in now.std)
        yield replace(now, name=name, kind="scale", mean=mean, std=std, change=_written(mean, std))


def _written(mean: Numbers, std: Numbers) -> str:
    """As lines of audit.toml, in one."""
    return f"mean = {_numbers(mean)}, std = {_numbers(std)}"


def _numbers(numbers: Numbers) -> str:
    return f"[{', '.join(f'{number:.4g}' for number in numbers)}]"


def _sized(section: ModelSection, name: str, sides: tuple[int, int, int], resize: int | None) -> Way:
    other = section.model_copy(update={"input": sides, "resize": resize})
    changes = [f"input = {list(sides)}"] if sides != section.input else []
    if resize != section.resize:
        changes += ["no resize"] if resize is None else [f"resize = {resize}"]
    return replace(configured(other), name=name, kind="size", change=", ".join(changes))
