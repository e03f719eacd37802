"""The network that is climbed: the same function, or that function within what bfloat16 rounds."""

import threading

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from audit.ascent.canvas import canvas_of
from audit.ascent.difference import ROWS, Difference, difference
from audit.ascent.lighter import lighter, rounded
from audit.ascent.presets import Preset
from audit.ascent.rows import Job
from audit.ascent.start import noise
from audit.demo.network import MEAN, STD, trained
from audit.errors import AuditError
from audit.model.outline import outline
from audit.model.precision import precision

SHAPE = (3, 64, 64)
ONE_ROUNDING = 2.0**-8
"""The largest relative error of a number that is rounded to bfloat16's 8 significant bits."""


def compared(name: str, network: nn.Module, other: nn.Module, jobs: list[Job]) -> Difference:
    layer = outline(network, SHAPE).layer(name)
    mean, std = torch.full((3, 1, 1), MEAN), torch.full((3, 1, 1), STD)
    return difference(network, other, layer, jobs, canvas_of(layer, SHAPE), mean=mean, std=std)


def jobs(count: int) -> list[Job]:
    preset = Preset(steps=1, learning_rate=1.0)
    return [Job(unit, preset, seed=unit) for unit in range(count)]


def test_the_copy_is_folded_and_the_network_stays_as_it_was() -> None:
    torch.manual_seed(0)
    network = resnet18(weights=None).double().eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    copied = lighter(network, SHAPE, ["layer2.0.bn1"])
    images = torch.randn(2, *SHAPE, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(copied(images), network(images), rtol=1e-10, atol=1e-10)
    assert not torch.equal(copied.state_dict()["layer1.0.conv1.weight"], before["layer1.0.conv1.weight"])
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


class Locked(nn.Module):
    """Holds what cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.lock = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), threading.Lock()

    def forward(self, images: Tensor) -> Tensor:
        with self.lock:
            return torch.as_tensor(self.bn(self.conv(images)))


def test_a_network_that_cannot_be_copied_is_climbed_itself() -> None:
    network = Locked().eval()
    assert lighter(network, SHAPE, ["bn"]) is network
    with pytest.raises(AuditError, match=r'Locked cannot be copied.* precision = "float32"'):
        lighter(network, SHAPE, ["bn"], "bf16")


def test_in_bfloat16_only_the_copy_computes_so() -> None:
    network = trained()
    copied = lighter(network, SHAPE, ["conv2"], "bf16")
    assert precision(copied) == torch.bfloat16
    assert precision(network) == torch.float32
    assert copied.conv2.weight.is_contiguous(memory_format=torch.channels_last)  # type: ignore[union-attr,operator]


def test_the_first_convolution_differs_by_what_three_roundings_explain() -> None:
    """Rounded are the image, the weights and the sums; |w * x| bounds what the first two do to a sum."""
    network = trained()
    found = compared("conv1", network, rounded(network), jobs(5))
    weight, bias = (value.detach().double() for value in network.conv1.parameters())  # type: ignore[union-attr]
    for row in range(5):
        start = torch.from_numpy(noise(row, (3, 11, 11)).copy()) / (255 * STD)
        exact = (weight * start).sum((1, 2, 3)) + bias
        inside = (weight * start).abs().sum((1, 2, 3)) + bias.abs()
        bound = 1.01 * ONE_ROUNDING * (2 * inside + exact.abs())
        assert found.activation[row] <= float(bound.norm() / exact.norm())
        assert found.activation[row] >= ONE_ROUNDING / 100
    assert float(found.cosine.min()) >= (1 - ONE_ROUNDING**2) ** 0.5 - 1e-6  # the gradient is a row of weights
    assert float(found.cosine.max()) < 1


def test_deeper_layers_differ_more_and_still_point_the_same_way() -> None:
    found = compared("conv3", trained(), rounded(trained()), jobs(20))
    assert found.activation.shape == found.cosine.shape == (ROWS,)
    assert 0 < float(found.activation.max()) < 10 * ONE_ROUNDING
    assert 0.99 < float(found.cosine.min()) < 1


def test_a_network_does_not_differ_from_itself() -> None:
    found = compared("conv2", trained(), trained(), jobs(3))
    assert found.activation.tolist() == [0, 0, 0]
    assert found.cosine == pytest.approx([1, 1, 1])
    assert str(found) == (
        "activations differ by 0 % (0 % at worst), gradients have a cosine of 1.0000 (1.0000 at worst)"
    )


def test_two_gradients_that_are_zero_agree() -> None:
    network = trained()
    nn.init.zeros_(network.conv2.weight)  # type: ignore[union-attr,arg-type]
    assert compared("conv2", network, rounded(network), jobs(2)).cosine.tolist() == [1, 1]


class Float32Only(nn.Module):
    """Makes float32 of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.conv(images.float()))


def test_a_network_that_does_not_run_in_bfloat16_is_an_error_that_says_what_to_do() -> None:
    network = Float32Only().eval()
    with pytest.raises(AuditError, match=r'does not run in bfloat16: .* precision = "float32"'):
        compared("conv", network, rounded(network), jobs(1))
