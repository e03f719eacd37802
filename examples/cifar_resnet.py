"""The residual networks of He et al. 2015 for pictures of 32 x 32 (section 4.2), written as user code often is.

ReLUs are function calls, and the shortcut has no parameters. An audit needs nothing more than `resnet`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut; `stride` 2 halves the map and fills the new channels with zeros."""

    def __init__(self, channels: int, wider: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, wider, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(wider)
        self.conv2 = nn.Conv2d(wider, wider, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(wider)
        self.stride, self.added = stride, wider - channels

    def forward(self, maps: Tensor) -> Tensor:
        shortcut = maps[:, :, :: self.stride, :: self.stride]
        if self.added:
            half = self.added // 2
            shortcut = F.pad(shortcut, (0, 0, 0, 0, half, self.added - half))
        inner = F.relu(self.bn1(self.conv1(maps)))
        return F.relu(self.bn2(self.conv2(inner)) + shortcut)


class ResNet(nn.Module):
    """6n + 2 layers: a convolution, three stages of n blocks with 16, 32 and 64 channels, a mean, a linear layer."""

    def __init__(self, depth: int, classes: int):
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = stage([16] * blocks, 16, stride=1)
        self.layer2 = stage([16] + [32] * (blocks - 1), 32, stride=2)
        self.layer3 = stage([32] + [64] * (blocks - 1), 64, stride=2)
        self.linear = nn.Linear(64, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        maps = F.relu(self.bn1(self.conv1(pictures)))
        maps = self.layer3(self.layer2(self.layer1(maps)))
        return torch.as_tensor(self.linear(maps.mean(dim=(2, 3))))


def stage(channels: Sequence[int], wider: int, stride: int) -> nn.Sequential:
    """Blocks whose inputs have those channels; the first one strides."""
    return nn.Sequential(*(Residual(inner, wider, stride if block == 0 else 1) for block, inner in enumerate(channels)))


def resnet(depth: int = 20, classes: int = 10) -> nn.Module:
    """What `factory = "cifar_resnet.py:resnet"` calls, with the `arguments` of audit.toml."""
    return ResNet(depth, classes)
