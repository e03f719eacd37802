"""What holds for every parametrization: a smooth map of each image by itself, the same for the same seed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from audit import registry
from audit.ascent.canvas import canvas_of
from audit.ascent.loop import ascend
from audit.ascent.parametrizations import Parametrization, Shape
from audit.ascent.presets import Preset, build, label
from audit.ascent.rates import Adam
from audit.ascent.rows import Job
from audit.ascent.transforms.jitter import Jitter
from audit.model.outline import outline

DECODER = """
import torch
from torch import nn

class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = nn.Linear(5, 3 * 4 * 4).double()

    def forward(self, codes):
        return torch.sigmoid(self.weights(codes)).view(-1, 3, 4, 4)

def decoder():
    torch.manual_seed(0)
    return Decoder()
"""
TABLES = {
    "fourier": {"parametrization": "fourier", "deviation": 1.0},
    "phase": {"parametrization": "phase"},
    "prior": {"parametrization": "prior", "decoder": "decoder.py:decoder", "codes": 5},
}
SHAPES = [(3, 7, 7), (3, 6, 9), (3, 5, 4)]


def test_every_registered_parametrization_is_one_and_knows_its_name():
    assert set(registry.names("parametrization")) == set(TABLES)
    for name in registry.names("parametrization"):
        component = registry.load("parametrization", name)
        assert issubclass(component, Parametrization)
        assert component.model_fields["parametrization"].default == name


@pytest.fixture(params=TABLES)
def preset(request: pytest.FixtureRequest, tmp_path: Path) -> Preset:
    (tmp_path / "decoder.py").write_text(DECODER, encoding="utf-8")
    table = {"steps": 30, "learning_rate": {"adam": 0.05}, "parametrization": TABLES[request.param]}
    return build("mine", table, tmp_path)


def points(made: Parametrization, shape: Shape, seeds: range = range(3)) -> torch.Tensor:
    return torch.from_numpy(np.stack([made.start(seed, shape) for seed in seeds]))


@pytest.mark.parametrize("shape", SHAPES)
def test_images_have_the_shape_and_values_from_0_to_1(preset, shape):
    images = preset.parametrization.pixels(points(preset.parametrization, shape), shape)
    assert images.shape == (3, *shape)
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.std() > 0.01


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_is_the_finite_difference(preset, shape):
    start = points(preset.parametrization, shape, range(1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda point: preset.parametrization.pixels(point, shape), start)


def test_a_seed_starts_with_the_same_coordinates_and_another_with_others(preset):
    first, same, other = (preset.parametrization.start(seed, SHAPES[1]) for seed in (4, 4, 5))
    assert np.array_equal(first, same)
    assert np.abs(first - other).max() > 0.1


@pytest.mark.parametrize("shape", SHAPES)
def test_an_image_does_not_depend_on_its_batch(preset, shape):
    made = preset.parametrization
    start = points(made, shape)
    together = made.pixels(start, shape)
    for row in range(3):
        torch.testing.assert_close(made.pixels(start[row : row + 1], shape)[0], together[row], atol=1e-12, rtol=0)


def test_a_preset_of_it_is_read_back_has_a_label_and_says_its_options(preset, tmp_path):
    assert build("mine", preset.model_dump(), tmp_path) == preset
    assert preset.parametrization.parametrization in label(preset)
    assert str(tmp_path) not in label(preset) + repr(preset)


@pytest.mark.parametrize("size", [(7, 7), (14, 12)])
def test_every_unit_is_climbed_and_its_image_does_not_depend_on_the_batch(preset, size):
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, 4, 5), nn.Softplus(), nn.Conv2d(4, 5, 3)).eval()
    layer = outline(network, (3, *size)).layer("2")
    canvas = canvas_of(layer, (3, *size))
    assert canvas.size == (7, 7)
    mean = torch.tensor([0.48, 0.46, 0.41]).view(3, 1, 1)
    preset = preset.model_copy(update={"transforms": (Jitter(pixels=1),), "learning_rate": Adam(adam=0.1)})
    jobs = [Job(unit, preset, seed) for unit in (0, 1, 4) for seed in (0, 1)]
    together = ascend(network, layer, jobs, canvas, mean=mean, std=mean)
    starts = ascend(
        network,
        layer,
        [Job(job.unit, preset.model_copy(update={"steps": 1}), job.seed) for job in jobs],
        canvas,
        mean=mean,
        std=mean,
    )
    for job, found, start in zip(jobs, together, starts, strict=True):
        (alone,) = ascend(network, layer, [job], canvas, mean=mean, std=mean)
        assert found.status == "ok"
        assert found.best > start.best + 0.01
        assert found.best == pytest.approx(alone.best, rel=1e-5, abs=1e-5)
        np.testing.assert_allclose(found.image, alone.image, atol=1e-2)
        pixels = found.image + 255 * mean.numpy()
        assert pixels.min() >= -1e-3
        assert pixels.max() <= 255 + 1e-3


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["fourier", "phase"])
def test_cuda_makes_the_images_of_the_cpu_and_waits_for_nothing(name):
    made = registry.load("parametrization", name)()
    start = points(made, (3, 14, 12))
    expected, sent = made.pixels(start, (3, 14, 12)), start.cuda()
    made.pixels(sent, (3, 14, 12))
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = made.pixels(sent, (3, 14, 12))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(found.cpu(), expected, atol=1e-10, rtol=0)
