"""Every function of planting.py does what it says, and nothing else."""

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Generator, Tensor, nn

from tests.defects import planting as plant
from tests.defects.definitions import Place

PLAIN = Place("first", "relu", ("second",))
NORMED = Place("first", "relu", ("second",), "norm")
SHOWN = torch.randn(8, 3, 9, 9, generator=torch.Generator().manual_seed(3))


class Small(nn.Module):
    """Two convolutions and a classifier, with a normalisation after the first where it is asked for."""

    def __init__(self, normed: bool):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, bias=not normed)
        self.norm = nn.BatchNorm2d(6) if normed else nn.Identity()
        self.second = nn.Conv2d(6, 5, 3)
        self.fc = nn.Linear(5, 4)

    def units(self, shown: Tensor) -> Tensor:
        """Of the first layer, before their rectifier."""
        return torch.as_tensor(self.norm(self.first(shown)))

    def forward(self, shown: Tensor) -> Tensor:
        return torch.as_tensor(self.fc(self.second(self.units(shown).relu()).relu().mean((2, 3))))


def small(place: Place, state: Mapping[str, Tensor] | None = None) -> Small:
    """The same random network each time, or one with that state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = Small(place.norm is not None)
        if isinstance(network.norm, nn.BatchNorm2d):
            for values in (network.norm.weight, network.norm.bias, network.norm.running_mean):
                assert values is not None
                nn.init.normal_(values)
            network.norm.running_var = torch.rand(6) + 0.5
    if state is not None:
        network.load_state_dict(dict(state))
    return network.eval().requires_grad_(False)


def changed(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> set[str]:
    """Names whose numbers differ; both have the same names, shapes and types."""
    assert set(before) == set(after)
    assert all(before[name].shape == after[name].shape for name in before)
    assert all(before[name].dtype == after[name].dtype for name in before)
    return {name for name in before if not torch.equal(before[name], after[name])}


def changed_rows(before: Tensor, after: Tensor) -> list[int]:
    return [row for row in range(len(before)) if not torch.equal(before[row], after[row])]


def seeded() -> Generator:
    return torch.Generator().manual_seed(5)


def units_of(place: Place, state: Mapping[str, Tensor]) -> Tensor:
    """(unit, everything else) of the first layer on the pictures shown."""
    return small(place, state).units(SHOWN).transpose(0, 1).flatten(1)


BOTH = pytest.mark.parametrize("place", [PLAIN, NORMED], ids=["plain", "normed"])


@BOTH
def test_a_bias_moves_the_outputs_of_its_units_alone(place):
    state = small(place).state_dict()
    after = plant.biased(state, place, [4, 1], torch.tensor([10.0, -2.0]))
    moved = units_of(place, after) - units_of(place, state)
    wanted = torch.tensor([0, -2, 0, 0, 10.0, 0])[:, None].expand_as(moved)
    torch.testing.assert_close(moved, wanted, atol=1e-5, rtol=0)
    assert changed(state, after) == {f"{place.holder}.bias"}


@BOTH
def test_zeroed_units_are_zero_everywhere_and_the_others_as_they_were(place):
    state = small(place).state_dict()
    before, after = units_of(place, state), units_of(place, plant.zeroed(state, place, [0, 5]))
    assert not after[[0, 5]].any()
    torch.testing.assert_close(after[1:5], before[1:5], atol=0, rtol=0)


@BOTH
def test_constant_units_say_the_same_of_every_picture(place):
    state = small(place).state_dict()
    after = units_of(place, plant.constant(state, place, [2, 3], torch.tensor([0.5, 2.0])))
    torch.testing.assert_close(after[2], torch.full_like(after[2], 0.5))
    torch.testing.assert_close(after[3], torch.full_like(after[3], 2.0))
    assert changed_rows(units_of(place, state), after) == [2, 3]


@BOTH
def test_exact_copies_are_bitwise_equal_to_their_source(place):
    state = small(place).state_dict()
    after = units_of(place, plant.duplicated(state, place, 1, [0, 4], noise=0.0, generator=seeded()))
    assert torch.equal(after[0], after[1])
    assert torch.equal(after[4], after[1])
    assert changed_rows(units_of(place, state), after) == [0, 4]


@BOTH
def test_near_copies_differ_from_their_source_as_much_as_asked_for(place):
    state = small(place).state_dict()
    weight = plant.duplicated(state, place, 1, [0, 4], noise=0.01, generator=seeded())["first.weight"]
    apart = (weight[[0, 4]] - weight[1]) / weight[1].std()
    assert 0.005 < apart.std() < 0.02
    assert torch.equal(weight[1], state["first.weight"][1])


@BOTH
@pytest.mark.parametrize("times", [100.0, 1e5, 1e7])
def test_louder_units_are_undone_by_their_readers(place, times):
    state = small(place).state_dict()
    after = plant.louder(state, place, [3], times)
    torch.testing.assert_close(small(place, after)(SHOWN), small(place)(SHOWN), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(units_of(place, after)[3] / times, units_of(place, state)[3], rtol=1e-5, atol=1e-5)
    assert changed_rows(units_of(place, state), units_of(place, after)) == [3]


@BOTH
def test_reordered_units_change_nothing_that_comes_out(place):
    state = small(place).state_dict()
    order = [5, 0, 3, 1, 2, 4]
    after = plant.reordered(state, place, order)
    torch.testing.assert_close(small(place, after)(SHOWN), small(place)(SHOWN), atol=1e-5, rtol=1e-5)
    assert torch.equal(units_of(place, after), units_of(place, state)[order])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_exactly_as_many_weights_are_broken_as_asked_for(value):
    after = plant.broken(small(PLAIN).state_dict(), PLAIN, [2, 4], value)["first.weight"]
    assert (~after.isfinite()).sum() == 2
    assert torch.nonzero(~after.isfinite())[:, 0].tolist() == [2, 4]


def fresh(place: Place) -> dict[str, Tensor]:
    """Numbers that are nowhere in the network."""
    return {name: torch.full_like(value, 77) for name, value in small(place).state_dict().items()}


@pytest.mark.parametrize(("share", "filters"), [(1.0, 6), (0.5, 3), (0.01, 1)])
def test_the_share_of_a_part_that_is_not_loaded_is_whole_filters(share, filters):
    state = small(PLAIN).state_dict()
    after = plant.not_loaded(state, fresh(PLAIN), ["first"], share, seeded())
    assert changed(state, after) == {"first.weight", "first.bias"}
    rows = changed_rows(state["first.weight"], after["first.weight"])
    assert len(rows) == filters
    assert rows == changed_rows(state["first.bias"], after["first.bias"])
    assert (after["first.weight"][rows] == 77).all()


def test_a_part_that_is_not_loaded_is_not_another_whose_name_begins_alike():
    state = {"layer1.weight": torch.zeros(2), "layer10.weight": torch.zeros(2), "layer1.0.bias": torch.zeros(2)}
    after = plant.not_loaded(state, {name: torch.ones(2) for name in state}, ["layer1"], 1.0, seeded())
    assert changed(state, after) == {"layer1.weight", "layer1.0.bias"}


def two_norms() -> dict[str, Tensor]:
    return {
        f"{norm}.{name}": torch.rand(4, generator=torch.Generator().manual_seed(seed)) + 0.5
        for seed, norm in enumerate(("bn1", "layer3.bn1"))
        for name in ("weight", "bias", "running_mean", "running_var")
    }


@pytest.mark.parametrize(("norms", "where"), [(["*"], {"bn1", "layer3.bn1"}), (["bn1"], {"bn1"})])
def test_reset_statistics_are_those_of_a_norm_that_saw_nothing(norms, where):
    after = plant.statistics_reset(two_norms(), norms)
    assert {name.rpartition(".")[0] for name in changed(two_norms(), after)} == where
    for norm in where:
        assert after[f"{norm}.running_mean"].eq(0).all()
        assert after[f"{norm}.running_var"].eq(1).all()
        assert torch.equal(after[f"{norm}.weight"], two_norms()[f"{norm}.weight"])


def test_stale_statistics_are_off_by_the_strength_in_every_unit():
    before, after = two_norms(), plant.statistics_stale(two_norms(), ["bn1"], 0.5, seeded())
    assert changed(before, after) == {"bn1.running_mean", "bn1.running_var"}
    moved = (after["bn1.running_mean"] - before["bn1.running_mean"]) / before["bn1.running_var"].sqrt()
    torch.testing.assert_close(moved.abs(), torch.full((4,), 0.5))
    torch.testing.assert_close(
        (after["bn1.running_var"] / before["bn1.running_var"]).log().abs(), torch.full((4,), 0.5)
    )


def test_reordered_outputs_are_the_same_scores_elsewhere():
    network = small(PLAIN)
    after = plant.outputs_reordered(network.state_dict(), "fc", [2, 0, 3, 1])
    assert torch.equal(small(PLAIN, after)(SHOWN), network(SHOWN)[:, [2, 0, 3, 1]])


def test_a_checkpoint_with_reversed_channels_sees_reversed_pictures_as_before():
    network = small(PLAIN)
    after = plant.channels_reversed(network.state_dict(), "first")
    torch.testing.assert_close(small(PLAIN, after)(SHOWN.flip(1)), network(SHOWN), atol=1e-5, rtol=1e-5)


def smallest(weight: Tensor, count: int) -> Sequence[int]:
    return sorted(range(weight.numel()), key=lambda index: abs(float(weight.flatten()[index])))[:count]


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_exactly_the_smallest_weights_of_each_layer_are_pruned(share):
    state = small(NORMED).state_dict()
    after = plant.pruned(state, share)
    assert changed(state, after) == {"first.weight", "second.weight", "fc.weight"}
    for name in changed(state, after):
        gone = smallest(state[name], round(share * state[name].numel()))
        assert sorted(torch.nonzero(after[name].flatten() == 0).flatten().tolist()) == sorted(gone)


def test_subnormal_weights_are_subnormal_and_keep_their_sign():
    state = small(PLAIN).state_dict()
    after = plant.subnormal(state, 0.3)["second.weight"].flatten()
    tiny = (after.abs() < torch.finfo(torch.float32).tiny) & (after != 0)
    assert tiny.sum() == round(0.3 * len(after))
    assert torch.equal(after[tiny].sign(), state["second.weight"].flatten()[tiny].sign())


@pytest.mark.parametrize(("bits", "most"), [(4, 15), (3, 7), (2, 3)])
def test_quantised_weights_have_as_few_values_as_the_bits_allow(bits, most):
    state = small(PLAIN).state_dict()
    after = plant.quantised(state, bits)
    for name in ("first.weight", "second.weight", "fc.weight"):
        assert len(after[name].unique()) <= most
        step = 2 * state[name].abs().max() / (most - 1)
        assert (after[name] - state[name]).abs().max() <= step / 2 + 1e-6


def test_rounded_weights_went_through_float16():
    state = small(NORMED).state_dict()
    after = plant.rounded(state)
    weight, was = after["first.weight"], state["first.weight"]
    assert torch.equal(weight, weight.half().float())
    torch.testing.assert_close(weight, was, rtol=1e-3, atol=1e-6)
    assert after["norm.num_batches_tracked"].dtype == torch.int64


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_mixture_lies_between_the_weights_and_the_fresh_ones(share):
    state = small(NORMED).state_dict()
    after = plant.mixed(state, fresh(NORMED), share)
    torch.testing.assert_close(after["fc.weight"], (1 - share) * state["fc.weight"] + share * 77)
    assert torch.equal(after["norm.num_batches_tracked"], state["norm.num_batches_tracked"])


def test_noise_is_as_strong_as_asked_for_in_each_layer():
    state = small(PLAIN).state_dict()
    after = plant.noisy(state, 0.5, seeded())
    assert changed(state, after) == {"first.weight", "second.weight", "fc.weight"}
    added = (after["second.weight"] - state["second.weight"]) / state["second.weight"].std()
    assert 0.45 < added.std() < 0.55
    assert torch.equal(after["second.weight"], plant.noisy(state, 0.5, seeded())["second.weight"])
