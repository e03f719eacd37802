"""Every image is what a plain numpy loop makes of it, whoever shares its batch."""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter
from torch import nn
from torchvision.models import squeezenet1_0

from audit.ascent.canvas import Canvas, canvas_of
from audit.ascent.loop import STRETCH, Ground, ascend, look_and_step
from audit.ascent.objective import Reading, activations_at
from audit.ascent.presets import BUILT_IN, YOSINSKI, Preset
from audit.ascent.rates import Adam, MeanChange, Progress
from audit.ascent.regularizers.blur import Blur
from audit.ascent.regularizers.clip_contribution import ClipContribution
from audit.ascent.regularizers.clip_norm import ClipNorm
from audit.ascent.regularizers.decay import Decay
from audit.ascent.rows import Direction, Job, Optimized, Rows
from audit.ascent.start import start_image
from audit.ascent.transforms.jitter import Jitter
from audit.ascent.transforms.rotate import Rotate
from audit.errors import AuditError
from audit.model.outline import outline
from audit.model.precision import exact_arithmetic

SHAPE = (3, 14, 12)
MEAN = torch.tensor([0.48, 0.46, 0.41], dtype=torch.float64).view(3, 1, 1)
STD = torch.tensor([0.23, 0.22, 0.25], dtype=torch.float64).view(3, 1, 1)
PLAIN = Preset(steps=20, learning_rate=1.0)


def small_net(channels: int = 3) -> nn.Sequential:
    """Two convolutions; unit 3 of the second is the only one that unit 0 of the first would reach, and that is dead."""
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(channels, 6, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(6, 5, 3), nn.ReLU())
    network[0].bias.data[0] = -1e3
    network[2].weight.data[3, 1:] = 0
    return network.double().eval()


def strided_net() -> nn.Sequential:
    """Its first convolution is one whose gradient is computed in the fast way."""
    torch.manual_seed(3)
    layers = [nn.Conv2d(3, 6, 5, stride=2, padding=1), nn.ReLU(inplace=True), nn.Conv2d(6, 5, 3), nn.ReLU()]
    return nn.Sequential(*layers).double().eval()


def linear_net() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(SHAPE)), 4)).double().eval()


def run(
    network: nn.Module, name: str, jobs: list[Job], mode="full", *, mean=MEAN, std=STD, **options
) -> list[Optimized]:
    shape = (mean.shape[0], *SHAPE[1:])
    layer = outline(network, shape).layer(name)
    return ascend(network, layer, jobs, canvas_of(layer, shape, mode), mean=mean, std=std, **options)


# The oracle: the reference's loop in plain numpy.


def convolved(image: np.ndarray, layer: nn.Conv2d) -> np.ndarray:
    weight, padding = layer.weight.detach().numpy(), layer.padding[0]
    padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    windows = sliding_window_view(padded, weight.shape[2:], axis=(1, 2))
    return np.einsum("cyxij,ucij->uyx", windows, weight) + layer.bias.detach().numpy()[:, None, None]


def convolution_at(network: nn.Sequential, position: tuple[int, int]):
    """Network input -> activations of the second convolution at the position, and a unit's gradient, by hand."""
    first, second = network[0], network[2]
    (y, x), w1, w2 = position, first.weight.detach().numpy(), second.weight.detach().numpy()

    def look(shown: np.ndarray, unit: int) -> tuple[np.ndarray, np.ndarray]:
        before = convolved(shown, first)
        activations = convolved(np.maximum(before, 0), second)[:, y, x]
        behind = np.zeros_like(before)
        behind[:, y : y + 3, x : x + 3] = w2[unit] * (before[:, y : y + 3, x : x + 3] > 0)
        gradient = np.zeros((shown.shape[0], shown.shape[1] + 2, shown.shape[2] + 2))
        for row in range(before.shape[1]):
            for column in range(before.shape[2]):
                window = np.einsum("u,ucij->cij", behind[:, row, column], w1)
                gradient[:, row : row + 3, column : column + 3] += window
        return activations, gradient[:, 1:-1, 1:-1]

    return look


