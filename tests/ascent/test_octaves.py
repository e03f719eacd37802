"""Octaves are Oygard's loop, written out in numpy and scipy, to the last digits."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter, zoom
from torch import nn

from audit.ascent.canvas import canvas_of
from audit.ascent.loop import Ground, ascend, look_and_step
from audit.ascent.objective import Reading, activations_at
from audit.ascent.octaves import (
    GOOGLENET,
    VGG_S,
    Octave,
    crops,
    enlarged,
    enlarged_size,
    origins,
    put_back,
    schedule,
)
from audit.ascent.presets import BUILT_IN, Preset, build, label
from audit.ascent.rates import MeanChange
from audit.ascent.rows import Job, Optimized, Rows
from audit.ascent.start import start_image
from audit.ascent.transforms.jitter import Jitter
from audit.model.leaky import leaky
from audit.model.outline import outline

SHAPE = (3, 14, 12)
MEAN = torch.tensor([0.48, 0.46, 0.41], dtype=torch.float64).view(3, 1, 1)
STD = torch.tensor([0.23, 0.22, 0.25], dtype=torch.float64).view(3, 1, 1)
SHORT = (
    Octave(steps=5, blur=(1.5, 0.5), rate=(9.0, 3.0)),
    Octave(steps=4, blur=(0.8, 0.0), rate=(4.0, 2.0), zoom=1.2),
    Octave(steps=3, blur=(0.0, 0.0), rate=(2.0, 1.0), zoom=1.3),
)
GROWING = Preset(octaves=SHORT, start="blank")

# Steps, zoom, blur from and to, step size from and to, of the cells of the two notebooks.
NOTEBOOKS = {
    "oygard": [
        (200, 1.0, 2.5, 1.1, 12 * 0.25, 10 * 0.25),
        (100, 1.0, 1.1, 0.78 * 1.1, 10 * 0.25, 8 * 0.25),
        (100, 1.05, 0.78 * 1.1, 0.78, 8 * 0.25, 6 * 0.25),
        (50, 1.05, 0.78 * 1.1, 0.40, 6 * 0.25, 1.5 * 0.25),
        (25, 1.05, 0.4, 0.1, 1.5 * 0.25, 0.5 * 0.25),
    ],
    "oygard-googlenet": [
        (200, 1.0, 2.5, 1.1, 12, 10),
        (100, 1.0, 1.1, 0.78 * 1.1, 10, 8),
        (100, 1.05, 0.78 * 1.1, 0.78, 8, 6),
        (50, 1.05, 0.78 * 1.1, 0.40, 6, 1.5),
        (25, 1.05, 0.4, 0.3, 1.5, 0.5),
    ],
}


def small_net() -> nn.Sequential:
    torch.manual_seed(1)
    layers = (nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(6, 5, 3), nn.ReLU())
    return nn.Sequential(*layers).double().eval()


def dead_net() -> nn.Sequential:
    """The second convolution depends on the image through units that are always off."""
    network = small_net()
    network[0].bias.data.fill_(-1e3)
    return network


def run(network: nn.Module, name: str, jobs: list[Job], **options) -> list[Optimized]:
    layer = outline(network, SHAPE).layer(name)
    return ascend(network, layer, jobs, canvas_of(layer, SHAPE, "full"), mean=MEAN, std=STD, **options)


# The oracle: the notebook's loop.


Look = Callable[[np.ndarray], tuple[float, np.ndarray]]


def look_at(network: nn.Module, unit: int, slope: float = 0.0) -> Look:
    """Pixels of 0..255 minus the mean -> the centre unit of the second convolution, and its gradient, by autograd."""

    def look(pixels: np.ndarray) -> tuple[float, np.ndarray]:
        shown = torch.tensor(pixels, requires_grad=True)
        with leaky(slope):
            maps = network[:3](shown[None] / (255 * STD))
        activation = maps[0, unit, (maps.shape[2] - 1) // 2, (maps.shape[3] - 1) // 2]
        (gradient,) = torch.autograd.grad(activation, shown)
        return activation.item(), gradient.numpy()

    return look


def deepdraw(look: Look, job: Job, size: tuple[int, int] = SHAPE[1:]) -> tuple[np.ndarray, list[float]]:
    """The finished picture, and what was seen before each step and in its middle at the end."""
    preset, bias, seen = job.preset, 255 * MEAN.numpy(), []
    picture = start_image(preset.start, job.seed, size, MEAN.numpy()).copy()
    drawn = iter(origins(preset.octaves, job.seed, size).tolist())
    push = -1 if preset.push == "down" else 1
    for octave in preset.octaves:
        if octave.zoom != 1:
            picture = zoom(picture, (1, octave.zoom, octave.zoom))
        for i in range(octave.steps):
            oy, ox = next(drawn)
            crop = picture[:, oy : oy + size[0], ox : ox + size[1]].copy()
            sigma = octave.blur[0] + ((octave.blur[1] - octave.blur[0]) * i) / octave.steps
            step_size = octave.rate[0] + ((octave.rate[1] - octave.rate[0]) * i) / octave.steps
            activation, gradient = look(crop)
            seen.append(activation)
            crop += push * step_size / np.abs(gradient).mean() * gradient
            crop = np.clip(crop, -bias, 255 - bias)
            if sigma > 0:
                crop = np.stack([gaussian_filter(channel, sigma) for channel in crop])
            picture[:, oy : oy + size[0], ox : ox + size[1]] = crop
    seen.append(look(middle(picture, size))[0])
    return picture, seen


def middle(picture: np.ndarray, size: tuple[int, int] = SHAPE[1:]) -> np.ndarray:
    top, left = ((whole - own) // 2 for whole, own in zip(picture.shape[1:], size, strict=True))
    return picture[:, top : top + size[0], left : left + size[1]]


@pytest.mark.parametrize("push", ["up", "down"])
def test_a_whole_schedule_is_the_notebooks_loop_to_the_last_digits(push):
    network, preset = small_net(), GROWING.model_copy(update={"push": push})
    layer = outline(network, SHAPE).layer("2")
    jobs = [Job(unit, preset, seed) for unit, seed in ((1, 0), (1, 5), (4, 5))]
    with torch.no_grad(), activations_at(network, Reading(layer, layer.centre)) as activations:
        ground = Ground.of(activations, layer.units, MEAN, STD)
        rows = Rows.of(jobs, layer.units, SHAPE[1:], MEAN)
        for step in range(preset.steps):
            look_and_step(ground, rows, [(slice(0, 3), preset)], step)
    for row, job in enumerate(jobs):
        picture, seen = deepdraw(look_at(network, job.unit), job)
        np.testing.assert_allclose(rows.point[row].numpy(), picture, rtol=0, atol=1e-8)
        np.testing.assert_allclose(rows.image[row].numpy(), middle(picture), rtol=0, atol=1e-8)
        assert abs(rows.last[row].item()) == pytest.approx(abs(seen[-1]), abs=1e-8)


def test_what_is_told_of_octaves_is_what_the_notebooks_loop_saw():
    network, job = small_net(), Job(1, GROWING, 3)
    (found,) = run(network, "2", [job])
    picture, seen = deepdraw(look_at(network, 1), job)
    assert (found.steps, found.status) == (13, "ok")
    assert found.whole_image.shape == picture.shape == (3, 22, 18)
    np.testing.assert_allclose(found.whole_image, picture, atol=1e-4)
    assert np.array_equal(found.image, middle(found.whole_image))
    assert found.image is found.last_image
    assert found.last == pytest.approx(seen[-1], rel=1e-8)
    assert found.best == pytest.approx(max(seen), rel=1e-8)
    assert found.best_step == int(np.argmax(seen))
    assert found.best_image.shape == SHAPE


def test_long_octaves_are_the_notebooks_loop_beyond_one_stretch():
    octaves = (
        Octave(steps=49, blur=(1.5, 0.5), rate=(3.0, 1.0)),
        Octave(steps=30, blur=(0.5, 0.3), rate=(1.0, 0.5), zoom=1.1),
    )
    network, job = small_net(), Job(2, Preset(octaves=octaves))
    (found,) = run(network, "2", [job])
    np.testing.assert_allclose(found.whole_image, deepdraw(look_at(network, 2), job)[0], atol=1e-4)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_blurs_and_rates_of_every_step_are_the_notebooks(name):
    moments = schedule(BUILT_IN[name].octaves)
    blurs, rates, zooms = ([getattr(moment, what) for moment in moments] for what in ("blur", "rate", "zoom"))
    table = NOTEBOOKS[name]
    np.testing.assert_allclose(
        blurs, np.concatenate([np.linspace(row[2], row[3], row[0], endpoint=False) for row in table]), rtol=1e-12
    )
    np.testing.assert_allclose(
        rates, np.concatenate([np.linspace(row[4], row[5], row[0], endpoint=False) for row in table]), rtol=1e-12
    )
    assert zooms == [step for row in table for step in [row[1], *[1.0] * (row[0] - 1)]]


def test_the_built_in_presets_start_near_white_and_leak_as_the_notebooks_do():
    assert {BUILT_IN[name].start for name in NOTEBOOKS} == {"blank"}
    assert [BUILT_IN[name].leaky for name in NOTEBOOKS] == [0, 0.01]
    assert [len(octaves) for octaves in (VGG_S, GOOGLENET)] == [5, 5]


def test_a_picture_grows_as_the_notebooks_do():
    size, sizes = np.array([224, 227]), []
    picture = np.zeros((224, 227))
    for octave in VGG_S:
        size, picture = enlarged_size(size, octave.zoom), zoom(picture, octave.zoom)
        assert picture.shape == tuple(size)
        sizes.append(size[0])
    assert sizes == [224, 224, 235, 247, 259]


@pytest.mark.parametrize("factor", [1.05, 1.2, 1.7, 2.0])
def test_an_enlarged_picture_is_scipys(factor):
    pictures = torch.randn(2, 3, 9, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    octaves = (Octave(steps=2, blur=(1.0, 1.0), rate=(1.0, 1.0), zoom=factor),)
    expected = np.stack([zoom(picture, (1, factor, factor)) for picture in pictures.numpy()])
    np.testing.assert_allclose(enlarged(pictures, octaves, 0).numpy(), expected, atol=1e-12)
    for step in (1, 2):
        assert enlarged(pictures, octaves, step) is pictures


def test_origins_are_near_the_middle_inside_the_picture_and_of_their_seed_alone():
    octaves = (
        Octave(steps=10, blur=(1.0, 1.0), rate=(1.0, 1.0)),
        Octave(steps=4000, blur=(1.0, 1.0), rate=(1.0, 1.0), zoom=2.0),
    )
    found = origins(octaves, 3, (60, 40))
    assert found.shape == (4011, 2)
    assert not found[:10].any()
    assert found[10:].min() == 0
    assert (found[-1] == (30, 20)).all()
    for axis, excess in enumerate((60, 40)):
        expected = np.clip(np.random.RandomState(0).normal(excess / 2, 0.3 * excess, 100_000), 0, excess).astype(int)
        drawn = found[10:-1, axis]
        assert drawn.max() == excess
        assert drawn.mean() == pytest.approx(expected.mean(), abs=excess / 40)
        assert drawn.std() == pytest.approx(expected.std(), rel=0.05)
    assert abs(np.corrcoef(found[10:-1].T)[0, 1]) < 0.1
    assert np.array_equal(found, origins(octaves, 3, (60, 40)))
    assert not np.array_equal(found, origins(octaves, 4, (60, 40)))
    assert origins((), 3, (60, 40)).tolist() == [[0, 0]]


def test_a_crop_is_cut_out_and_put_back_where_it_was():
    pictures = torch.randn(3, 2, 8, 9, generator=torch.Generator().manual_seed(0))
    begin, expected = torch.tensor([[0, 0], [3, 4], [1, 2]]), pictures.clone()
    found = crops(pictures, begin, (5, 5))
    for row, (y, x) in enumerate(begin.tolist()):
        assert torch.equal(found[row], pictures[row, :, y : y + 5, x : x + 5])
        expected[row, :, y : y + 5, x : x + 5] += 1
    put_back(pictures, begin, found + 1)
    assert torch.equal(pictures, expected)


def test_a_job_does_not_depend_on_the_others_of_its_call():
    network = dead_net()
    network[0].bias.data[1:] = 0
    others = [
        Preset(steps=30, learning_rate=100.0),
        GROWING.model_copy(update={"leaky": 0.1}),
        Preset(octaves=SHORT[:2], start="mean", transforms=(Jitter(pixels=1),)),
        Preset(steps=7, learning_rate=MeanChange(mean_change=2.0), leaky=0.1),
    ]
    jobs = [Job(unit, preset, 3) for unit in (0, 2) for preset in [GROWING, *others]]
    together = run(network, "2", jobs)
    for job, found in zip(jobs, together, strict=True):
        (alone,) = run(network, "2", [job])
        np.testing.assert_allclose(found.image, alone.image, atol=1e-4)
        assert (found.steps, found.best_step) == (alone.steps, alone.best_step)
    assert np.abs(together[0].image - together[2].image).max() > 1  # the leak is seen
    assert together[1].whole_image is None


def test_scaled_gradients_change_nothing():
    plain, scaled = (run(small_net(), "2", [Job(1, GROWING)], first_gradient=norm)[0] for norm in (None, 0.24))
    np.testing.assert_allclose(scaled.image, plain.image, atol=1e-4)
    assert scaled.last == pytest.approx(plain.last)


def test_a_dead_path_is_climbed_only_where_it_leaks():
    network = dead_net()
    dead, leaking = run(network, "2", [Job(1, GROWING), Job(1, GROWING.model_copy(update={"leaky": 0.01}))])
    assert (dead.status, dead.steps) == ("zero-gradient", 1)
    assert dead.whole_image is None
    assert np.array_equal(dead.image, dead.best_image)
    assert (leaking.status, leaking.steps) == ("ok", 13)
    picture, _ = deepdraw(look_at(network, 1, slope=0.01), Job(1, GROWING))
    np.testing.assert_allclose(leaking.whole_image, picture, atol=1e-4)


def test_a_rectified_layer_is_climbed_before_its_own_relu_while_it_leaks():
    preset = GROWING.model_copy(update={"leaky": 0.01})
    before, rectified = (run(small_net(), name, [Job(1, preset)])[0] for name in ("2", "3"))
    assert np.array_equal(rectified.image, before.image)


def test_progress_adds_up_to_the_looks():
    class Listening:
        total, done = 0, 0

        def begin(self, work: str, total: int) -> None:
            self.total = total

        def advance(self, work: str, steps: int) -> None:
            self.done += steps

        def end(self, work: str) -> None: ...

    listener = Listening()
    run(small_net(), "2", [Job(1, GROWING), Job(2, GROWING)], listener=listener)
    assert listener.total == listener.done == 26


@pytest.mark.cuda
def test_the_steps_of_an_octave_on_cuda_are_the_cpus_and_wait_for_nothing():
    network, job = small_net(), Job(1, GROWING)
    layer = outline(network, SHAPE).layer("2")
    mean, std = MEAN.cuda(), STD.cuda()
    with torch.no_grad(), activations_at(network.cuda(), Reading(layer, layer.centre)) as activations:
        ground, rows = Ground.of(activations, layer.units, mean, std), Rows.of([job], layer.units, SHAPE[1:], mean)
        starts = {0, 5, 9}  # there matrices that enlarge are sent
        for step in range(GROWING.steps):
            torch.cuda.set_sync_debug_mode("default" if step in starts else "error")
            try:
                look_and_step(ground, rows, [(slice(0, 1), GROWING)], step)
            finally:
                torch.cuda.set_sync_debug_mode("default")
    picture, _ = deepdraw(look_at(network.cpu(), 1), job)
    np.testing.assert_allclose(rows.point[0].cpu().numpy(), picture, rtol=0, atol=1e-8)


TABLE = {"steps": 3, "blur": [2.0, 1.0], "rate": [3, 2]}


def test_a_table_becomes_octaves():
    preset = build("mine", {"octaves": [TABLE, {**TABLE, "zoom": 1.1}], "start": "blank", "leaky": 0.01})
    assert preset.octaves == (
        Octave(steps=3, blur=(2.0, 1.0), rate=(3.0, 2.0)),
        Octave(steps=3, blur=(2.0, 1.0), rate=(3.0, 2.0), zoom=1.1),
    )
    assert (preset.steps, preset.learning_rate, preset.shown) == (7, None, "last")
    assert build("mine", {"octaves": [TABLE], "shown": "best"}).shown == "best"
    assert label(preset) == (
        "3 steps, blur 2 to 1, mean change 3 to 2; enlarged by 1.1, 3 steps, blur 2 to 1, mean change 3 to 2, "
        "from blank, leaky 0.01, the last image"
    )


MISTAKES = [
    ({"octaves": [TABLE], "steps": 5}, ("steps",), "octaves have steps of their own"),
    ({"octaves": [TABLE], "learning_rate": 1.0}, ("learning_rate",), "octaves have learning_rate of their own"),
    ({"octaves": [TABLE], "regularizers": [{"regularizer": "decay", "strength": 0.1}]}, (), "leave out regularizers"),
    ({"octaves": [{**TABLE, "zoom": 0.9}]}, ("octaves", 0, "zoom"), "greater than or equal to 1"),
    ({"octaves": [{**TABLE, "steps": 0}]}, ("octaves", 0, "steps"), "greater than 0"),
    ({"octaves": [{**TABLE, "blur": [-1.0, 0.0]}]}, ("octaves", 0, "blur", 0), "greater than or equal to 0"),
    ({"octaves": [TABLE, {"steps": 3, "blur": [2.0, 1.0]}]}, ("octaves", 1, "rate"), "required"),
    ({"octaves": [TABLE], "leaky": 2.0}, ("leaky",), "less than or equal to 1"),
]


@pytest.mark.parametrize(("table", "place", "words"), MISTAKES)
def test_a_mistake_is_found_at_its_key(table, place, words):
    with pytest.raises(ValidationError) as caught:
        build("mine", table)
    assert [mistake["loc"] for mistake in caught.value.errors()] == [place]
    assert words in caught.value.errors()[0]["msg"]
