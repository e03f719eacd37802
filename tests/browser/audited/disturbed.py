"""The demo's network, a quarter of whose second convolution has been disturbed."""

import torch
from torch import nn

from audit.demo.network import trained


def network() -> nn.Module:
    model = trained()
    weight = model.get_parameter("conv2.weight")
    with torch.no_grad():
        weight[:12] += 0.2 * torch.randn(weight[:12].shape, generator=torch.Generator().manual_seed(0))
    return model
