"""Small networks and pictures whose answers are known."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image
from torch import nn

from audit import events
from audit.config import ModelSection
from audit.data.damage import PictureError
from audit.data.source import SILENCE, fingerprint_of
from audit.demo.generator import CLASSES, pictures
from audit.demo.network import trained
from audit.model.load import Model
from audit.model.outline import outline


@dataclass(frozen=True)
class Pictures:
    """Pictures by index: PIL images, arrays or tensors; those in `damaged` cannot be read."""

    every: tuple
    labels: Mapping[int, int] = field(default_factory=dict)
    damaged: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.every)

    def name(self, index: int) -> str:
        return f"picture {index}"

    def picture(self, index: int):
        if index in self.damaged:
            raise PictureError(self.name(index), "is damaged")
        return self.every[index]

    def label(self, index: int) -> int | None:
        return self.labels.get(index)

    def columns(self) -> dict:
        return {}

    def digest(self, index: int) -> bytes:
        return bytes([index])

    def fingerprint(self, listener: events.Listener = SILENCE) -> str:
        return fingerprint_of(self, listener)


def model(network: nn.Module, sides: tuple[int, int, int], mean: float = 0.0, std: float = 1.0, **more) -> Model:
    """The network as audit.toml would give it, with that `mean` and `std` for all channels."""
    section = ModelSection(name="m", factory="nets.py:net", input=sides, mean=mean, std=std, **more)
    network = network.eval().requires_grad_(False)
    numbers = [torch.full((sides[0], 1, 1), number) for number in (mean, std)]
    return Model(section, network, outline(network, sides), (), "", torch.device("cpu"), *numbers)


def colours(count: int, side: int = 6) -> Pictures:
    """Noise in one of three colours, which is the label."""
    random = np.random.default_rng(0)
    made = []
    for index in range(count):
        pixels = random.integers(0, 120, (side, side, 3), dtype=np.uint8)
        pixels[:, :, index % 3] += 100
        made.append(Image.fromarray(pixels))
    return Pictures(tuple(made), {index: index % 3 for index in range(count)})


class Strongest(nn.Module):
    """Three outputs: how much red, green and blue there is; of any size."""

    def __init__(self, order: tuple[int, int, int] = (0, 1, 2)):
        super().__init__()
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.order = order

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.mean(images)[:, self.order, 0, 0] * 4


def demo(mean: float, std: float, count: int = 120) -> tuple[Model, Pictures]:
    """The model that ships with the package, which wants 0.5 and 0.25, and its pictures."""
    dataset = pictures(count=count, seed=1, split="test")
    shown = [dataset[index] for index in range(count)]
    every = Pictures(tuple(one[0] for one in shown), {index: one[1] for index, one in enumerate(shown)})
    assert set(every.labels.values()) <= set(range(len(CLASSES)))
    return model(trained(), (3, 64, 64), mean, std), every
