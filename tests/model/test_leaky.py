"""A leaky network is that whose every ReLU is written out as a leaky one, and nothing of it is left afterwards."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audit.ascent.loop import frozen
from audit.demo.generator import pictures
from audit.demo.network import trained
from audit.demo.train import batches
from audit.model.hooks import Observer
from audit.model.leaky import leaky

SLOPE = 0.01


def written_out(value: Tensor, high: float = float("inf")) -> Tensor:
    """Leaky by its definition."""
    return torch.where(value < 0, SLOPE * value, torch.where(value > high, torch.full_like(value, high), value))


def functional_twice(value: Tensor) -> Tensor:
    return F.relu(F.relu(value) - 0.5, inplace=True)


SAME = nn.ReLU()
RECTIFIERS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "module": (nn.ReLU(), torch.inf),
    "module in place": (nn.ReLU(inplace=True), torch.inf),
    "function": (F.relu, torch.inf),
    "function by name": (lambda value: F.relu(input=value, inplace=True), torch.inf),
    "function in place": (F.relu_, torch.inf),
    "of torch": (torch.relu, torch.inf),
    "method": (lambda value: value.relu(), torch.inf),
    "method in place": (lambda value: value.relu_(), torch.inf),
    "relu6": (nn.ReLU6(), 6),
    "relu6 in place": (nn.ReLU6(inplace=True), 6),
    "relu6 function": (F.relu6, 6),
    "hardtanh": (nn.Hardtanh(0, 2), 2),
    "hardtanh in place": (lambda value: F.hardtanh_(value, 0.0, 2.0), 2),
}


def value_and_gradient(function: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    start = torch.linspace(-9, 9, 36, dtype=torch.float64)  # not 0, 2 or 6: at a kink a gradient is a matter of taste
    start.requires_grad_()
    value = function(start * 1.0)
    (gradient,) = torch.autograd.grad((value * torch.arange(36)).sum(), start)
    return value.detach(), gradient


@pytest.mark.parametrize("name", RECTIFIERS)
def test_a_rectifier_leaks_forward_and_backward(name):
    rectifier, high = RECTIFIERS[name]
    with leaky(SLOPE):
        value, gradient = value_and_gradient(rectifier)
    expected, slope = value_and_gradient(lambda shown: written_out(shown, high))
    assert torch.equal(value, expected)
    assert torch.equal(gradient, slope)


def test_a_rectifier_that_is_used_twice_leaks_twice():
    with leaky(SLOPE):
        value, gradient = value_and_gradient(functional_twice)
        shared, _ = value_and_gradient(lambda shown: SAME(SAME(shown) - 0.5))
    expected, slope = value_and_gradient(lambda shown: written_out(written_out(shown) - 0.5))
    assert torch.equal(value, expected)
    assert torch.equal(shared, expected)
    assert torch.equal(gradient, slope)


@pytest.mark.parametrize("other", [nn.Hardtanh(), nn.Sigmoid(), nn.GELU(), nn.LeakyReLU(0.3)])
def test_other_activations_stay_as_they_are(other):
    expected = value_and_gradient(other)
    with leaky(SLOPE):
        found = value_and_gradient(other)
    assert all(map(torch.equal, found, expected))


def test_a_slope_of_zero_changes_nothing_and_a_wrong_one_is_an_error():
    with leaky(0.0):
        assert torch.equal(F.relu(torch.tensor([-1.0, 2.0])), torch.tensor([0.0, 2.0]))
    for slope in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="from 0 to 1"):
            leaky(slope)


def dead_path() -> nn.Sequential:
    """All of the second convolution depends on the image through one unit, and that is always off."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 1, 3), nn.ReLU(inplace=True), nn.Conv2d(1, 4, 3), nn.ReLU()).eval()
    network[0].bias.data.fill_(-1e3)
    return network


def gradient_at_the_end(network: nn.Module) -> Tensor:
    image = torch.rand(1, 3, 9, 9).requires_grad_()
    (gradient,) = torch.autograd.grad(network(image * 1).sum(), image)
    return gradient


def test_a_dead_path_has_a_gradient_only_where_it_leaks():
    network = dead_path()
    network[2].bias.data.fill_(1e3)  # so that the last ReLU is on with and without the leak
    assert not gradient_at_the_end(network).any()
    with leaky(SLOPE):
        assert gradient_at_the_end(network).all()
    assert not gradient_at_the_end(network).any()


def looked_at(network: nn.Module, image: Tensor, before_rectifier: bool) -> dict[str, Tensor]:
    seen: dict[str, Tensor] = {}

    def visit(name: str, output: Tensor) -> None:
        seen[name] = output.clone()

    with Observer(network, ["1", "3"], visit, before_rectifier=before_rectifier) as observer:
        observer.run(image)
    return seen


def test_names_of_layers_and_what_comes_before_a_rectifier_are_the_same_inside():
    network, image = dead_path(), torch.rand(1, 3, 9, 9)
    with torch.no_grad(), leaky(SLOPE):
        before, after = (looked_at(network, image, before_rectifier) for before_rectifier in (True, False))
        plain = network[0](image)
        leaked = network[2](written_out(plain))
    assert torch.equal(before["1"], plain)
    assert torch.equal(before["3"], leaked)
    assert torch.equal(after["1"], written_out(plain))
    assert torch.equal(after["3"], written_out(leaked))


def test_a_functional_rectifier_keeps_its_name_inside():
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 1)

        def forward(self, shown: Tensor) -> Tensor:
            return F.relu(self.conv(shown)) + 1

    seen: list[str] = []
    with leaky(SLOPE), Observer(Own(), ["relu"], lambda name, _: seen.append(name)) as observer:
        observer.run(torch.rand(1, 3, 4, 4))
    assert seen == ["relu"]


def test_an_exception_inside_leaves_no_leak_behind():
    with pytest.raises(RuntimeError, match="planted"), leaky(SLOPE):
        raise RuntimeError("planted")
    assert F.relu(torch.tensor(-1.0)) == 0


def test_the_demo_recognises_its_pictures_as_before_and_is_left_as_it_was():
    network, data = trained(), pictures(300)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad(), frozen(network):
        shown = torch.cat([images for images, _ in batches(data, 100)])
        plain = network(shown).softmax(1)
        with leaky(SLOPE):
            leaking = network(shown).softmax(1)
        assert torch.equal(network(shown).softmax(1), plain)
    assert (leaking - plain).abs().max() > 0
    assert (leaking.argmax(1) == plain.argmax(1)).float().mean() >= 0.99
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
