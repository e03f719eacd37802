"""Directions of a layer's space are a layer like others: its numbers, its pictures, its gradients are weighted sums."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audit.config import ModelSection
from audit.errors import SectionError
from audit.model import rules
from audit.model.directions import with_directions
from audit.model.load import Model, load
from audit.model.outline import outline
from tests.analyses.planted import model, passed_back, pictured, task

SHAPE = (3, 24, 20)


def derived(**wanted: int) -> Model:
    given = model(SHAPE)
    network = with_directions(deepcopy(given.network), given.outline, wanted)
    return replace(given, network=network, outline=outline(network, SHAPE))


def seen(network: nn.Module, name: str, shown: Tensor) -> Tensor:
    kept: list[Tensor] = []
    handle = network.get_submodule(name).register_forward_hook(lambda _, __, output: kept.append(output.clone()))
    network(shown)
    handle.remove()
    return kept[0]


def test_a_direction_is_a_weighted_sum_of_units_and_the_network_is_the_same() -> None:
    given, plain = derived(conv1=3, relu1=2), model(SHAPE).network
    shown = torch.rand(2, *SHAPE) - 0.5
    assert torch.equal(given.network(shown), plain(shown))
    for name, count in (("conv1", 3), ("relu1", 2)):
        found, units = seen(given.network, f"directions_{name}", shown), seen(plain, name, shown)
        weight = given.network.get_submodule(f"directions_{name}").weight
        assert torch.allclose(weight @ weight.T, torch.eye(count), atol=1e-6)
        for row in range(count):
            expected = sum(float(weight[row, unit]) * units[:, unit] for unit in range(4))
            assert torch.allclose(found[:, row], expected, atol=1e-5)


def test_it_is_a_layer_that_sees_what_the_units_see_and_changes_no_other() -> None:
    given, plain = derived(conv2=2), model(SHAPE)
    layer = given.outline.layer("directions_conv2")
    assert (layer.units, layer.field) == (2, plain.outline.layer("conv2").field)
    assert [other for other in given.outline.layers if other != layer] == list(plain.outline.layers)


def test_of_a_linear_layer() -> None:
    network = nn.Module()
    network.add_module("first", nn.Linear(12, 6))
    network.add_module("last", nn.Linear(6, 2))
    network.forward = lambda shown: network.last(network.first(shown.flatten(1)))  # type: ignore[method-assign]
    made = with_directions(network, outline(network, (3, 2, 2)), {"first": 4})
    assert outline(made, (3, 2, 2)).layer("directions_first").units == 4


@pytest.mark.parametrize("rule", [None, rules.deconvnet, rules.guided])
def test_what_is_passed_back_begins_at_all_of_its_units(rule) -> None:
    given = derived(conv1=2)
    layer, weight = given.outline.layer("directions_conv1"), given.network.get_submodule("directions_conv1").weight
    pixels = torch.rand(1, *SHAPE)
    found = passed_back(given, layer, pixels, [1], [(9, 9)], rule=rule).gradient
    plain = model(SHAPE)
    parts = [
        passed_back(plain, plain.outline.layer("conv1"), pixels, [unit], [(9, 9)], rule=rule).gradient * weight[1, unit]
        for unit in range(4)
    ]
    assert torch.allclose(found, sum(parts), atol=1e-5)


@pytest.mark.parametrize("analysis", ["max-patches", "max-images", "deconv", "guided", "gradient", "occlusion"])
def test_directions_go_through_what_units_go_through(analysis: str, tmp_path: Path) -> None:
    given = task(derived(relu1=2), "directions_relu1", (0, 1), tmp_path, images=3)
    made = pictured(analysis, given)
    assert made.tiles.shape[:2] == (2, 3)
    assert made.tiles.std() > 0
    assert given.strongest is not None
    best = int(given.strongest.image[0, 0])
    assert np.isfinite(given.strongest.value).all()
    assert best >= 0


def test_copies_have_directions_of_their_own() -> None:
    network = derived(conv1=2).network
    copied = deepcopy(network)
    copied.get_submodule("directions_conv1").weight.zero_()
    shown = torch.rand(1, *SHAPE)
    assert not seen(copied, "directions_conv1", shown).any()
    assert seen(network, "directions_conv1", shown).any()


def test_they_are_the_same_in_every_run_and_part_of_the_models_digest() -> None:
    section = ModelSection(name="m", factory="torchvision:squeezenet1_0", input=(3, 64, 64))
    chosen = section.model_copy(update={"directions": {"features.3": 5}})
    plain, first, again = (load(each, Path(), torch.device("cpu")) for each in (section, chosen, chosen))
    assert first.digest == again.digest != plain.digest
    assert first.outline.layer("directions_features_3").units == 5
    assert first.outline.layers[-1] == plain.outline.layers[-1]
    name = "directions_features_3"
    assert torch.equal(first.network.get_submodule(name).weight, again.network.get_submodule(name).weight)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"conv3": 2}, 'no module "conv3" is a layer; did you mean "conv2"'),
        ({"relu": 2}, 'no module "relu" is a layer'),
        ({"scores": 2}, "scores is the output"),
        ({"conv2": 3}, "conv2 has 2 units, so not 3 directions at right angles"),
    ],
)
def test_what_cannot_be_is_said(wanted: dict[str, int], said: str) -> None:
    with pytest.raises(SectionError, match=said):
        derived(**wanted)


def test_a_sequence_would_run_them() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
    with pytest.raises(SectionError, match=r"an nn\.Sequential runs every module"):
        with_directions(network, outline(network, (3, 8, 8)), {"0": 2})
