"""Observed layers against plain forward passes."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from audit.errors import Unavailable
from audit.model.hooks import Observer
from audit.model.outline import outline
from audit.model.parts import parts_of


class Small(nn.Module):
    """conv -> in-place ReLU -> functional in-place ReLU twice -> a layer that must not be reached."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.act = nn.ReLU(inplace=True)
        self.next = nn.Conv2d(6, 6, 3)
        self.block = nn.Sequential(nn.Conv2d(6, 6, 1), nn.ReLU(inplace=True))
        self.last = nn.Linear(6, 4)
        self.reached: list[str] = []

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.conv(x))
        x = F.relu(self.next(x), inplace=True)
        self.reached.append("block")
        x = self.block(x)
        self.reached.append("last")
        out: Tensor = self.last(x.mean((2, 3)))
        return out


def observed(network: nn.Module, names: list[str], images: Tensor, **options: Any) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    with Observer(network, names, lambda name, out: found.update({name: out.clone()}), **options) as observer:
        observer.run(images)
    return found


def small() -> Small:
    torch.manual_seed(0)
    return Small().eval()


IMAGES = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def test_a_convolution_is_seen_before_an_in_place_relu_changes_it() -> None:
    network = small()
    with torch.no_grad():
        found = observed(network, ["conv", "act", "next", "relu"], IMAGES)
        conv = F.conv2d(IMAGES, network.conv.weight, network.conv.bias)
        following = F.conv2d(conv.relu(), network.next.weight, network.next.bias)
    assert torch.equal(found["conv"], conv)
    assert conv.min() < 0
    assert torch.equal(found["act"], conv.relu())
    assert torch.equal(found["next"], following)
    assert torch.equal(found["relu"], following.relu())
    assert list(found) == ["conv", "act", "next", "relu"]


@pytest.mark.parametrize(
    ("names", "reached"),
    [(["conv"], []), (["conv", "relu"], []), (["block.0"], ["block"]), (["last"], ["block", "last"]), ([], [])],
)
def test_the_network_runs_no_further_than_the_last_named_layer(names: list[str], reached: list[str]) -> None:
    network = small()
    observed(network, names, IMAGES)
    assert network.reached == reached


def test_a_network_that_catches_exceptions_is_stopped_too() -> None:
    class Careful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Conv2d(3, 2, 1)
            self.went_on = False

        def forward(self, x: Tensor) -> Tensor:
            try:
                x = self.inner(x)
            except Exception:
                self.went_on = True
            self.went_on = True
            return x

    network = Careful()
    observed(network, ["inner"], IMAGES)
    assert not network.went_on


@pytest.mark.parametrize("name", ["act", "relu", "block", "block.1"])
def test_a_unit_that_is_off_has_a_gradient_before_its_relu(name: str) -> None:
    def gradient(before: bool) -> tuple[Tensor, Tensor]:
        network = small()
        for layer in (network.conv, network.next, network.block[0]):
            nn.init.constant_(layer.bias, -3.0 if layer is network.block[0] else 0.5)  # every unit of the block is off
        images = IMAGES.clone().requires_grad_()
        values: list[Tensor] = []
        with Observer(network, [name], lambda _, out: values.append(out.min()), before_rectifier=before) as observer:
            observer.run(images)
        (result,) = torch.autograd.grad(values[0], images)
        return values[0].detach(), result

    value, slope = gradient(before=True)
    assert value < 0
    assert slope.abs().sum() > 0
    value, slope = gradient(before=False)
    assert value == 0
    assert slope.abs().sum() == 0


def test_before_the_relu_is_what_the_layer_before_it_returned() -> None:
    network = small()
    plain = observed(network, ["conv", "next", "block.0"], IMAGES)
    before = observed(network, ["act", "relu", "block", "block.1"], IMAGES, before_rectifier=True)
    assert torch.equal(before["act"], plain["conv"])
    assert torch.equal(before["relu"], plain["next"])
    assert torch.equal(before["block"], plain["block.0"])
    assert torch.equal(before["block.1"], plain["block.0"])


def test_a_layer_that_is_no_rectifier_is_seen_as_it_is() -> None:
    names = ["conv", "next", "last"]
    plain, before = (observed(small(), names, IMAGES, before_rectifier=option) for option in (False, True))
    assert all(torch.equal(plain[name], before[name]) for name in names)


def test_a_fire_block_is_seen_before_its_relus() -> None:
    torch.manual_seed(0)
    network = torchvision.models.squeezenet1_0(weights=None).eval()
    images = torch.randn(1, 3, 64, 64)
    parts = observed(network, ["features.3.expand1x1", "features.3.expand3x3"], images)
    (fire,) = observed(network, ["features.3"], images, before_rectifier=True).values()
    assert torch.equal(fire, torch.cat(list(parts.values()), 1))
    assert fire.min() < 0


