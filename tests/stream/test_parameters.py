"""Every floating-point entry of a network has a row, and what was planted in it is in the row."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audit.records import Table
from tests.weighed import train, weighed

NAMED = ("layer", "name", "kind")


class Mixed(nn.Module):
    """A layer of every kind, and a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.up = nn.ConvTranspose2d(8, 6, 3, groups=2, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.attention = nn.MultiheadAttention(6, 2)
        self.fc = nn.Linear(6, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, 6))

    def forward(self, images: Tensor) -> Tensor:
        return images


def row(table: Table, layer: str, name: str) -> dict[str, float | str]:
    """The entry of that name."""
    (index,) = np.flatnonzero((table.columns["layer"] == layer) & (table.columns["name"] == name))
    return {column: values[index] for column, values in table.columns.items()}


def table_of(network: nn.Module) -> Table:
    return weighed(network).table("parameters")


def test_every_entry_has_a_row_with_its_kind_in_the_state_dicts_order() -> None:
    columns = table_of(Mixed()).columns
    kinds = {f"{layer}.{name}": kind for layer, name, kind in zip(*(columns[c] for c in NAMED), strict=True)}
    assert kinds == {
        "output.token": "other",
        "conv.weight": "convolution weight",
        "conv.bias": "bias",
        "up.weight": "convolution weight",
        "norm.weight": "normalisation weight",
        "norm.bias": "normalisation bias",
        "norm.running_mean": "running mean",
        "norm.running_var": "running variance",
        "attention.in_proj_weight": "attention weight",
        "attention.in_proj_bias": "bias",
        "attention.out_proj.weight": "linear weight",
        "attention.out_proj.bias": "bias",
        "fc.weight": "linear weight",
        "fc.bias": "bias",
    }
    assert next(iter(kinds)) == "output.token"
    assert columns["shape"].tolist()[1] == "8 x 3 x 3 x 3"
    filters = {layer: int(count) for layer, count in zip(columns["layer"], columns["filters"], strict=True) if count}
    assert filters == {"conv": 8, "up": 6, "attention": 18, "attention.out_proj": 6, "fc": 4}


def test_planted_zeros_copies_and_numbers_are_counted() -> None:
    network = Mixed()
    with torch.no_grad():
        network.conv.weight[2] = 0
        network.conv.weight[5] = network.conv.weight[1]
        network.conv.weight[0, 0, 0, :2] = 1e-40
        network.conv.weight[0, 0, 1, 0] = 1e-9
        network.up.weight[:4, 1] = 0  # output channel 1: the second of the first group
        network.norm.running_var[1] = torch.nan
    table = table_of(network)
    conv = row(table, "conv", "weight")
    assert (conv["zeros"], conv["zero_filters"], conv["zero_units"]) == (27, 1, "2")
    assert (conv["equal_filters"], conv["equal_units"]) == (1, "5 = 1")
    assert (conv["subnormal"], conv["vanishing"], conv["count"]) == (2, 3, 216)
    assert row(table, "up", "weight")["zero_units"] == "1"
    assert row(table, "norm", "weight")["ones"] == 6
    assert row(table, "norm", "running_var")["not_finite"] == 1


def test_a_weight_that_is_not_finite_has_no_distribution() -> None:
    network = Mixed()
    with torch.no_grad():
        network.conv.weight[0, 0, 0, 0] = torch.inf
    conv = row(table_of(network), "conv", "weight")
    assert conv["largest"] == float("inf")
    assert all(np.isnan(conv[name]) for name in ("uniform_p", "normal_p", "structure_p", "spectral_excess"))  # type: ignore[arg-type]
    assert np.isnan(conv["fresh_filters"])  # type: ignore[arg-type]


def test_fresh_weights_are_explained_by_chance_and_trained_ones_are_not() -> None:
    torch.manual_seed(0)
    fresh = row(table_of(nn.Sequential(nn.Conv2d(16, 40, 3))), "0", "weight")
    assert float(fresh["uniform_p"]) > 1e-3
    assert float(fresh["structure_p"]) > 1e-3
    assert fresh["initialization"] == "PyTorch's default"
    assert fresh["default_bound"] == pytest.approx(1, abs=0.01)
    assert fresh["he_std"] == pytest.approx(np.sqrt(1 / 6), rel=0.05)
    assert float(fresh["fresh_filters"]) >= 38
    trained = row(table_of(train(nn.Sequential(nn.Conv2d(16, 40, 3)))), "0", "weight")
    assert float(trained["structure_p"]) < 1e-20
    assert trained["fresh_filters"] == 0
    assert trained["initialization"] == ""


def test_half_precision_weights_are_weighed_too_and_the_table_is_the_same_every_time() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(16, 40, 3, dtype=torch.bfloat16))
    first, second = table_of(network).columns, table_of(network).columns
    assert first["std"][0] == pytest.approx(float(network[0].weight.detach().float().std(correction=0)), rel=1e-5)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])


def test_a_network_without_numbers_has_an_empty_table_with_all_columns() -> None:
    empty, full = table_of(nn.Identity()), table_of(nn.Linear(2, 2))
    assert empty.rows == 0
    assert empty.columns.keys() == full.columns.keys()
    assert full.columns["layer"].tolist() == ["output", "output"]
