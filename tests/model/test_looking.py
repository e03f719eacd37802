"""Looking into a network: in its own type and fast order, without gradients, and the network is left as it was."""

import pytest
import torch
from torch import Tensor, nn

from audit.errors import Unavailable
from audit.model.looking import looking


def convolutions() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(4, 2))


def test_each_named_layer_is_shown_as_the_network_computes_it() -> None:
    network, images = convolutions().double(), torch.randn(2, 3, 5, 5)
    seen: dict[str, Tensor] = {}
    with looking(network, ["0", "2"], seen.__setitem__) as run:
        run(images)
    first = network[0](images.double())
    assert list(seen) == ["0", "2"]
    assert all(value.dtype == torch.float64 and not value.requires_grad for value in seen.values())
    torch.testing.assert_close(seen["0"], first.detach())
    torch.testing.assert_close(seen["2"], network[2](first.relu()).detach())


def test_convolutions_run_in_their_fast_order_and_stay_as_they_were() -> None:
    network, orders = convolutions(), list[bool]()
    with looking(network, ["0"], lambda _, output: orders.append(output.is_contiguous())) as run:
        run(torch.randn(2, 3, 5, 5))
    assert orders == [False]
    assert network[2].weight.is_contiguous()


def test_a_layer_that_is_not_executed_is_unavailable() -> None:
    with looking(convolutions(), ["absent"], lambda *_: None) as run, pytest.raises(Unavailable, match="absent"):
        run(torch.randn(2, 3, 5, 5))