def copies(network: nn.Module, names: list[str], **options: Any) -> list[int]:
    """How many tensors are copied or joined in each of three runs."""
    counts = []
    with Observer(network, names, lambda *_: None, **options) as observer, torch.no_grad():
        for _ in range(3):
            with profile(activities=[ProfilerActivity.CPU]) as profiled:
                observer.run(torch.zeros(1, 3, 64, 64))
            counts.append(
                sum(event.count for event in profiled.key_averages() if event.key in ("aten::clone", "aten::cat"))
            )
    return counts


def test_only_the_first_run_copies_what_no_one_asked_for() -> None:
    network = torchvision.models.squeezenet1_0(weights=None).eval()
    bare = 2  # the joins of two Fire blocks
    assert copies(network, ["features.4"]) == [bare] * 3
    assert copies(network, ["features.0", "features.4"], before_rectifier=True) == [bare + 7 + 2, bare + 3, bare + 3]


def test_later_runs_show_the_same_as_the_first() -> None:
    network, names = small(), ["act", "relu", "block"]
    seen: list[tuple[str, Tensor]] = []
    with Observer(network, names, lambda *each: seen.append(each), before_rectifier=True) as observer:
        for _ in range(3):
            observer.run(IMAGES)
    first, second, third = (seen[i : i + 3] for i in (0, 3, 6))
    for (name, value), *others in zip(first, second, third, strict=True):
        assert value.min() < 0
        assert all(other[0] == name and torch.equal(other[1], value) for other in others)


def test_a_network_that_changes_from_run_to_run_is_not_seen_at_the_wrong_place() -> None:
    class Changing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(inplace=True))
            self.runs = 0

        def forward(self, x: Tensor) -> Tensor:
            self.runs += 1
            out: Tensor = self.block(x.relu() if self.runs == 2 else x)
            return out

    with (
        Observer(Changing(), ["block"], lambda *_: None, before_rectifier=True) as observer,
        torch.no_grad(),
    ):
        observer.run(IMAGES)
        with pytest.raises(Unavailable, match='layer "block" is rectified elsewhere from run to run'):
            observer.run(IMAGES)


def test_relu6_is_seen_before_both_its_bounds() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU6(inplace=True))
    nn.init.constant_(network[0].bias, 6.0)  # type: ignore[arg-type]
    (before,) = observed(network, ["1"], IMAGES, before_rectifier=True).values()
    assert before.max() > 6
    assert torch.equal(before, network[0](IMAGES))


@pytest.mark.parametrize("model", ["resnet18", "googlenet", "squeezenet1_0", "mobilenet_v3_small", "densenet121"])
def test_every_layer_of_the_outline_can_be_observed(model: str) -> None:
    more = {"init_weights": False, "aux_logits": False} if model == "googlenet" else {}
    network = torchvision.models.get_model(model, weights=None, **more).eval()
    layers = outline(network, (3, 64, 64)).layers
    shapes: dict[str, tuple[int, ...]] = {}
    with torch.no_grad():
        names = [layer.name for layer in layers]
        with Observer(network, names, lambda name, out: shapes.update({name: tuple(out.shape[1:])})) as observer:
            observer.run(torch.zeros(2, 3, 64, 64))
        rectified = [layer.name for layer in layers if layer.rectifier]
        negative: set[str] = set()
        note = lambda name, out: negative.add(name) if out.min() < 0 else None  # noqa: E731
        with Observer(network, rectified, note, before_rectifier=True) as observer:
            observer.run(torch.randn(2, 3, 64, 64))
    assert list(shapes) == names
    assert all(shapes[layer.name] == layer.shape for layer in layers)
    assert len(negative) > 0.9 * len(rectified)


def test_the_calls_of_a_layer_used_several_times_are_told_apart() -> None:
    torch.manual_seed(0)
    block = torchvision.models.resnet18(weights=None).eval().layer1[0]
    images = torch.randn(1, 64, 8, 8)
    with torch.no_grad():
        found = observed(block, ["relu", "relu#2"], images)
        first = block.bn1(block.conv1(images)).relu()
        assert torch.equal(found["relu"], first)
        assert torch.equal(found["relu#2"], (block.bn2(block.conv2(first)) + images).relu())


def test_an_observer_runs_many_times_with_and_without_gradients() -> None:
    network = small()
    seen: list[Tensor] = []
    with Observer(network, ["relu", "conv"], lambda _, out: seen.append(out)) as observer:
        with torch.no_grad():
            observer.run(IMAGES)
        observer.run(IMAGES.clone().requires_grad_())
        with torch.inference_mode():
            observer.run(IMAGES)
    assert [out.requires_grad for out in seen] == [False, False, True, True, False, False]


def test_inference_mode_can_look_before_the_relu() -> None:
    with torch.inference_mode():
        found = observed(small(), ["act"], IMAGES, before_rectifier=True)
    assert found["act"].min() < 0


def test_what_a_visitor_computes_is_no_layer() -> None:
    names: list[str] = []

    def visit(name: str, output: Tensor) -> None:
        names.append(name)
        torch.relu(output)
        output.sigmoid()

    with Observer(small(), ["conv", "relu", "act"], visit) as observer, torch.no_grad():
        observer.run(IMAGES)
    assert names == ["conv", "act", "relu"]