def linear(network: nn.Sequential):
    weight, bias = network[1].weight.detach().numpy(), network[1].bias.detach().numpy()

    def look(shown: np.ndarray, unit: int) -> tuple[np.ndarray, np.ndarray]:
        return weight @ shown.ravel() + bias, weight[unit].reshape(shown.shape)

    return look


@dataclass
class Trace:
    """What the plain loop saw: the activation and the image at each step, the best of them, the first majority."""

    activations: list[float] = field(default_factory=list)
    images: list[np.ndarray] = field(default_factory=list)
    majority: int = -1

    @property
    def best(self) -> int:
        return int(np.argmax(self.activations))


def plainly(look, job: Job) -> Trace:
    """The reference's rule, one image, one step after the other."""
    mean, std, trace = 255 * MEAN.numpy(), 255 * STD.numpy(), Trace()
    x = start_image(job.preset.start, job.seed, SHAPE[1:], MEAN.numpy())
    for step in range(job.preset.steps):
        x = np.clip(x + mean, 0, 255) - mean
        activations, gradient = look(x / std, job.unit)
        gradient = gradient / std
        trace.activations.append(activations[job.unit])
        trace.images.append(x)
        if trace.majority < 0 and np.argmax(activations) == job.unit:
            trace.majority = step
        if np.linalg.norm(gradient) == 0:
            break
        rate = job.preset.learning_rate
        if isinstance(rate, Progress):
            rate = min(rate.max, rate.progress / np.linalg.norm(gradient) ** 2)
        elif isinstance(rate, MeanChange):
            rate = rate.mean_change / np.abs(gradient).mean()
        x = x + rate * gradient
        for regularizer in job.preset.regularizers:
            x = regularized(x, gradient, regularizer, step)
    return trace


def regularized(x: np.ndarray, gradient: np.ndarray, regularizer, step: int) -> np.ndarray:
    match regularizer:
        case Decay():
            return x * (1 - regularizer.strength)
        case Blur() if step % regularizer.every == 0:
            return np.stack([gaussian_filter(channel, regularizer.width) for channel in x])
        case ClipNorm():
            norm = np.sqrt((x**2).sum(axis=0))
            return np.where(norm < np.percentile(norm, regularizer.percentile), 0, x)
        case ClipContribution():
            contribution = np.abs((gradient * -x).sum(axis=0))
            return np.where(contribution < np.percentile(contribution, regularizer.percentile), 0, x)
    return x


def assert_agrees(found: Optimized, trace: Trace, tolerance: float = 1e-8) -> None:
    assert found.steps == len(trace.activations)
    assert found.best_step == trace.best
    assert found.best == pytest.approx(trace.activations[trace.best], rel=tolerance, abs=tolerance)
    assert found.last == pytest.approx(trace.activations[-1], rel=tolerance, abs=tolerance)
    assert found.majority_step == trace.majority
    np.testing.assert_allclose(found.image, trace.images[trace.best], rtol=0, atol=1e-4)  # it is float32


def shortened(name: str, steps: int) -> Preset:
    return BUILT_IN[name].model_copy(update={"steps": steps, "shown": "best"})


@pytest.mark.parametrize("name", YOSINSKI)
def test_one_step_of_each_preset_is_the_plain_one_to_the_last_digits(name):
    network = small_net()
    layer = outline(network, SHAPE).layer("2")
    job = Job(2, YOSINSKI[name], seed=5)
    expected = plainly(convolution_at(network, layer.centre), Job(2, shortened(name, 2), seed=5)).images[1]
    with torch.no_grad(), activations_at(network, Reading(layer, layer.centre)) as activations:
        ground = Ground.of(activations, layer.units, MEAN, STD)
        rows = Rows.of([job], layer.units, SHAPE[1:], MEAN)
        look_and_step(ground, rows, [(slice(0, 1), job.preset)], 0)
    found = rows.point[0].clamp(-255 * MEAN, 255 - 255 * MEAN).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", YOSINSKI)
