"""The gradient that arrives at a layer: a linear network has it in closed form."""

import numpy as np
import pytest
import torch
from torch import nn

from audit.config import ModelSection
from audit.data.made import Made
from audit.errors import Unavailable
from audit.events import Silence
from audit.model.load import Model
from audit.model.outline import outline
from audit.trials.gradients import gradient_energy

PICTURES = Made([(torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(n)), 0) for n in range(7)])


def model(network: nn.Module) -> Model:
    network = network.eval().requires_grad_(False)
    section = ModelSection(name="planted", factory="planted:network", input=(3, 8, 8))
    one = torch.ones(3, 1, 1)
    return Model(section, network, outline(network, (3, 8, 8)), (), "", torch.device("cpu"), 0 * one, one)


def energy(network: nn.Module, name: str, batch: int = 3) -> np.ndarray:
    planted = model(network)
    scalars = gradient_energy(planted, planted.outline.layer(name), PICTURES, Silence(), batch)
    return scalars.columns["gradient_energy"]


def network(rectifier: nn.Module) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 4, 3), rectifier, nn.Flatten(), nn.Linear(4 * 36, 5))


def test_the_energy_is_that_of_the_strongest_outputs_weights() -> None:
    planted = network(nn.ReLU(inplace=True)).requires_grad_(False)
    images = torch.stack([PICTURES.picture(index) for index in range(7)])
    strongest = planted(images).argmax(dim=1)
    weight = planted[3].weight.view(5, 4, 36)
    expected = (weight[strongest] ** 2).sum(dim=2).double().mean(dim=0)
    np.testing.assert_allclose(energy(planted, "0"), expected, rtol=1e-6)
    np.testing.assert_allclose(energy(planted, "1", batch=7), expected, rtol=1e-6)


def test_it_agrees_with_finite_differences() -> None:
    planted = network(nn.Tanh()).double()
    image = PICTURES.picture(0).double()
    with torch.no_grad():
        maps = planted[0](image[None])
        best = planted(image[None]).argmax()
        base, step = planted[1:](maps)[0, best], 1e-6
        slopes = torch.zeros_like(maps)
        for place in np.ndindex(*maps.shape):
            moved = maps.clone()
            moved[place] += step
            slopes[place] = (planted[1:](moved)[0, best] - base) / step
    only = Made([(image, 0)])
    there = model(planted)
    found = gradient_energy(there, there.outline.layer("0"), only, Silence(), 1).columns["gradient_energy"]
    np.testing.assert_allclose(found, (slopes**2).sum(dim=(0, 2, 3)), rtol=1e-3)


def test_where_no_gradient_arrives_nothing_is_said() -> None:
    class Blind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(192, 2)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            self.conv(images)
            return self.fc(images.flatten(1))

    with pytest.raises(Unavailable, match="no gradient"):
        energy(Blind(), "conv")
