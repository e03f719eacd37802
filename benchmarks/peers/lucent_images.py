"""How many images a second lucent finishes: `python lucent_images.py LAYER [options]`, see `rendering.py`.

Needs torch-lucent with kornia<=0.4.1, torchvision, and nothing of the audited program. As it comes it pads, moves,
scales and turns the image at random; without that it sees 224 x 224 pixels. Its own normalisation stays.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from lucent.optvis import objectives, param
from lucent.optvis.render import render_vis
from rendering import SIZE, Render, report
from torch import nn


def ways(network: nn.Module, layer: str, device: str) -> Mapping[str, Render]:
    """`device` is not asked: lucent takes a GPU where there is one."""
    return {
        "as it comes": partial(images, network, layer, None),
        "no transformations": partial(images, network, layer, []),
    }


def images(
    network: nn.Module, layer: str, transforms: list[Callable[..., object]] | None, count: int, steps: int
) -> np.ndarray:
    """Pixels of 0..1 (image, y, x, channel), one batch; the units at the centre of the map."""
    place = layer.replace(".", "_")
    (made,) = render_vis(
        network,
        objectives.Objective.sum([objectives.neuron(place, unit, batch=unit) for unit in range(count)]),
        lambda: param.image(SIZE, batch=count),
        transforms=transforms,
        thresholds=(steps,),
        progress=False,
        show_image=False,
    )
    return made


if __name__ == "__main__":
    report(ways)
