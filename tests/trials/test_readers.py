"""Which weights read a layer's units: networks whose wiring is known."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audit.config import ModelSection
from audit.errors import Unavailable
from audit.model.load import Model
from audit.model.outline import outline
from audit.records import Layer
from audit.trials.readers import next_weights


def model(network: nn.Module, channels: int = 3) -> Model:
    network = network.eval().requires_grad_(False)
    shape = (channels, 12, 12)
    section = ModelSection(name="planted", factory="planted:network", input=shape)
    one = torch.ones(channels, 1, 1)
    return Model(section, network, outline(network, shape), (), "", torch.device("cpu"), 0 * one, one)


def first(planted: Model) -> Layer:
    layer = planted.outline.first_convolution
    assert layer is not None
    return layer


class Fire(nn.Module):
    """A squeeze that two expansions read, as in SqueezeNet."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze, self.pool = nn.Conv2d(3, 6, 3), nn.MaxPool2d(2)
        self.small, self.large = nn.Conv2d(6, 4, 1), nn.Conv2d(6, 4, 3, padding=1)
        self.later = nn.Conv2d(8, 6, 1)

    def forward(self, images: Tensor) -> Tensor:
        squeezed = self.pool(torch.relu_(self.squeeze(images)))
        return self.later(torch.cat([torch.relu(self.small(squeezed)), torch.relu(self.large(squeezed))], 1))


def norms(*weights: Tensor) -> np.ndarray:
    return np.sqrt(sum((weight.double() ** 2).sum(dim=(0, 2, 3)).numpy() for weight in weights))


def test_all_readers_of_a_unit_count_and_no_later_layer_does() -> None:
    planted = model(Fire())
    found = next_weights(planted, first(planted)).columns["next_weight"]
    np.testing.assert_allclose(found, norms(planted.network.small.weight, planted.network.large.weight))


def test_a_normalisation_and_a_pooling_in_between_do_not_hide_the_reader() -> None:
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(True), nn.AvgPool2d(2), nn.Conv2d(5, 7, 3))
    planted = model(network)
    np.testing.assert_allclose(next_weights(planted, first(planted)).columns["next_weight"], norms(network[4].weight))


def test_in_a_grouped_convolution_a_unit_is_read_by_its_group() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3, groups=2))
    planted, weight = model(network), network[2].weight.double()
    expected = [(weight[3 * (unit // 2) : 3 * (unit // 2) + 3, unit % 2] ** 2).sum().sqrt() for unit in range(4)]
    np.testing.assert_allclose(next_weights(planted, first(planted)).columns["next_weight"], expected)


def test_where_the_units_are_mixed_nobody_reads_them() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(2), nn.Linear(100, 100), nn.Flatten(), nn.Linear(400, 2))
    planted = model(network)
    with pytest.raises(Unavailable, match="one by one"):
        next_weights(planted, first(planted))


def test_the_network_is_left_as_it_was() -> None:
    planted = model(Fire())
    before = {name: value.clone() for name, value in planted.network.state_dict().items()}
    next_weights(planted, first(planted))
    assert all(torch.equal(before[name], value) for name, value in planted.network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in planted.network.modules())
