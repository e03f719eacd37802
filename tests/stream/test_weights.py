"""What weights say of units agrees with loops over them."""

import numpy as np
import pytest
import torch
from torch import nn

from audit.errors import Unavailable
from audit.records import Layer
from audit.stream.weights import COSTLY, filter_columns, layer_filters
from tests.weighed import model_of


def network() -> nn.Sequential:
    """A convolution with a copy, a negative, a filter of zeros and a NaN; a transposed one; a linear layer."""
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.ConvTranspose2d(6, 4, 2, groups=2), nn.Flatten(), nn.Linear(4 * 15 * 15, 3)
    )
    with torch.no_grad():
        made[0].weight[1] = 2 * made[0].weight[0]
        made[0].weight[3] = -made[0].weight[2]
        made[0].weight[4] = 0
        made[0].weight[5, 0, 0, 0] = torch.nan
    return made


def layer(name: str) -> Layer:
    return model_of(network()).outline.layer(name)


def test_norms_zeros_and_cosines_agree_with_loops() -> None:
    model = model_of(network())
    columns = filter_columns(model, layer("0")).columns
    filters = model.network.get_submodule("0").weight.detach().double().flatten(1).numpy()  # type: ignore[operator,union-attr]
    np.testing.assert_allclose(columns["weight_norm"], [np.sqrt((row**2).sum()) for row in filters], rtol=1e-6)
    np.testing.assert_allclose(columns["zero_weights"], [0, 0, 0, 0, 1, np.nan])
    np.testing.assert_allclose(columns["nearest_cosine"][:4], [1, 1, -1, -1], rtol=1e-5)
    assert np.isnan(columns["nearest_cosine"][4:]).all()


def test_filters_of_a_transposed_convolution_are_those_of_its_outputs() -> None:
    model = model_of(network())
    up = model.network.get_submodule("2")
    filters = layer_filters(model, layer("2"))
    assert filters.shape == (4, 3, 2, 2)
    for unit in range(4):
        group, inside = divmod(unit, 2)
        expected = up.weight[3 * group : 3 * group + 3, inside]  # type: ignore[index]
        torch.testing.assert_close(filters[unit], expected)


def test_units_of_a_linear_layer_have_columns_too() -> None:
    columns = filter_columns(model_of(network()), layer("4")).columns
    assert all(values.shape == (3,) for values in columns.values())
    assert np.abs(columns["nearest_cosine"]).max() < 0.2


def test_a_layer_without_weights_is_unavailable() -> None:
    with pytest.raises(Unavailable, match=r'"1" \(ReLU\) has no filters'):
        filter_columns(model_of(network()), layer("1"))


def test_comparisons_that_would_take_minutes_are_not_made() -> None:
    units = 20_000
    assert units**2 * 300 > COSTLY
    model = model_of(nn.Sequential(nn.Flatten(), nn.Linear(300, units, bias=False)), (3, 10, 10))
    columns = filter_columns(model, model.outline.layers[-1]).columns
    assert np.isnan(columns["nearest_cosine"]).all()
    assert (columns["weight_norm"] > 0).all()