@pytest.mark.parametrize("unit", [0, 4])
def test_many_steps_of_each_preset_on_a_convnet_are_the_plain_loops(name, unit):
    network = small_net()
    layer = outline(network, SHAPE).layer("2")
    job = Job(unit, shortened(name, 60), seed=7)  # more than one stretch
    (found,) = run(network, "2", [job])
    assert_agrees(found, plainly(convolution_at(network, layer.centre), job))
    assert found.status == "ok"


@pytest.mark.parametrize("name", [*YOSINSKI, "none", "l2"])
def test_many_steps_of_each_preset_on_a_linear_unit_are_the_plain_loops(name):
    network = linear_net()
    job = Job(1, shortened(name, 25), seed=3)
    (found,) = run(network, "1", [job])
    assert_agrees(found, plainly(linear(network), job))


@pytest.mark.parametrize("start", ["noise", "uniform", "mean"])
def test_every_start_is_followed_as_in_the_plain_loop(start):
    network = linear_net()
    job = Job(3, Preset(steps=6, learning_rate=50.0, start=start, regularizers=(ClipNorm(percentile=30),)), seed=11)
    (found,) = run(network, "1", [job])
    assert_agrees(found, plainly(linear(network), job))


@pytest.mark.parametrize("net", [small_net, strided_net])
def test_a_mixed_batch_gives_every_job_what_it_gets_alone(net):
    network = net().float()
    mean, std = MEAN.float(), STD.float()
    presets = [shortened(name, steps) for name, steps in zip(YOSINSKI, (10, 60, 70, 60), strict=True)]
    jobs = [Job(unit, preset, seed) for unit in (0, 3) for preset in presets for seed in (0, 1)]
    together = run(network, "2", jobs, mean=mean, std=std)
    assert [result.job for result in together] == jobs
    for batch in (1, 5):
        for one, other in zip(together, run(network, "2", jobs, mean=mean, std=std, batch=batch), strict=True):
            assert one.best == pytest.approx(other.best, rel=1e-5)
            assert (one.status, one.majority_step) == (other.status, other.majority_step)
            assert np.abs(one.image - other.image).max() < 1e-2


def test_with_a_strided_first_convolution_one_step_is_that_of_torchs_own_gradient():
    network = strided_net()
    start = torch.from_numpy(start_image("noise", 7, SHAPE[1:], MEAN.numpy()).copy())
    shown = (start.clamp(-255 * MEAN, 255 - 255 * MEAN)[None] / (255 * STD)).requires_grad_()
    layer = outline(network, SHAPE).layer("2")
    (gradient,) = torch.autograd.grad(network[:3](shown)[0, 1, layer.centre[0], layer.centre[1]], shown)
    (found,) = run(network, "2", [Job(1, Preset(steps=2, learning_rate=1.0), seed=7)])
    np.testing.assert_allclose(found.last_image, (start + gradient[0] / (255 * STD)).numpy(), atol=1e-4)
    (again,) = run(strided_net(), "2", [Job(1, Preset(steps=2, learning_rate=1.0), seed=7)])
    assert np.array_equal(found.last_image, again.last_image)


def test_the_same_seed_gives_the_same_image_and_another_seed_another():
    jobs = [Job(1, shortened("yosinski-3", 15), seed) for seed in (4, 4, 5)]
    first, same, other = run(small_net(), "2", jobs)
    again = run(small_net(), "2", jobs)[0]
    assert np.array_equal(first.image, same.image)
    assert np.array_equal(first.image, again.image)
    assert np.abs(first.image - other.image).max() > 1


def test_small_steps_without_regularizers_never_lower_the_activation():
    network = small_net()
    best = [run(network, "2", [Job(1, Preset(steps=steps, learning_rate=0.5), 0)])[0] for steps in range(1, 25)]
    assert [result.best_step for result in best] == list(range(24))
    assert all(result.best == result.last for result in best)
    assert all(later.last >= earlier.last for earlier, later in pairwise(best))


def test_the_steps_of_a_progress_policy_promise_the_same_progress_on_a_linear_unit():
    preset = Preset(steps=2, learning_rate=Progress(progress=0.25, max=1e9), start="mean")
    (found,) = run(linear_net(), "1", [Job(2, preset)])
    bias = linear_net()[1].bias[2].item()
    assert found.last - bias == pytest.approx(0.25)


