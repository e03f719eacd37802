"""A network -> a cheaper copy, the same function: its batch normalisations are part of the convolutions before them."""

from collections import Counter
from collections.abc import Collection, Iterator
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audit.model.hooks import Call, Execution
from audit.model.operators import Operators, tensors


def folded(network: nn.Module, images: Float[Tensor, "image channel y x"], kept: Collection[str] = ()) -> nn.Module:
    """A copy in which every BatchNorm2d that follows a Conv2d is an identity, and the convolution does its work.

    A convolution of weight w and bias b, normalised, is one of weight s w and bias s (b - mean) + shift, with
    s = scale / sqrt(variance + eps) (Ioffe and Szegedy 2015, Algorithm 2, line 11). Both are computed in float64 and
    rounded once. Folded is what one pass over `images` shows to be safe, in any graph: each of the two is called once,
    the normalisation uses running statistics, and nothing else reads the convolution's output or the numbers of
    either. Layers keep their names, and all but the folded convolutions their outputs; the layers named in `kept` keep
    theirs in any case.
    """
    copied = deepcopy(network)
    for convolution, normalisation in _pairs(copied, images, kept):
        weight, bias = _merged(convolution, normalisation)
        if bool(weight.isfinite().all() & bias.isfinite().all()):
            convolution.bias = _parameter(bias, convolution.weight)
            convolution.weight = _parameter(weight, convolution.weight)
            # in place, for a network may hold its modules in lists of its own, too
            normalisation.forward = nn.Identity().forward  # type: ignore[method-assign]
    return copied


Pair = tuple[nn.Conv2d, nn.BatchNorm2d]


def _pairs(network: nn.Module, images: Float[Tensor, "image channel y x"], kept: Collection[str]) -> list[Pair]:
    """What is safe to fold; the pass is made without training, after which the network is as it was."""
    reads = _Reads()
    sequence = _Sequence(network, reads, kept)
    training = [module for module in network.modules() if module.training]
    network.eval()
    with torch.no_grad(), reads, sequence:
        sequence.run(images)
    for module in training:
        module.training = True
    return list(sequence.safe())


class _Reads(Operators):  # type: ignore[no-untyped-call]
    """How many operators read each piece of memory, by its place."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[int] = Counter()

    def execute(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.count.update({_place(value) for value in tensors([args, kwargs])})
        return operator(*args, **kwargs)


class _Sequence(Execution):
    """Which normalisation was called with the output of which convolution, and whether anything else was."""

    def __init__(self, network: nn.Module, reads: _Reads, kept: Collection[str]):
        self._plain = {module for module in network.modules() if _is_plain(module)}  # before hooks are registered
        super().__init__(network, functions=False)
        self._reads, self._wanted = reads, frozenset(kept)
        self._outputs: dict[nn.Conv2d, tuple[Tensor, int]] = {}  # and the reads of earlier tensors in the same place
        self._pairs: list[Pair] = []
        self._runs: Counter[nn.Module] = Counter()
        self._shown: set[int] = set()

    def reached(self, call: Call) -> None:
        if call.name in self._wanted or call.module is self._network:
            self._shown.add(_place(call.output))
        if call.module not in self._plain:
            return
        self._runs[call.module] += 1
        if isinstance(call.module, nn.Conv2d):
            self._outputs[call.module] = call.output, self._reads.count[_place(call.output)]
        elif isinstance(call.module, nn.BatchNorm2d):
            before = [made for made, (output, _) in self._outputs.items() if output is call.inputs[0]]
            self._pairs += [(convolution, call.module) for convolution in before]

    def safe(self) -> Iterator[Pair]:
        """The pairs of which each is called once, and that share their numbers and what is between them with nobody."""
        for pair in self._pairs:
            output, earlier = self._outputs[pair[0]]
            numbers = [value for module in pair for value in (*module.parameters(), *module.buffers())]
            once = all(self._runs[module] == 1 for module in pair)
            alone = self._reads.count[_place(output)] == earlier + 1 and _place(output) not in self._shown
            if once and alone and all(self._reads.count[_place(value)] <= 1 for value in numbers):
                yield pair


def _is_plain(module: nn.Module) -> bool:
    """Whether the module does what its class says: torch's own, nothing hooked in, in inference."""
    if module._forward_hooks or module._forward_pre_hooks:
        return False
    running = type(module) is nn.BatchNorm2d and not module.training and module.running_mean is not None
    return type(module) is nn.Conv2d or running


def _merged(convolution: nn.Conv2d, normalisation: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """The weight and the bias of both in one, in float64 (on the CPU: not every device has it)."""
    mean, variance = _exact(normalisation.running_mean), _exact(normalisation.running_var)
    zeros = torch.zeros_like(mean)
    scale = _exact(normalisation.weight, zeros + 1) / torch.sqrt(variance + normalisation.eps)
    bias = (_exact(convolution.bias, zeros) - mean) * scale + _exact(normalisation.bias, zeros)
    return _exact(convolution.weight) * scale.view(-1, 1, 1, 1), bias


def _exact(numbers: Tensor | None, otherwise: Tensor | None = None) -> Tensor:
    found = otherwise if numbers is None else numbers.detach().cpu().double()
    assert found is not None
    return found


def _parameter(numbers: Tensor, like: Tensor) -> nn.Parameter:
    return nn.Parameter(numbers.to(like), requires_grad=like.requires_grad)


def _place(value: Tensor) -> int:
    return value.untyped_storage().data_ptr()
