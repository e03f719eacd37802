"""The gradient is that of the unit before its ReLU, and the network is left as it was."""

import pytest
import torch
from torch import nn
from torch.nn.functional import one_hot

from audit.ascent.objective import Reading, activations_at, frozen, uphill
from audit.model.outline import outline


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(5 * 6 * 7, 6)).double().eval()


SCALE = torch.tensor([0.01, 0.02, 0.03], dtype=torch.float64).view(3, 1, 1)


def images(seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 3, 8, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 50


def at(name: str, position: tuple[int, int], batch: torch.Tensor, units: list[int]):
    network = small_net()
    layer = outline(network, (3, 8, 9)).layer(name)
    with torch.no_grad(), activations_at(network, Reading(layer, position)) as activations:
        return uphill(activations, batch, one_hot(torch.tensor(units), layer.units).double(), SCALE)


@pytest.mark.parametrize(
    ("name", "position", "units"), [("0", (3, 8), [1, 3]), ("2", (2, 4), [4, 0]), ("5", (0, 0), [5, 2])]
)
def test_the_gradient_is_the_finite_difference(name, position, units):
    batch = images()
    activations, gradient = at(name, position, batch, units)
    toward = images(1)
    there, back = (at(name, position, batch + sign * 1e-4 * toward, units)[0] for sign in (1, -1))
    for row, unit in enumerate(units):
        slope = (there[row, unit] - back[row, unit]) / 2e-4
        assert float((gradient[row] * toward[row]).sum()) == pytest.approx(float(slope), rel=1e-6)
    assert activations.shape == (2, outline(small_net(), (3, 8, 9)).layer(name).units)


def test_a_rectifier_is_seen_before_it_rectifies():
    below, gradient_below = at("2", (1, 1), images(), [0, 1])
    above, gradient_above = at("3", (1, 1), images(), [0, 1])
    assert (below < 0).any()
    assert torch.equal(below, above)
    assert torch.equal(gradient_below, gradient_above)


def test_an_image_that_the_unit_does_not_depend_on_has_gradient_zero():
    class Fixed(nn.Module):
        def forward(self, shown: torch.Tensor) -> torch.Tensor:
            return torch.ones(len(shown), 2, 1, 1)

    network = nn.Sequential(Fixed(), nn.Identity())
    layer = outline(network, (3, 8, 9)).layer("1")
    with torch.no_grad(), activations_at(network, Reading(layer, (0, 0))) as activations:
        reached, gradient = uphill(activations, images().float(), torch.eye(2), SCALE.float())
    assert (reached == 1).all()
    assert not gradient.any()


def test_a_frozen_network_is_thawed_as_it_was():
    network = small_net().train()
    network[2].eval()
    network[0].weight.requires_grad_(False)
    before = [(weight.requires_grad, weight.clone()) for weight in network.parameters()]
    modes = [module.training for module in network.modules()]
    with frozen(network):
        assert not any(module.training for module in network.modules())
        assert not any(weight.requires_grad for weight in network.parameters())
    with pytest.raises(KeyboardInterrupt), frozen(network):
        raise KeyboardInterrupt
    assert modes == [module.training for module in network.modules()]
    for (needed, value), weight in zip(before, network.parameters(), strict=True):
        assert needed == weight.requires_grad
        assert torch.equal(value, weight)