def test_the_pixels_stay_between_0_and_255():
    (found,) = run(linear_net(), "1", [Job(0, Preset(steps=30, learning_rate=1e6))])
    pixels = found.image + 255 * MEAN.numpy()
    assert pixels.min() == pytest.approx(0, abs=1e-4)
    assert pixels.max() == pytest.approx(255, abs=1e-4)
    assert ((pixels < 1e-3) | (pixels > 255 - 1e-3)).mean() > 0.99


def test_the_best_image_really_has_the_activation_that_is_told():
    network = small_net()
    layer = outline(network, SHAPE).layer("2")
    for found in run(network, "2", [Job(unit, shortened("yosinski-1", 30)) for unit in (0, 1, 2)]):
        shown = torch.from_numpy(found.image).double()[None] / (255 * STD)
        activation = network[:3](shown)[0, found.job.unit, layer.centre[0], layer.centre[1]]
        assert activation.item() == pytest.approx(found.best, rel=1e-5)


def test_a_unit_behind_a_dead_one_is_told_and_harms_no_other():
    alone = run(small_net(), "2", [Job(1, shortened("yosinski-2", 70))])[0]
    dead, healthy = run(small_net(), "2", [Job(3, shortened("yosinski-2", 70)), Job(1, shortened("yosinski-2", 70))])
    assert (dead.status, dead.steps, dead.best_step) == ("zero-gradient", 1, 0)
    assert np.isfinite(dead.best)
    start = start_image("noise", 0, SHAPE[1:], MEAN.numpy())
    np.testing.assert_allclose(dead.image, start, atol=1e-5)
    assert healthy.status == "ok"
    assert healthy.best == pytest.approx(alone.best, rel=1e-9)


def test_a_unit_that_is_off_is_still_climbed_from_before_its_rectifier():
    network = small_net()
    network[2].bias.data[1] = -1.5
    preset = Preset(steps=200, learning_rate=Progress(progress=0.05, max=1e9))
    through, before = run(network, "3", [Job(1, preset)])[0], run(network, "2", [Job(1, preset)])[0]
    assert before.status == through.status == "ok"
    assert np.array_equal(before.image, through.image)
    first = run(network, "2", [Job(1, preset.model_copy(update={"steps": 1}))])[0]
    rectified = run(network, "3", [Job(1, preset.model_copy(update={"steps": 1}))])[0]
    assert first.best < 0
    assert rectified.best == 0
    assert before.best > 0


def test_a_unit_that_is_pushed_down_climbs_as_its_negative_is_pushed_up():
    network, negative = linear_net(), linear_net()
    for weight in negative[1].parameters():
        weight.data.neg_()
    preset = shortened("yosinski-4", 20)
    (down,) = run(network, "1", [Job(2, preset.model_copy(update={"push": "down"}))])
    (up,) = run(negative, "1", [Job(2, preset)])
    assert (down.best, down.last) == pytest.approx((-up.best, -up.last))
    np.testing.assert_allclose(down.image, up.image, atol=1e-4)


def test_a_rectified_unit_is_followed_below_its_rectifier_when_it_is_pushed_down():
    preset = Preset(steps=30, learning_rate=1e4, push="down")
    before, rectified = (run(small_net(), name, [Job(1, preset)])[0] for name in ("2", "3"))
    assert rectified.best == before.best
    assert before.best < -1


def test_the_three_snapshots_are_the_plain_loops():
    network = small_net()
    look = convolution_at(network, outline(network, SHAPE).layer("2").centre)
    job = Job(1, Preset(steps=12, learning_rate=3e3, regularizers=(Blur(width=1.0, every=3),)))
    (found,), trace = run(network, "2", [job]), plainly(look, job)
    assert (trace.majority, trace.best, len(trace.images)) == (2, 9, 12)  # three different ones
    for image, step in ((found.best_image, trace.best), (found.first_image, trace.majority), (found.last_image, -1)):
        np.testing.assert_allclose(image, trace.images[step], rtol=0, atol=1e-4)


