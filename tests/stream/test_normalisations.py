"""Batch normalisations of a network as a table."""

from collections import OrderedDict

import numpy as np
import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from audit.config import ModelSection
from audit.model.load import Model
from audit.model.outline import outline
from audit.stream.normalisations import NUMBERS, normalisations


def of(network: nn.Module) -> Model:
    section = ModelSection(name="m", factory="net.py:net", input=(3, 8, 8))
    one = torch.ones(3, 1, 1)
    return Model(section, network.eval(), outline(network, (3, 8, 8)), (), "", torch.device("cpu"), one, one)


def trained(normalisation: nn.Module) -> nn.Module:
    for tensor in normalisation.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
    return normalisation


def test_each_unit_of_each_normalisation_has_a_row() -> None:
    torch.manual_seed(0)
    first, second = trained(nn.BatchNorm2d(4, eps=0.1)), trained(nn.BatchNorm1d(5))
    layers = [
        ("conv", nn.Conv2d(3, 4, 3)),
        ("bn", first),
        ("flat", nn.Flatten()),
        ("fc", nn.Linear(144, 5)),
        ("n", second),
    ]
    table = normalisations(of(nn.Sequential(OrderedDict(layers))))
    assert table.name == "normalisations"
    assert table.columns["layer"].tolist() == ["bn"] * 4 + ["n"] * 5
    assert table.columns["unit"].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4]
    assert table.columns["eps"].tolist() == [0.1] * 4 + [1e-5] * 5
    for name in ("weight", "bias", "running_mean", "running_var"):
        wanted = [*getattr(first, name).tolist(), *getattr(second, name).tolist()]
        assert table.columns[name].tolist() == wanted


def test_without_scale_and_shift_they_are_one_and_zero() -> None:
    table = normalisations(of(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False))))
    assert table.columns["weight"].tolist() == [1] * 4
    assert table.columns["bias"].tolist() == [0] * 4


def test_frozen_normalisations_have_rows_and_those_without_statistics_have_none() -> None:
    frozen, of_batch = FrozenBatchNorm2d(3), nn.BatchNorm2d(4, track_running_stats=False)
    table = normalisations(of(nn.Sequential(frozen, nn.Conv2d(3, 4, 3), of_batch, nn.ReLU())))
    assert table.columns["layer"].tolist() == ["0"] * 3


def test_one_that_is_used_twice_has_rows_for_each_use_and_an_unused_one_has_none() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.unused = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

        def forward(self, maps: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(self.norm(self.norm(maps).relu())).sigmoid()

    table = normalisations(of(Twice()))
    assert table.columns["layer"].tolist() == ["norm"] * 3 + ["norm#2"] * 3


def test_a_network_without_any_has_an_empty_table_of_the_same_columns() -> None:
    table = normalisations(of(nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4))))
    assert table.rows == 0
    assert set(table.columns) == {"layer", "unit", *NUMBERS}
    assert all(np.issubdtype(table.columns[name].dtype, np.number) for name in NUMBERS)
