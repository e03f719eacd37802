"""Random directions of a layer's space -> units of a layer of their own, which goes through all that other layers do.

Szegedy et al. 2014 ("Intriguing properties of neural networks", section 3) found pictures of random directions as
telling as those of units. A direction's activation is the weighted sum of the units at each position; it sees what they
see.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from audit.errors import SectionError, nearest
from audit.records import Outline

OPTION = "directions"


class Directions(nn.Module):
    """Weighted sums of a layer's units at each position; it takes maps, or vectors."""

    weight: Float[Tensor, "direction unit"]

    def __init__(self, weight: Float[Tensor, "direction unit"]) -> None:
        super().__init__()
        self.register_buffer("weight", weight)

    def forward(self, outputs: Tensor) -> Tensor:
        weight = self.weight.view(*self.weight.shape, *[1] * (outputs.dim() - 2))
        return functional.linear(outputs, weight) if outputs.dim() == 2 else functional.conv2d(outputs, weight)


class _Beside:
    """A forward hook that shows a layer's output to its directions; an object, so that a copied network has its own."""

    def __init__(self, directions: Directions) -> None:
        self._directions = directions

    def __call__(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        self._directions(output)


def with_directions(network: nn.Module, sketch: Outline, wanted: Mapping[str, int]) -> nn.Module:
    """The network itself, in which so many random orthonormal directions of each of the layers have become a layer.

    It is called "directions_" and the layer's name, with _ for dots. What the network computes is the same. Directions
    are the same in every run. SectionError, naming the layer, where it is none of torch's modules, has its units on
    another axis than the second, has fewer units than directions are wanted, or is the network's output.
    """
    if isinstance(network, nn.Sequential) and wanted:
        raise SectionError(OPTION, "an nn.Sequential runs every module that it has; put it into a module of its own")
    modules = dict(network.named_modules())
    for name, count in wanted.items():
        layer = next((layer for layer in sketch.layers if layer.name == name), None)
        if layer is None or name not in modules:
            there_is = [layer.name for layer in sketch.layers if layer.name in modules]
            raise SectionError(OPTION, f'no module "{name}" is a layer{nearest(name, there_is)}')
        if layer.layout is not None or len(layer.shape) not in (1, 3):
            raise SectionError(OPTION, f"{name} has its units on another axis than the second")
        if sketch.is_output(layer):
            raise SectionError(OPTION, f"{name} is the output; its units are classes")
        if count > layer.units:
            raise SectionError(OPTION, f"{name} has {layer.units} units, so not {count} directions at right angles")
        generator = torch.Generator().manual_seed(0)
        across, _ = torch.linalg.qr(torch.randn(layer.units, count, dtype=torch.float64, generator=generator))
        like = next((value for value in network.parameters() if value.is_floating_point()), torch.zeros(()))
        directions = Directions(across.T.contiguous().to(like))
        network.add_module(f"{OPTION}_{name.replace('.', '_')}", directions)
        modules[name].register_forward_hook(_Beside(directions))
    return network.eval().requires_grad_(False)