@pytest.mark.parametrize(
    ("name", "hint"), [("convv", 'did you mean "conv"'), ("act#2", 'did you mean "act"'), ("sigmoid", "there is: ")]
)
def test_a_layer_that_is_never_met_is_named(name: str, hint: str) -> None:
    with pytest.raises(Unavailable, match=f'layer "{name}" is not executed by Small.*{hint}'):
        observed(small(), ["conv", name], IMAGES)


class Outputs(NamedTuple):
    x: Tensor
    y: Tensor


class Several(nn.Module):
    """A tuple inside, and a dict of tensors, text and a dataclass as the answer."""

    @dataclass
    class More:
        wide: Tensor
        none: None = None

    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, None]:
            return x.relu(), x - 1, None

    def __init__(self) -> None:
        super().__init__()
        self.pair = Several.Pair()
        self.tail = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> dict[str, object]:
        positive, less = self.pair(x)[:2]
        return {"aux": less * 2, "logits": self.tail(positive), "text": "no", "more": Several.More(less.mean((2, 3)))}


def test_each_part_of_an_output_is_seen_by_its_name() -> None:
    names = ["pair:0", "pair:1", "tail", "output:aux", "output:logits", "output:more:wide"]
    with torch.no_grad():
        found = observed(Several(), names, IMAGES)
    assert torch.equal(found["pair:0"], IMAGES.relu())
    assert torch.equal(found["pair:1"], IMAGES - 1)
    assert torch.equal(found["output:aux"], (IMAGES - 1) * 2)
    assert torch.equal(found["output:logits"], found["tail"])
    assert torch.equal(found["output:more:wide"], (IMAGES - 1).mean((2, 3)))
    assert list(found)[-1] == "output:logits"


def test_a_part_is_seen_before_its_relu() -> None:
    (before,) = observed(Several(), ["pair:0"], IMAGES, before_rectifier=True).values()
    assert torch.equal(before, IMAGES)


def test_the_network_runs_no_further_than_the_last_named_part() -> None:
    network = Several()
    network.tail.register_forward_hook(lambda *_: pytest.fail("went on"))
    observed(network, ["pair:0"], IMAGES)


def test_the_parts_of_each_call_are_told_apart() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pair = Several.Pair()

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            result: tuple[Tensor, Tensor] = self.pair(self.pair(x)[1])[:2]
            return result

    found = observed(Twice(), ["pair:1", "pair#2:1"], IMAGES)
    assert torch.equal(found["pair#2:1"], found["pair:1"] - 1)


@pytest.mark.parametrize(
    ("output", "parts"),
    [
        (torch.zeros(1), ["a"]),
        ([torch.zeros(1), (torch.zeros(1), 3)], ["a:0", "a:1:0"]),
        (OrderedDict(out=torch.zeros(1), n=None), ["a:out"]),
        (Several.More(torch.zeros(1)), ["a:wide"]),
        (torch.zeros(3, 2).max(0), ["a:0", "a:1"]),
        (Outputs(torch.zeros(1), torch.zeros(1)), ["a:x", "a:y"]),
        ("text", []),
        (None, []),
    ],
)
def test_parts_have_the_names_that_their_container_gives_them(output: object, parts: list[str]) -> None:
    assert [name for name, _ in parts_of("a", output)] == parts


def test_a_layer_that_returns_no_tensor_is_named() -> None:
    with pytest.raises(Unavailable, match='layer "pair" returns a tuple, not a tensor; there is: pair:0, pair:1'):
        observed(Several(), ["pair"], IMAGES)
    with pytest.raises(Unavailable, match='layer "pair:2" is not executed'):
        observed(Several(), ["pair:2"], IMAGES)


def test_a_module_may_have_the_separators_in_its_own_name() -> None:
    network = nn.Sequential(OrderedDict([("a:b#c", nn.ReLU()), ("d", nn.ReLU())]))
    assert list(observed(network, ["a:b#c"], IMAGES)) == ["a:b#c"]


def test_the_network_is_as_it_was_even_after_an_exception() -> None:
    network = small()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    out = network(IMAGES)

    def fail(name: str, output: Tensor) -> None:
        raise RuntimeError("visitor failed")

    with pytest.raises(RuntimeError, match="visitor failed"), Observer(network, ["relu", "conv"], fail) as observer:
        observer.run(IMAGES)
    observed(network, ["conv", "block"], IMAGES, before_rectifier=True)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    assert torch.equal(network(IMAGES), out)


@pytest.mark.cuda
def test_observation_is_the_same_on_cuda() -> None:
    network, names = small(), ["conv", "act", "relu", "block", "last"]
    there = observed(small().cuda(), names, IMAGES.cuda(), before_rectifier=True)
    for name, here in observed(network, names, IMAGES, before_rectifier=True).items():
        torch.testing.assert_close(there[name].cpu(), here, rtol=1e-3, atol=1e-3)