@pytest.mark.parametrize("shown", ["best", "first", "last"])
def test_the_image_is_the_snapshot_that_the_preset_shows(shown):
    preset = Preset(steps=12, learning_rate=3e3, regularizers=(Blur(width=1.0, every=3),), shown=shown)
    (found,) = run(small_net(), "2", [Job(1, preset)])
    assert found.image is {"best": found.best_image, "first": found.first_image, "last": found.last_image}[shown]


def test_a_unit_that_never_leads_has_no_first_image_and_shows_its_best():
    network = linear_net()
    network[1].bias.data[2] = 1e6
    (found,) = run(network, "1", [Job(0, Preset(steps=3, learning_rate=1.0, shown="first"))])
    assert found.majority_step == -1
    assert found.first_image is None
    assert found.image is found.best_image


def probabilities(activations: np.ndarray) -> np.ndarray:
    return np.exp(activations - activations.max()) / np.exp(activations - activations.max()).sum()


def test_the_certain_image_of_a_class_is_the_first_of_which_the_network_is_certain():
    network = linear_net()
    network[1].weight.data.mul_(40)
    preset = Preset(steps=40, learning_rate=MeanChange(mean_change=0.05), shown="certain")
    layer = outline(network, SHAPE).layer("1")
    canvas = canvas_of(layer, SHAPE, "full")
    (found,) = ascend(network, layer, [Job(3, preset)], canvas, mean=MEAN, std=STD, classes=True)
    look, x = linear(network), start_image("noise", 0, SHAPE[1:], MEAN.numpy())
    certain = []
    for _ in range(40):
        x = np.clip(x, -255 * MEAN.numpy(), 255 - 255 * MEAN.numpy())
        activations, gradient = look(x / (255 * STD.numpy()), 3)
        certain.append(probabilities(activations)[3] >= 0.996)
        slope = gradient / (255 * STD.numpy())
        x = x + 0.05 / np.abs(slope).mean() * slope
    assert 0 < found.majority_step < found.best_step
    assert found.majority_step == certain.index(True)
    assert found.image is found.first_image
    (no_class,) = ascend(network, layer, [Job(3, preset)], canvas, mean=MEAN, std=STD)
    assert no_class.image is no_class.best_image


def test_a_direction_of_one_unit_is_that_unit():
    preset = shortened("yosinski-1", 20)
    unit, direction = run(small_net(), "2", [Job(1, preset), Job(Direction("one", (0.0, 1.0, 0.0, 0.0, 0.0)), preset)])
    assert direction.best == pytest.approx(unit.best, rel=1e-12)
    assert np.array_equal(unit.image, direction.image)
    assert direction.majority_step == -1


def test_a_direction_of_a_linear_layer_is_climbed_along_its_own_weights():
    network, weights = linear_net(), (0.5, -2.0, 0.0, 1.0)
    (found,) = run(network, "1", [Job(Direction("mixed", weights), Preset(steps=2, learning_rate=3.0, start="mean"))])
    slope = (np.array(weights) @ network[1].weight.detach().numpy()).reshape(SHAPE) / (255 * STD.numpy())
    np.testing.assert_allclose(found.last_image, 3.0 * slope, atol=1e-6)


def test_a_sum_over_layers_is_the_sum_of_what_each_reads():
    network = small_net()
    first, second = (outline(network, SHAPE).layer(name) for name in ("0", "2"))
    canvas = canvas_of(second, SHAPE, everywhere="mean")
    weights = np.zeros(11)
    weights[[1, 5 + 2]] = 1.0, 0.25  # unit 1 of the second layer, and a quarter of the energy of unit 2 of the first
    job = Job(Direction("sum", tuple(weights)), Preset(steps=1, learning_rate=1.0), seed=3)
    (found,) = ascend(network, second, [job], canvas, mean=MEAN, std=STD, others=[Reading(first, "energy")])
    shown = torch.from_numpy(start_image("noise", 3, SHAPE[1:], MEAN.numpy()).copy())[None] / (255 * STD)
    below, above = network[0](shown), network[:3](shown)
    expected = above[0, 1].mean() + 0.25 * below[0, 2].square().mean()
    assert found.best == pytest.approx(expected.item(), rel=1e-12)


