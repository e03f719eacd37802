"""A planted network with known units, pictures for it, and what the analyses make of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from audit import events
from audit.analyses.passed_back import PassedBack, Rules, passing_back
from audit.analyses.task import Task
from audit.analyses.windows import Window
from audit.ascent.presets import Preset
from audit.config import DataSection, LayerSection, ModelSection
from audit.data.images import open_images
from audit.model.load import Model
from audit.model.outline import outline
from audit.records import Layer, Pictures, TopK
from audit.registry import load
from audit.stream.strongest import Strongest
from audit.stream.sweep import sweep

UPRIGHT, FLAT, RED, DEAD = range(4)
"""Units of the first convolution."""

CONJUNCTION, CONSTANT = 0, 1
"""Units of the second: both Gabors at once; always 1, whatever it sees."""


def gabor(angle: float, channels: int, size: int = 5) -> Tensor:
    """Of period 4, [channel, y, x], without a mean."""
    y, x = np.mgrid[:size, :size] - size // 2
    wave = np.cos(2 * np.pi / 4 * (x * np.cos(angle) + y * np.sin(angle))) * np.exp(-(x**2 + y**2) / 8)
    return torch.from_numpy((wave - wave.mean())[None].repeat(channels, axis=0)).float()


class Planted(nn.Module):
    """conv1, ReLU in place, max pooling, conv2, functional ReLU, mean over the map, scores."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 4, 5, padding=2)
        self.relu1 = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(4, 2, 3, padding=1)
        self.scores = nn.Linear(2, 3)
        plant(self, channels)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.conv2(self.pool(self.relu1(self.conv1(images))))
        return torch.as_tensor(self.scores(torch.relu(maps).mean(dim=(2, 3))))


@torch.no_grad()
def plant(network: Planted, channels: int) -> None:
    for parameter in network.parameters():
        parameter.zero_()
    first, second = network.conv1, network.conv2
    first.weight[UPRIGHT], first.weight[FLAT] = gabor(0.0, channels), gabor(np.pi / 2, channels)
    first.weight[RED, 0, 1:4, 1:4] = 1.0
    if channels > 1:
        first.weight[RED, 1:, 1:4, 1:4] = -0.5
    torch.nn.init.constant_(first.weight[DEAD], 0.1)
    first.bias[DEAD] = -1e3
    second.weight[CONJUNCTION, [UPRIGHT, FLAT], 1, 1] = 1.0
    second.weight[CONJUNCTION, [UPRIGHT, FLAT], 0, 2] = torch.tensor([-0.25, 0.5])
    second.bias[CONSTANT] = 1.0
    network.scores.weight[0, CONJUNCTION] = 1.0
    network.scores.weight[1, CONJUNCTION] = -1.0
    network.scores.bias[1] = -5.0


def model(shape: tuple[int, int, int] = (3, 24, 20)) -> Model:
    """The planted network for pictures of 0..1 minus 0.5."""
    network = Planted(shape[0]).eval().requires_grad_(False)
    section = ModelSection(name="planted", factory="planted.py:network", input=shape, mean=0.5, std=1.0)
    mean, std = torch.full((shape[0], 1, 1), 0.5), torch.ones(shape[0], 1, 1)
    return Model(section, network, outline(network, shape), (), "", torch.device("cpu"), mean, std)


def pictures(folder: Path, shape: tuple[int, int, int], count: int = 12) -> Path:
    """A file that makes gray pictures of noise with stripes here or there, the last with a red corner; its folder."""
    channels, height, width = shape
    rng = np.random.default_rng(5)
    shown = rng.integers(100, 156, (count, height, width, channels), dtype=np.uint8)
    for picture in shown:
        top, left = rng.integers(0, height - 5), rng.integers(0, width - 5)
        stripes = 40 * (np.arange(6)[:, None] // 2 % 2) * rng.integers(1, 3) * np.ones((6, 6), np.int64)
        spot = (stripes if rng.random() < 0.5 else stripes.T)[: height - top, : width - left]
        picture[top : top + 6, left : left + 6] += spot[:, :, None].astype(np.uint8)
    shown[-1, :2, :2], shown[-1, :2, :2, 0] = 0, 255
    np.save(folder / "pictures.npy", shown)
    code = "from pathlib import Path\nimport numpy as np\n\ndef made():\n"
    (folder / "made.py").write_text(f"{code}    return list(np.load(Path(__file__).with_name('pictures.npy')))\n")
    return folder


def task(model: Model, layer: str, units: tuple[int, ...], folder: Path, **more: Any) -> Task:
    """What the analyses are given after a real pass over `pictures`."""
    presets: dict[str, Preset] = more.pop("presets", {})
    images = open_images(DataSection(factory="made.py:made"), pictures(folder, model.outline.input_shape))
    (strongest,) = sweep(model, images, {layer: [Strongest()]}, 5, events.Silence())[layer]
    assert isinstance(strongest, TopK)
    section = LayerSection(name=(layer,), presets=tuple(presets) or ("yosinski-3",), **more)
    return Task(model, model.outline.layer(layer), units, section, presets, 0, events.Silence(), images, strongest)


def passed_back(
    given: Model,
    layer: Layer,
    pixels: Tensor,
    units: Sequence[int],
    positions: Sequence[tuple[int, int]] | None,
    *,
    rule: Rules | None,
    seen: Window | None = None,
) -> PassedBack:
    """One backward pass."""
    with passing_back(given, layer, rule) as back:
        return back(pixels, units, positions, seen)


def pictured(analysis: str, given: Task) -> Pictures:
    """What the analysis of that name makes."""
    made = load("analysis", analysis)().run(given)
    assert isinstance(made, Pictures)
    return made


def shown(given: Task, index: int) -> np.ndarray:
    """Picture `index` as RGB of 0..255."""
    assert given.images is not None
    pixels = np.asarray(given.images.picture(index))
    return pixels if pixels.shape[2] == 3 else pixels.repeat(3, axis=2)
