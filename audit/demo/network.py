"""The demo's network: three convolutions that tell the generator's pictures apart."""

from collections import OrderedDict
from pathlib import Path

from torch import nn

from audit.demo.generator import CLASSES

MEAN, STD = 0.5, 0.25
"""Of pictures scaled to 0..1, each channel: what the network expects its input to be normalised with."""

WEIGHTS = Path(__file__).with_name("weights.safetensors")
"""The weights that `python -m audit.demo.train` wrote."""


def network(classes: int = len(CLASSES)) -> nn.Module:
    """A small untrained network for pictures of 3 x 64 x 64: (image, 3, 64, 64) -> scores (image, classes).

    The first convolution is large (32 filters of 11 x 11), so that its filters can be looked at. The fields of view
    grow 11, 13, 29, 33, 49 pixels; the scores are of the mean over the last map.
    """
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(3, 32, 11, stride=2, padding=5)),
        ("relu1", nn.ReLU()),
        ("pool1", nn.MaxPool2d(2)),
        ("conv2", nn.Conv2d(32, 48, 5, padding=2)),
        ("relu2", nn.ReLU()),
        ("pool2", nn.MaxPool2d(2)),
        ("conv3", nn.Conv2d(48, 64, 3, padding=1)),
        ("relu3", nn.ReLU()),
        ("pool3", nn.AdaptiveAvgPool2d(1)),
        ("flatten", nn.Flatten()),
        ("fc", nn.Linear(64, classes)),
    ]
    return nn.Sequential(OrderedDict(layers))


def trained() -> nn.Module:
    """`network()` with the weights that ship with the package, in evaluation mode."""
    from safetensors.torch import load_file

    model = network()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