def test_a_direction_with_too_few_weights_is_an_error():
    with pytest.raises(AuditError, match="short has 2 weights; 2 needs 5"):
        run(small_net(), "2", [Job(Direction("short", (1.0, 2.0)), PLAIN)])


def test_transforms_of_a_row_are_its_own_whoever_shares_the_batch():
    network = small_net()
    preset = Preset(steps=70, learning_rate=0.5, transforms=(Jitter(pixels=2), Rotate(degrees=10)))
    jobs = [Job(unit, preset, seed) for unit in (1, 2) for seed in (0, 1)]
    jobs.insert(1, Job(0, shortened("yosinski-1", 30)))
    together = run(network, "2", jobs)
    for job, found in zip(jobs, together, strict=True):
        (alone,) = run(network, "2", [job])
        assert found.best == pytest.approx(alone.best, rel=1e-9)
        np.testing.assert_allclose(found.image, alone.image, atol=1e-4)


def test_adam_reaches_more_than_one_step_of_the_same_size_and_keeps_pixels_in_range():
    (found,) = run(small_net(), "2", [Job(1, Preset(steps=60, learning_rate=Adam(adam=5.0)))])
    (start,) = run(small_net(), "2", [Job(1, Preset(steps=1, learning_rate=1.0))])
    assert found.best > start.best
    pixels = found.image + 255 * MEAN.numpy()
    assert pixels.min() >= -1e-4
    assert pixels.max() <= 255 + 1e-4


