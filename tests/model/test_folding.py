"""A folded network computes what the network did; what is not safe to fold stays."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from audit.model.folding import folded
from audit.model.hooks import Observer
from audit.model.outline import outline

SHAPE = (3, 64, 64)


def lived_in(network: nn.Module) -> nn.Module:
    """In float64 and eval mode, with normalisations as a training might leave them."""
    torch.manual_seed(4)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            if module.running_mean is not None and module.running_var is not None:
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
            if module.affine:
                nn.init.uniform_(module.weight, -1.5, 1.5)
                nn.init.normal_(module.bias)
    return network.double().eval()


def pictures(count: int = 2) -> Tensor:
    return torch.randn(count, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def normalised_by(network: nn.Module) -> int:
    """How many batch normalisations really compute, counted by what they are called with and return."""
    found = 0

    def count(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal found
        found += output is not inputs[0]

    hooks = [module.register_forward_hook(count) for module in network.modules() if type(module) is nn.BatchNorm2d]
    network(pictures())
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize(
    ("name", "left"),
    [("resnet18", 0), ("mobilenet_v3_small", 0), ("googlenet", 0), ("shufflenet_v2_x0_5", 0), ("densenet121", 62)],
)
def test_a_folded_network_has_the_outputs_of_the_network(name: str, left: int) -> None:
    more = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    network = lived_in(models.get_model(name, weights=None, **more))
    with torch.no_grad():
        expected = network(pictures())
        lighter = folded(network, pictures(1))
        torch.testing.assert_close(lighter(pictures()), expected, rtol=1e-10, atol=1e-10 * float(expected.abs().max()))
        assert normalised_by(lighter) == left
        assert torch.equal(network(pictures()), expected)


def test_layers_keep_their_names_and_all_but_the_convolutions_their_outputs() -> None:
    network = lived_in(models.resnet18(weights=None))
    lighter = folded(network, pictures(1))
    layers = [layer.name for layer in outline(network, SHAPE).layers]
    assert [layer.name for layer in outline(lighter, SHAPE).layers] == layers
    convolutions = {path for path, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    unchanged = {name for name in layers if name not in convolutions}
    before, after = outputs(network, unchanged), outputs(lighter, unchanged)
    for name, expected in before.items():
        torch.testing.assert_close(after[name], expected, rtol=1e-9, atol=1e-9)


def outputs(network: nn.Module, names: set[str]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}

    def visit(name: str, output: Tensor) -> None:
        found[name] = output.clone()

    with torch.no_grad(), Observer(network, names, visit) as observer:
        observer.run(pictures())
    return found


class Net(nn.Module):
    """Convolution, normalisation, and how they are put together."""

    def __init__(self, way: Callable[["Net", Tensor], Tensor], **options: bool):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, bias=False, padding=1, padding_mode="reflect")
        self.bn = nn.BatchNorm2d(4, **options)
        self.way = way

    def forward(self, images: Tensor) -> Tensor:
        return self.way(self, images)


def plain(net: Net, images: Tensor) -> Tensor:
    return torch.relu_(net.bn(net.conv(images)))


def read_again(net: Net, images: Tensor) -> Tensor:
    maps = net.conv(images)
    return torch.as_tensor(net.bn(maps) + maps)


def read_through_a_view(net: Net, images: Tensor) -> Tensor:
    maps = net.conv(images)
    corner = maps[:, :, 0, 0]
    return torch.as_tensor(net.bn(maps).mean((2, 3)) + corner)


def returned_too(net: Net, images: Tensor) -> Tensor:
    maps = net.conv(images)
    return (net.bn(maps), maps)  # type: ignore[return-value]


def changed_between(net: Net, images: Tensor) -> Tensor:
    return torch.as_tensor(net.bn(net.conv(images).add_(1)))


def called_twice(net: Net, images: Tensor) -> Tensor:
    return torch.as_tensor(net.bn(net.conv(images)) + net.conv(2 * images))


def normalised_twice(net: Net, images: Tensor) -> Tensor:
    return torch.as_tensor(net.bn(net.bn(net.conv(images))))


def weights_read(net: Net, images: Tensor) -> Tensor:
    return torch.as_tensor(net.bn(net.conv(images)) + net.conv.weight.sum())


def statistics_read(net: Net, images: Tensor) -> Tensor:
    return torch.as_tensor(net.bn(net.conv(images)) * net.bn.running_var.sum())  # type: ignore[union-attr,operator]


def assert_folds(network: nn.Module, left: int, kept: tuple[str, ...] = ()) -> None:
    """Normalisations left in the copy, which computes the same as the network."""
    with torch.no_grad():
        expected = network(pictures())
        lighter = folded(network, pictures(1), kept)
        torch.testing.assert_close(lighter(pictures()), expected, rtol=1e-10, atol=1e-10)
        assert normalised_by(lighter) == left


def test_a_pair_is_folded_wherever_the_network_keeps_it() -> None:
    network = lived_in(Net(plain))
    network.again = [network.bn]  # type: ignore[assignment]
    network.way = lambda net, images: net.again[0](net.conv(images))  # type: ignore[assignment]
    assert_folds(network, 0)
    assert_folds(lived_in(Net(plain, affine=False)), 0)


@pytest.mark.parametrize(
    "way",
    [
        read_again,
        read_through_a_view,
        returned_too,
        changed_between,
        called_twice,
        normalised_twice,
        weights_read,
        statistics_read,
    ],
)
def test_what_somebody_else_reads_or_calls_is_not_folded(way: Callable[[Net, Tensor], Tensor]) -> None:
    network = lived_in(Net(way))
    assert_folds(network, normalised_by(network))


@pytest.mark.parametrize("name", ["0", "0.0", "output"])
def test_a_layer_that_is_asked_for_is_not_folded(name: str) -> None:
    conv, bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
    network = lived_in(nn.Sequential(nn.Sequential(conv), bn, nn.ReLU()))
    expected = outputs(network, {name})[name] if name != "output" else network(pictures())
    lighter = folded(network, pictures(1), [name])
    found = outputs(lighter, {name})[name] if name != "output" else lighter(pictures())
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    assert normalised_by(lighter) == (0 if name == "output" else 1)


def test_a_normalisation_that_uses_the_statistics_of_its_batch_is_not_folded() -> None:
    assert_folds(lived_in(Net(plain, track_running_stats=False)), 1)


def test_a_normalisation_in_training_is_not_folded_and_learns_nothing_from_the_pass() -> None:
    network = lived_in(Net(plain)).train()
    lighter = folded(network, pictures(1))
    assert all(module.training for module in lighter.modules())
    for name, value in network.state_dict().items():
        assert torch.equal(lighter.state_dict()[name], value)
    assert normalised_by(lighter) == 1


def test_a_shared_normalisation_is_not_folded() -> None:
    shared = nn.BatchNorm2d(4)
    network = lived_in(nn.Sequential(nn.Conv2d(3, 4, 3), shared, nn.ReLU(), nn.Conv2d(4, 4, 3), shared))
    assert_folds(network, 2)


def test_convolutions_that_share_a_weight_are_not_folded() -> None:
    first, second = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)
    second.weight = first.weight
    network = nn.Sequential(nn.Conv2d(3, 4, 1), first, nn.BatchNorm2d(4), second, nn.BatchNorm2d(4))
    assert_folds(lived_in(network), 2)


def test_a_module_that_somebody_hooked_into_is_not_folded() -> None:
    network = lived_in(Net(plain))
    network.conv.register_forward_hook(lambda _module, _inputs, output: 2 * output)  # type: ignore[union-attr]
    assert_folds(network, 1)


def test_numbers_that_are_not_finite_stay_where_they_are() -> None:
    network = lived_in(Net(plain))
    with torch.no_grad():
        network.bn.running_var[1] = -1  # type: ignore[index,operator,union-attr]
        lighter = folded(network, pictures(1))
        torch.testing.assert_close(lighter(pictures()), network(pictures()), equal_nan=True)
    assert normalised_by(lighter) == 1


def test_weights_are_rounded_once() -> None:
    single = lived_in(Net(plain)).float()
    found, exact = folded(single, pictures(1).float()), folded(deepcopy(single).double(), pictures(1))
    for name in ("conv.weight", "conv.bias"):
        assert torch.equal(found.state_dict()[name], exact.state_dict()[name].float())
