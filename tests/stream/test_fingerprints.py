"""Digests of units are equal where their numbers are, whatever order inputs are in, and of nothing else."""

import numpy as np
import pytest
import torch
from torch import nn

from audit.stream.fingerprints import fingerprints
from tests.weighed import model_of


def digests(network: nn.Module) -> dict[str, list[str]]:
    table = fingerprints(model_of(network))
    found: dict[str, list[str]] = {}
    for layer, digest in zip(table.columns["layer"].tolist(), table.columns["digest"].tolist(), strict=True):
        found.setdefault(layer, []).append(digest)
    return found


def modules(network: nn.Module) -> dict[str, str]:
    columns = fingerprints(model_of(network)).columns
    return dict(zip(columns["layer"].tolist(), columns["module"].tolist(), strict=True))


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    made = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.Flatten())
    norm = made[1]
    for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        tensor.copy_(torch.rand(6))
    return made.eval()


def test_a_permutation_of_units_permutes_digests_and_leaves_those_of_the_next_layer() -> None:
    plain, other, order = network(), network(), torch.tensor([3, 0, 5, 1, 2, 4])
    for name in ("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"):
        other.state_dict()[name].copy_(plain.state_dict()[name][order])
    other.state_dict()["3.weight"].copy_(plain.state_dict()["3.weight"][:, order])
    before, after = digests(plain), digests(other)
    for layer in ("0", "1"):
        assert after[layer] == [before[layer][unit] for unit in order]
    assert after["3"] == before["3"]
    assert all(one != two for one, two in zip(modules(plain).values(), modules(other).values(), strict=True))


@pytest.mark.parametrize("name", ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"])
def test_a_single_bit_changes_the_digest_of_its_unit_alone(name: str) -> None:
    plain, other = network(), network()
    tensor = other.state_dict()[name]
    tensor[2] = torch.nextafter(tensor[2], torch.tensor(torch.inf))
    before, after = digests(plain), digests(other)
    layer = name[0]
    assert [unit for unit in range(6) if before[layer][unit] != after[layer][unit]] == [2]
    assert {key: value for key, value in before.items() if key != layer} == {
        key: value for key, value in after.items() if key != layer
    }


def test_a_kernel_that_is_mirrored_is_another_one() -> None:
    plain, other = network(), network()
    other.state_dict()["0.weight"].copy_(plain.state_dict()["0.weight"].flip(3))
    assert not set(digests(plain)["0"]) & set(digests(other)["0"])


def test_how_many_batches_training_has_seen_is_no_weight() -> None:
    plain, other = network(), network()
    other[1].num_batches_tracked += 5
    assert digests(plain) == digests(other)
    assert modules(plain) == modules(other)


def test_equal_nans_are_equal_and_signed_zeros_are_not() -> None:
    plain, other, third = network(), network(), network()
    for made in (plain, other):
        made[0].weight.data[1, 0, 0, 0] = torch.nan
    plain[0].weight.data[2] = 0.0
    third[0].weight.data[2] = -0.0
    other[0].weight.data[2] = 0.0
    assert digests(plain) == digests(other)
    assert digests(plain)["0"][2] != digests(third)["0"][2]


def test_filters_of_a_transposed_convolution_are_its_outputs() -> None:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ConvTranspose2d(4, 6, 3, groups=2)).eval()
    assert {layer: len(those) for layer, those in digests(made).items()} == {"0": 4, "1": 6}


def test_tensors_that_share_no_axis_are_one_unit() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Parameter(torch.rand(3)), nn.Parameter(torch.rand(2, 5))
            self.scale = nn.Parameter(torch.tensor(2.0))

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return pictures.mean(dim=(2, 3)) * self.first * self.scale

    torch.manual_seed(0)
    made = nn.Sequential(Odd()).eval()
    (before,) = digests(made)["0"]
    with torch.no_grad():
        made[0].scale += 1
    (after,) = digests(made)["0"]
    assert before != after


def test_rows_are_numbered_within_their_layer() -> None:
    columns = fingerprints(model_of(network())).columns
    np.testing.assert_array_equal(columns["unit"], [*range(6), *range(6), *range(4)])
