"""How many images a second torch-dreams finishes: `python dreams_images.py LAYER [options]`, see `rendering.py`.

Needs torch-dreams, torchvision, and nothing of the audited program. As it comes it turns the image and makes it 0.5 to
1.2 times as large at random; without that the network sees 224 x 224 pixels. Its own normalisation stays.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from rendering import SIZE, Render, report
from torch import nn
from torch_dreams import Dreamer
from torch_dreams.batched_image_param import BatchedAutoImageParam
from torch_dreams.batched_objective import BatchedObjective


def ways(network: nn.Module, layer: str, device: str) -> Mapping[str, Render]:
    """A dreamer of its own for each, since it keeps its transformations."""
    moving, still = (Dreamer(network, quiet=True, device=device) for _ in range(2))
    still.set_custom_transforms(nn.Identity())
    module = network.get_submodule(layer)
    return {
        "as it comes": partial(images, moving, module),
        "no transformations": partial(images, still, module),
    }


def images(dreamer: Dreamer, module: nn.Module, count: int, steps: int) -> list[torch.Tensor]:
    """Pixels of 0..1 (y, x, channel) of each image, one batch; the units at the centre of the map."""
    made = dreamer.render(
        layers=[module],
        image_parameter=BatchedAutoImageParam(count, height=SIZE, width=SIZE, device=dreamer.device),
        iters=steps,
        custom_func=BatchedObjective([minus_centre(unit) for unit in range(count)]),
    )
    return [image.to_hwc_tensor(dreamer.device).cpu() for image in made]


def minus_centre(unit: int) -> Callable[[Sequence[torch.Tensor]], torch.Tensor]:
    """What torch-dreams makes small: minus the unit's activation at the centre of its map."""

    def objective(outputs: Sequence[torch.Tensor]) -> torch.Tensor:
        (maps,) = outputs
        return -maps[0, unit, maps.shape[2] // 2, maps.shape[3] // 2]

    return objective


if __name__ == "__main__":
    report(ways)
