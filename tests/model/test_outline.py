"""Outlines of published and of awkward networks."""

import itertools

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from audit.errors import SectionError
from audit.model.outline import maps, outline
from audit.records import Layer


class Awkward(nn.Module):
    """A ReLU used twice, functional activations, a name that a module already has, an output of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.tail = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.conv(x)))
        x = self.relu(self.tail(x))
        x = torch.relu(self.tail(x))
        x = self.tail(x).relu_()
        return F.gelu(x).mean((2, 3)) * 2


def layers(network: nn.Module, shape: tuple[int, int, int] = (3, 8, 8)) -> dict[str, Layer]:
    return {layer.name: layer for layer in outline(network.eval(), shape).layers}


def test_every_call_has_a_name_of_its_own_in_the_order_of_execution() -> None:
    assert list(layers(Awkward())) == [
        "conv",
        "norm",
        "relu",
        "tail",
        "relu#2",
        "tail#2",
        "functional_relu",
        "tail#3",
        "functional_relu#2",
        "gelu",
        "output",
    ]


def test_a_layer_knows_what_rectifies_it() -> None:
    found = layers(Awkward())
    activations = {name: layer.activation for name, layer in found.items()}
    assert activations["conv"] == activations["norm"] == activations["relu"] == "relu"
    assert activations["tail"] == "relu#2"
    assert activations["tail#2"] == "functional_relu"
    assert activations["tail#3"] == "functional_relu#2"
    assert activations["gelu"] is activations["output"] is None
    assert [name for name, layer in found.items() if layer.rectifier] == [
        "relu",
        "relu#2",
        "functional_relu",
        "functional_relu#2",
    ]


def test_a_sum_before_the_relu_is_rectified_but_not_its_summands() -> None:
    found = layers(torchvision.models.resnet18(weights=None), (3, 64, 64))
    assert found["layer1.0.conv1"].activation == found["layer1.0.bn1"].activation == "layer1.0.relu"
    assert found["layer1.0.conv2"].activation is None
    assert found["layer1.0.bn2"].activation is None
    assert found["layer1.0.relu#2"].rectifier
    assert found["layer1.0"].rectifier
    assert found["layer1"].activation == "layer1"


def test_a_block_that_joins_rectified_parts_is_rectified() -> None:
    found = layers(torchvision.models.squeezenet1_0(weights=None), (3, 64, 64))
    assert found["features.3"].rectifier
    assert found["features.3"].kind == "Fire"
    assert found["features.3.expand3x3"].activation == "features.3.expand3x3_activation"
    assert not found["features.2"].rectifier
    assert found["features.3"].parameters == 11_920


def test_functional_relus_of_googlenet_are_found() -> None:
    found = layers(torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=False), (3, 64, 64))
    assert found["inception3a.branch2.1.relu"].kind == "relu"
    assert found["inception3a.branch2.1.conv"].activation == "inception3a.branch2.1.relu"
    assert found["inception3a"].rectifier
    assert sum(layer.kind == "relu" for layer in found.values()) == 57


def test_a_custom_normalisation_is_followed() -> None:
    class FrozenNorm(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 0.5 + 1

    found = layers(nn.Sequential(nn.Conv2d(3, 2, 1), FrozenNorm(), nn.ReLU()))
    assert found["0"].activation == "2"


def test_a_relu_that_changes_a_tensor_after_the_block_returned_it_does_not_make_the_block_a_rectifier() -> None:
    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU())

        def forward(self, x: Tensor) -> Tensor:
            out = self.block(x)
            out -= 1
            return out

    found = layers(Late())
    assert found["block"].rectifier
    assert not found["output"].rectifier


@pytest.mark.parametrize("shape", [(1, 28, 28), (5, 16, 48), (6, 33, 20)])
def test_any_number_of_channels_and_any_size(shape: tuple[int, int, int]) -> None:
    network = nn.Sequential(nn.Conv2d(shape[0], 3, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(7))
    network(torch.zeros(1, *shape))
    found = layers(network, shape)
    assert found["0"].shape == (3, shape[1] - 2, shape[2] - 2)
    assert found["3"].shape == (7,)


def test_tokens_are_a_column_of_maps() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 8, 4, 4)
            self.encoder = nn.TransformerEncoderLayer(8, 2, 16)

        def forward(self, x: Tensor) -> Tensor:
            tokens: Tensor = self.encoder(self.patches(x).flatten(2).transpose(1, 2))
            return tokens.mean(1)

    found = layers(Tokens())
    assert found["encoder"].shape == (8, 4, 1)
    assert found["encoder"].map_size == (4, 1)
    assert found["encoder.linear1"].activation == "encoder.relu"
    assert found["output"].shape == (8,)


@pytest.mark.parametrize(
    ("shape", "layout", "as_maps"),
    [
        ((2, 5), None, (2, 5, 1, 1)),
        ((2, 5, 3), None, (2, 5, 3, 1)),
        ((2, 5, 3, 4), None, (2, 5, 3, 4)),
        ((2, 5, 3, 4, 6), None, (2, 5, 12, 6)),
        ((2, 7, 5), "image position unit", (2, 5, 7, 1)),
        ((7, 2, 5), "position image unit", (2, 5, 7, 1)),
        ((2, 3, 4, 5), "image position position unit", (2, 5, 3, 4)),
        ((2, 4, 3, 5), "image unit unit position", (2, 12, 5, 1)),
    ],
)
def test_maps_are_views(shape: tuple[int, ...], layout: str | None, as_maps: tuple[int, ...]) -> None:
    output = torch.randn(shape)
    assert maps(output, layout).shape == as_maps
    assert maps(output, layout).data_ptr() == output.data_ptr()


def test_every_number_has_its_place_in_the_maps() -> None:
    output = torch.arange(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6).float()  # image, head, time, x, unit
    found = maps(output, "image unit position position unit")
    for image, head, time, x, unit in itertools.product(*map(range, output.shape)):
        assert found[image, head * 6 + unit, time, x] == output[image, head, time, x, unit]


def test_maps_of_an_output_with_other_axes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 2, 2\) has not the axes \(image unit\), and so no maps"):
        maps(torch.zeros(2, 2, 2), "image unit")


def test_outputs_that_are_no_pictures_of_units_are_left_out() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.whole = nn.Identity()
            self.head = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            self.whole(torch.zeros(1, 9))
            self.whole((x * 0).int())
            self.whole(x.unflatten(2, (2, 4)).transpose(1, 2).flatten(0, 1))  # halves of images
            self.whole(x.mean((1, 2, 3)))
            self.whole([1.0, None])
            return self.head(x.mean((2, 3)))

    assert list(layers(Odd(), (4, 8, 8))) == ["head"]


def test_a_network_that_cannot_take_the_input_says_why() -> None:
    with pytest.raises(SectionError, match=r"5 channels, 8 x 9 pixels .*expected input.* to have 3 channels") as caught:
        outline(nn.Sequential(nn.Conv2d(3, 2, 1)).eval(), (5, 8, 9))
    assert caught.value.option == "input"


def test_a_network_without_a_layer_is_refused() -> None:
    class Nothing(nn.Module):
        def forward(self, x: Tensor) -> float:
            return 1.0

    with pytest.raises(SectionError, match="no layer of Nothing"):
        outline(Nothing(), (3, 8, 8))


def test_an_outline_leaves_the_network_and_the_random_numbers_as_they_were() -> None:
    network = torchvision.models.resnet18(weights=None).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.random.get_rng_state()
    outline(network, (3, 64, 64))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_a_layer_that_hands_on_anothers_output_says_so() -> None:
    inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True))
    network = nn.Sequential(nn.Sequential(inner, nn.Dropout()), nn.Flatten(), nn.Linear(144, 2)).eval()
    same = {layer.name: layer.same_as for layer in outline(network, (3, 8, 8)).layers}
    assert same == {"0.0.0": None, "0.0.1": None, "0.0": "0.0.1", "0.1": "0.0.1", "0": "0.0.1", "1": None, "2": None}
