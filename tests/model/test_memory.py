"""The order in memory: which networks it is changed for, and that nothing is left of it."""

import pytest
import torch
from torch import nn
from torchvision.models import squeezenet1_1, vit_b_16

from audit.model.memory import fast_order, in_order


def convolutions() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(4, 2))


def test_afterwards_the_weights_are_the_old_tensors() -> None:
    network = convolutions()
    before = {name: (weight.data_ptr(), weight.stride(), weight.clone()) for name, weight in network.named_parameters()}
    with in_order(network, torch.channels_last):
        inside = network[2].weight
        assert isinstance(inside, nn.Parameter)
        assert inside.is_contiguous(memory_format=torch.channels_last)
        assert not inside.is_contiguous()
    with pytest.raises(TypeError), in_order(network, torch.channels_last):
        network("no picture")
    for name, weight in network.named_parameters():
        pointer, stride, values = before[name]
        assert (weight.data_ptr(), weight.stride()) == (pointer, stride)
        assert torch.equal(weight, values)


def test_a_weight_that_two_layers_share_stays_shared() -> None:
    network = convolutions()
    network.append(nn.Conv2d(8, 4, 3))
    network[2].weight = network[5].weight
    with in_order(network, torch.channels_last):
        assert network[2].weight is network[5].weight
    assert network[2].weight is network[5].weight


def test_outputs_are_those_of_the_usual_order() -> None:
    network, images = convolutions().eval(), torch.randn(2, 3, 5, 5)
    with torch.no_grad():
        usual = network(images)
        with in_order(network, torch.channels_last):
            torch.testing.assert_close(network(images.contiguous(memory_format=torch.channels_last)), usual)


def test_convolutional_networks_on_a_cpu_are_faster_in_channels_last() -> None:
    assert fast_order(squeezenet1_1()) == torch.channels_last
    assert fast_order(convolutions().bfloat16()) == torch.channels_last


def test_a_transformer_is_left_as_it_is() -> None:
    with torch.device("meta"):
        assert fast_order(vit_b_16()) == torch.contiguous_format
    assert fast_order(nn.Linear(3, 2)) == torch.contiguous_format


@pytest.mark.cuda
def test_exact_float32_on_cuda_is_left_as_it_is() -> None:
    assert fast_order(convolutions().cuda()) == torch.contiguous_format
    assert fast_order(convolutions().cuda().half()) == torch.channels_last
