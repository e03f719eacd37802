"""What each regularizer does to the images of the demo model: the claims of the paper's figure 5, as numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import squeezenet1_0

from audit.analyses.optimized import FIRST_GRADIENT
from audit.ascent.canvas import canvas_of
from audit.ascent.loop import ascend
from audit.ascent.presets import BUILT_IN, Preset
from audit.ascent.regularizers import Regularizer
from audit.ascent.regularizers.alpha_norm import AlphaNorm
from audit.ascent.regularizers.blur import Blur
from audit.ascent.regularizers.clip_benefit import ClipBenefit
from audit.ascent.regularizers.clip_contribution import ClipContribution
from audit.ascent.regularizers.clip_norm import ClipNorm
from audit.ascent.regularizers.clip_value import ClipValue
from audit.ascent.regularizers.decay import Decay
from audit.ascent.regularizers.total_variation import TotalVariation
from audit.ascent.rows import Job
from audit.demo.network import MEAN, STD, trained
from audit.model.outline import outline

SHAPE = (3, 64, 64)
UNITS, SEEDS = range(4), range(2)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return trained()


def images(network: nn.Module, preset: Preset) -> list[np.ndarray]:
    """The last images of some units of conv2, on their receptive fields, with the rates of an audit."""
    layer = outline(network, SHAPE).layer("conv2")
    jobs = [Job(unit, preset, seed) for unit in UNITS for seed in SEEDS]
    mean, std = torch.full((3, 1, 1), MEAN), torch.full((3, 1, 1), STD)
    found = ascend(network, layer, jobs, canvas_of(layer, SHAPE), mean=mean, std=std, first_gradient=FIRST_GRADIENT)
    assert {one.status for one in found} == {"ok"}
    return [one.last_image for one in found]


def high_frequencies(image: np.ndarray) -> float:
    """Share of an image's power, its mean colour left out, above a quarter of a cycle per pixel."""
    power = np.abs(np.fft.fft2(image - image.mean(axis=(1, 2), keepdims=True))) ** 2
    y, x = (np.fft.fftfreq(size) for size in image.shape[1:])
    return float(power[:, np.hypot(y[:, None], x) > 0.25].sum() / power.sum())


def zeros(image: np.ndarray) -> float:
    """Share of an image's values that are the mean's."""
    return float((image == 0).mean())


def extremes(image: np.ndarray) -> float:
    return float(np.quantile(np.abs(image), 0.99))


def norm(image: np.ndarray) -> float:
    return float(np.linalg.norm(image))


def average(network: nn.Module, number, *regularizers: Regularizer) -> float:
    """Of the images of ascents with these regularizers; the last step is none of a blur."""
    preset = Preset(steps=23, learning_rate=100.0, regularizers=regularizers)
    return float(np.mean([number(image) for image in images(network, preset)]))


def test_decay_alone_leaves_fewer_high_frequencies_than_nothing_and_more_than_the_papers_preset(network):
    presets = {name: BUILT_IN[name] for name in ("none", "l2", "yosinski-3")}
    presets["yosinski-3"] = presets["yosinski-3"].model_copy(update={"steps": 102})  # the last step is none of a blur
    nothing, decay, papers = (
        np.mean([high_frequencies(image) for image in images(network, preset)]) for preset in presets.values()
    )
    assert nothing > 1.5 * decay
    assert decay > 3 * papers


SWEEPS = {
    "decay": (norm, [Decay(strength=strength) for strength in (0.01, 0.1, 0.5)]),
    "blur": (high_frequencies, [Blur(width=width, every=4) for width in (0.4, 0.7, 1.5)]),
    "total-variation": (high_frequencies, [TotalVariation(strength=strength) for strength in (0.003, 0.02, 0.12)]),
    "alpha-norm": (extremes, [AlphaNorm(strength=strength) for strength in (0.01, 0.1, 1.0)]),
}
"""From weak to strong: what has to fall."""


@pytest.mark.parametrize("name", SWEEPS)
def test_the_stronger_the_less(name, network):
    number, regularizers = SWEEPS[name]
    found = [average(network, number), *(average(network, number, one) for one in regularizers)]
    assert (np.diff(found) < 0).all()
    assert found[-1] < 0.8 * found[0]


@pytest.mark.parametrize("kind", [ClipValue, ClipNorm, ClipBenefit, ClipContribution])
def test_the_higher_the_percentile_the_more_zeros(kind, network):
    found = [average(network, zeros), *(average(network, zeros, kind(percentile=part)) for part in (30, 60, 90))]
    assert found[0] < 0.01
    assert (np.diff(found) > 0).all()
    assert (np.array(found[1:]) > np.array([0.3, 0.6, 0.9]) - 0.02).all()


@pytest.mark.data
def test_without_a_prior_noise_becomes_a_class_of_the_real_squeezenet_beyond_doubt(real: Path):
    squeezenet = squeezenet1_0(weights=None).eval()
    squeezenet.load_state_dict(torch.load(real / "squeezenet1_0_imagenet.pth", map_location="cpu", weights_only=True))
    mean, std = torch.tensor([123, 117, 104]).view(3, 1, 1) / 255, torch.full((3, 1, 1), 1 / 255)
    layers = outline(squeezenet, (3, 227, 227))
    layer, flamingo = layers.layer("classifier.3"), 130
    canvas = canvas_of(layer, layers.input_shape)
    job, how = Job(flamingo, BUILT_IN["none"]), {"classes": True, "first_gradient": FIRST_GRADIENT}
    (found,) = ascend(squeezenet, layer, [job], canvas, mean=mean, std=std, **how)
    with torch.no_grad():
        probability = squeezenet(torch.from_numpy(found.image)[None] / (255 * std)).softmax(1)[0, flamingo]
    assert probability > 0.995
