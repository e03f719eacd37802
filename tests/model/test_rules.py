"""Backward rules against networks whose every ReLU is written out as an autograd function with that rule."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from audit.model.rules import Rule, deconvnet, guided


class DeconvReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return torch.where(gradient > 0, gradient, torch.zeros_like(gradient))


class GuidedReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return torch.where((gradient > 0) & (x > 0), gradient, torch.zeros_like(gradient))


class CifarLike(nn.Module):
    """Functional ReLUs, an in-place sum, a shortcut that pads channels, as in a user's CIFAR network."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.a = nn.Conv2d(4, 8, 3, 2, 1)
        self.b = nn.Conv2d(8, 8, 3, 1, 1)
        self.linear = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        out = self.b(F.relu(self.a(x)))
        out += F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))
        out = F.relu(out)
        return self.linear(F.avg_pool2d(out, 4).flatten(1))


def network(name: str) -> nn.Module:
    torch.manual_seed(3)
    if name == "cifar":
        return CifarLike().double().eval()
    more = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    made: nn.Module = torchvision.models.get_model(name, weights=None, **more).double().eval()
    return made


def gradient(net: nn.Module, rule: AbstractContextManager[Any]) -> tuple[Tensor, Any]:
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    images = images[:, :, :8, :8].detach().requires_grad_() if isinstance(net, CifarLike) else images
    score = net(images).sum()
    with rule as active:
        (result,) = torch.autograd.grad(score, images)
    return result, active


@pytest.mark.parametrize(("rule", "written_out"), [(deconvnet, DeconvReLU), (guided, GuidedReLU)])
@pytest.mark.parametrize(("name", "relus"), [("googlenet", 57), ("resnet18", 17), ("cifar", 3), ("squeezenet1_0", 26)])
def test_a_rule_is_what_written_out_relus_do(
    name: str,
    relus: int,
    rule: Callable[[], AbstractContextManager[Rule]],
    written_out: type[torch.autograd.Function],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = network(name)
    found, active = gradient(net, rule())
    assert active.replaced == relus
    monkeypatch.setattr(F, "relu", lambda x, inplace=False: written_out.apply(x))
    expected, _ = gradient(net, torch.enable_grad())
    assert expected.abs().max() > 0
    assert (found - expected).abs().max() <= 1e-6 * expected.abs().max()


def test_without_a_relu_a_rule_says_that_it_replaced_nothing() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Sigmoid(), nn.Hardtanh(), nn.Flatten()).double()
    plain, _ = gradient(net, torch.enable_grad())
    found, active = gradient(net, deconvnet())
    assert active.replaced == 0
    assert torch.equal(found, plain)


SMOOTH = (nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.Softplus, nn.SiLU, nn.GELU, nn.Mish, nn.Hardswish)


@pytest.mark.parametrize("rectifier", SMOOTH)
def test_what_stands_in_the_place_of_a_relu_follows_the_rule(rectifier: Callable[[], nn.Module]) -> None:
    values = torch.linspace(-4, 4, 41, dtype=torch.float64)
    arriving = torch.randn(41, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    function = rectifier().double()

    def passed(rule: AbstractContextManager[Any]) -> Tensor:
        x = values.clone().requires_grad_()
        out = function(x)
        with rule as active:
            (found,) = torch.autograd.grad(out, x, arriving)
        if active is not None:
            assert active.replaced == 1
        return found

    own = passed(nullcontext())
    expected = [g * d if g > 0 and d > 0 else 0 for g, d in zip(arriving, own / arriving, strict=True)]
    assert passed(deconvnet()).tolist() == [max(float(g), 0) for g in arriving]
    assert torch.allclose(passed(guided()), torch.tensor(expected, dtype=torch.float64), rtol=1e-12)


def test_relu6_is_a_relu() -> None:
    x = torch.tensor([-1.0, 1.0, 7.0, -1.0, 1.0, 7.0], requires_grad=True)
    out = F.relu6(x)
    with deconvnet() as rule:
        (found,) = torch.autograd.grad(out, x, torch.tensor([1.0, 1, 1, -1, -1, -1]))
    assert rule.replaced == 1
    assert found.tolist() == [1, 1, 1, 0, 0, 0]


def test_the_forward_mask_is_ignored_and_the_sign_of_the_gradient_is_not() -> None:
    x = torch.tensor([-1.0, 1.0, -1.0, 1.0], requires_grad=True)
    arriving = torch.tensor([2.0, 2.0, -2.0, -2.0])
    out = x.relu()
    with deconvnet():
        assert torch.autograd.grad(out, x, arriving, retain_graph=True)[0].tolist() == [2, 2, 0, 0]
    with guided():
        assert torch.autograd.grad(out, x, arriving, retain_graph=True)[0].tolist() == [0, 2, 0, 0]
    assert torch.autograd.grad(out, x, arriving)[0].tolist() == [0, 2, 0, -2]


def test_nan_is_not_hidden_by_a_rule() -> None:
    x = torch.ones(2, requires_grad=True)
    out = x.relu()
    with deconvnet():
        (found,) = torch.autograd.grad(out, x, torch.tensor([torch.nan, 1.0]))
    assert found.isnan().tolist() == [True, False]


def test_the_modes_end_with_the_block_even_after_an_exception() -> None:
    with pytest.raises(RuntimeError, match="stop"), deconvnet():
        raise RuntimeError("stop")
    x = torch.tensor([-1.0], requires_grad=True)
    assert torch.autograd.grad(x.relu().sum(), x)[0].item() == 0
    assert torch._C._is_multithreading_enabled()


@pytest.mark.cuda
def test_a_rule_reaches_the_backward_pass_on_cuda() -> None:
    net = network("cifar")
    here, _ = gradient(net, deconvnet())
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))[:, :, :8, :8]
    images = images.cuda().requires_grad_()
    score = net.cuda()(images).sum()
    with deconvnet() as rule:
        (there,) = torch.autograd.grad(score, images)
    assert rule.replaced == 3
    torch.testing.assert_close(there.cpu(), here, rtol=1e-6, atol=1e-12)