class Exponential(nn.Module):
    """Overflows, as an untamed activation does."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return torch.exp(100 * maps)


def test_an_activation_that_overflows_is_told_and_the_best_before_it_is_kept():
    network = nn.Sequential(*linear_net(), Exponential())
    preset = Preset(steps=100, learning_rate=1e4, start="mean")
    (found,) = run(network, "2", [Job(0, preset)])
    assert found.status == "non-finite"
    assert np.isfinite(found.best)
    assert 0 <= found.best_step < found.steps < 100
    assert not np.isfinite(found.last)
    assert np.isfinite(found.image).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_an_activation_that_is_no_number_is_never_the_best(bad):
    network = small_net()
    network[2].bias.data[1] = bad
    broken, healthy = run(network, "2", [Job(1, PLAIN), Job(2, PLAIN)])
    assert (broken.status, broken.steps, broken.best_step, broken.majority_step) == ("non-finite", 1, -1, -1)
    assert np.isnan(broken.best)
    assert np.isfinite(broken.image).all()
    assert healthy.status == "ok"
    assert np.isfinite(healthy.best)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_any_number_of_channels_can_be_optimized(channels):
    mean = torch.full((channels, 1, 1), 0.5, dtype=torch.float64)
    jobs = [Job(1, shortened(name, 6)) for name in YOSINSKI]
    for found in run(small_net(channels), "2", jobs, mean=mean, std=mean):
        assert found.image.shape == (channels, *SHAPE[1:])


def test_on_its_canvas_a_unit_climbs_as_on_the_whole_input_without_regularizers():
    network = small_net()
    preset = Preset(steps=15, learning_rate=1.0, start="mean")
    layer = outline(network, SHAPE).layer("2")
    canvas = canvas_of(layer, SHAPE)
    assert canvas.size == (5, 5)
    (small,) = ascend(network, layer, [Job(1, preset)], canvas, mean=MEAN, std=STD)
    whole = Canvas(SHAPE[1:], canvas.position, canvas.crop, "full")
    (large,) = ascend(network, layer, [Job(1, preset)], whole, mean=MEAN, std=STD)
    assert small.best == pytest.approx(large.best, rel=1e-12)
    top, left, bottom, right = canvas.crop
    np.testing.assert_allclose(small.image, large.image[:, top:bottom, left:right], atol=1e-5)


def test_the_network_is_left_as_it_was():
    network = small_net().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    run(network, "2", [Job(1, PLAIN)])
    assert network.training
    assert all(weight.requires_grad and weight.grad is None for weight in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


class Watched(nn.Module):
    """Notes in which order the weights of another module lie while an ascent goes on."""

    def __init__(self, weight: nn.Parameter):
        super().__init__()
        self.weight, self.ordered = weight, []

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        self.ordered.append(self.weight.is_contiguous(memory_format=torch.channels_last))
        return maps


def test_weights_lie_in_the_fast_order_during_an_ascent_and_afterwards_as_before():
    small = small_net()
    watched, weight = Watched(small[2].weight), small[2].weight
    network = nn.Sequential(watched, *small)
    layer = outline(network, SHAPE).layer("3")
    canvas, place = canvas_of(layer, SHAPE, "full"), weight.data_ptr()
    assert not any(watched.ordered)
    watched.ordered.clear()
    ascend(network, layer, [Job(1, PLAIN)], canvas, mean=MEAN, std=STD)
    assert len(watched.ordered) == PLAIN.steps
    assert all(watched.ordered)
    assert network[3].weight is weight
    assert weight.data_ptr() == place
    assert weight.is_contiguous()


class Heard:
    """A listener that remembers."""

    def __init__(self):
        self.begun, self.done, self.ended = [], [], []

    def begin(self, work: str, total: int) -> None:
        self.begun.append((work, total))

    def advance(self, work: str, steps: int) -> None:
        self.done.append(steps)

    def end(self, work: str) -> None:
        self.ended.append(work)


def test_progress_adds_up_to_the_steps_of_all_jobs_also_of_those_that_stop():
    heard = Heard()
    jobs = [
        Job(unit, shortened(name, steps))
        for unit in (1, 3)
        for name, steps in zip(YOSINSKI, (5, 60, 120, 7), strict=True)
    ]
    run(small_net(), "2", jobs, listener=heard, batch=3)
    assert heard.begun == [("optimized images of 2", 2 * (5 + 60 + 120 + 7))]
    assert sum(heard.done) == heard.begun[0][1]
    assert max(heard.done) <= 3 * max(STRETCH, 120)
    assert heard.ended == ["optimized images of 2"]


class Crowded(nn.Module):
    """Has no memory for more than so many images."""

    def __init__(self, most: int):
        super().__init__()
        self.most, self.seen = most, []

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(maps))
        if len(maps) > self.most:
            raise torch.OutOfMemoryError("no memory for so many images")
        return maps


def test_a_batch_that_does_not_fit_is_halved_until_it_does():
    jobs = [Job(1, PLAIN, seed) for seed in range(7)]
    roomy, heard, crowded = run(small_net(), "2", jobs), Heard(), Crowded(2)
    layer = outline(small_net(), SHAPE).layer("2")
    network = nn.Sequential(crowded, *small_net())
    renamed = outline(network, SHAPE).layer("3")
    found = ascend(network, renamed, jobs, canvas_of(layer, SHAPE, "full"), mean=MEAN, std=STD, batch=7, listener=heard)
    assert [result.best for result in found] == pytest.approx([result.best for result in roomy], rel=1e-9)
    assert max(crowded.seen) == 7
    assert [result.batch for result in found] == [1] * 7
    assert [result.batch for result in roomy] == [None] * 7
    assert sum(heard.done) == heard.begun[0][1]


def test_an_image_that_does_not_fit_alone_is_an_error_that_says_what_to_do():
    crowded = Crowded(10)
    network = nn.Sequential(crowded, *small_net())
    layer = outline(network, SHAPE).layer("3")
    crowded.most = 0
    with pytest.raises(AuditError, match=r'ascent of 3 does not fit.* canvas = "field"'):
        ascend(network, layer, [Job(1, PLAIN)], canvas_of(layer, SHAPE), mean=MEAN, std=STD)


@pytest.mark.parametrize(("unit", "seed", "words"), [(5, 0, "no unit 5 in 2: it has 5, 0 to 4"), (0, -1, "no seed -1")])
def test_a_unit_or_a_seed_that_there_is_not_is_an_error(unit, seed, words):
    with pytest.raises(AuditError, match=words):
        run(small_net(), "2", [Job(unit, PLAIN, seed)])


def test_no_jobs_give_no_images():
    assert run(small_net(), "2", []) == []


@pytest.mark.parametrize("name", list(YOSINSKI))
def test_a_scaled_ascent_is_the_ascent_of_a_network_with_larger_activations(name):
    jobs = [Job(1, shortened(name, 12), seed) for seed in (0, 1)]
    loud = small_net()
    loud[2].weight.data *= 1000
    loud[2].bias.data *= 1000
    quiet_found, loud_found = (run(net, "2", jobs, first_gradient=0.24) for net in (small_net(), loud))
    for quiet, other in zip(quiet_found, loud_found, strict=True):
        np.testing.assert_allclose(quiet.image, other.image, rtol=0, atol=1e-3)
        assert other.best == pytest.approx(1000 * quiet.best, rel=1e-6)
        assert quiet.best_step == other.best_step


def test_the_first_scaled_gradient_has_the_norm_that_was_asked_for():
    rate = 7.0
    first = Preset(steps=2, learning_rate=rate, start="mean", regularizers=())
    (found,) = run(small_net(), "2", [Job(1, first)], first_gradient=0.24)
    assert found.best_step == 1
    assert np.linalg.norm(found.image) == pytest.approx(rate * 0.24, rel=1e-6)


@pytest.mark.data
def test_the_flamingo_of_the_real_squeezenet_soon_is_the_strongest_class(real: Path):
    network = squeezenet1_0(weights=None).eval()
    weights = torch.load(real / "squeezenet1_0_imagenet.pth", map_location="cpu", weights_only=True)
    network.load_state_dict(weights)
    mean, std = (torch.tensor(three).view(3, 1, 1) for three in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    layers = outline(network, (3, 224, 224))
    layer = layers.layer("classifier.1")
    canvas = canvas_of(layer, layers.input_shape, "full")
    climb = Preset(steps=30, learning_rate=Progress(progress=2.0, max=1e8))
    jobs = [Job(130, climb), Job(130, climb.model_copy(update={"steps": 1}))]
    found, start = ascend(network, layer, jobs, canvas, mean=mean, std=std)
    assert 0 < found.majority_step < 30
    assert found.best > start.best + 5


@pytest.mark.cuda
@pytest.mark.parametrize("name", YOSINSKI)
def test_cuda_takes_the_same_steps_as_the_cpu(name):
    network = small_net()
    jobs = [Job(unit, shortened(name, 8), seed) for unit in (0, 3, 4) for seed in (0, 1)]
    on_cpu = run(network, "2", jobs)
    on_cuda = run(network.cuda(), "2", jobs, mean=MEAN.cuda(), std=STD.cuda())
    for one, other in zip(on_cpu, on_cuda, strict=True):
        assert (one.status, one.steps, one.majority_step) == (other.status, other.steps, other.majority_step)
        assert one.best == pytest.approx(other.best, rel=1e-9)
        np.testing.assert_allclose(one.image, other.image, rtol=0, atol=1e-4)


@pytest.mark.cuda
@pytest.mark.parametrize("name", YOSINSKI)
def test_a_single_precision_step_on_cuda_is_the_cpus_and_waits_for_nothing(name):
    network = small_net().float()
    layer = outline(network, SHAPE).layer("2")
    job = Job(2, YOSINSKI[name], seed=5)
    images = []
    for device in ("cpu", "cuda"):
        mean, std = (numbers.float().to(device) for numbers in (MEAN, STD))
        with (
            torch.no_grad(),
            exact_arithmetic(),
            activations_at(network.to(device), Reading(layer, layer.centre)) as activations,
        ):
            ground = Ground.of(activations, layer.units, mean, std)
            rows = Rows.of([job, job], layer.units, SHAPE[1:], mean)
            presets = [(slice(0, 2), job.preset)]
            look_and_step(ground, rows, presets, 0)  # makes the blur matrices
            torch.cuda.set_sync_debug_mode("error")
            try:
                look_and_step(ground, rows, presets, 1)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        images.append(rows.point.cpu())
    torch.testing.assert_close(images[0], images[1], rtol=1e-4, atol=1e-3)
