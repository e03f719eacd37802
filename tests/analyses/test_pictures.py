"""Pictures of a network whose every answer is known: Gabors, a colour blob, a dead filter, a conjunction."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from audit import events
from audit.analyses.backward import viewed
from audit.ascent.canvas import canvas_of
from audit.ascent.loop import ascend
from audit.ascent.octaves import Octave
from audit.ascent.presets import Preset
from audit.ascent.regularizers.decay import Decay
from audit.ascent.rows import Job
from audit.ascent.start import start_image
from audit.config import DataSection
from audit.data.images import open_images
from audit.model import rules
from audit.model.load import Model
from audit.records import Scalars, TopK
from audit.stream.firing import Firing
from audit.stream.moments import Moments
from audit.stream.strongest import Strongest
from audit.stream.sweep import sweep
from tests.analyses.planted import (
    CONJUNCTION,
    CONSTANT,
    DEAD,
    FLAT,
    RED,
    UPRIGHT,
    Planted,
    model,
    passed_back,
    pictured,
    pictures,
    shown,
    task,
)

# Slow definitions


def forward(network: Planted, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first convolution's rectified maps of one image [channel, y, x], written out, and the pooled ones."""
    weight, bias = (value.double().numpy() for value in (network.conv1.weight, network.conv1.bias))
    _, height, width = image.shape
    padded = np.pad(image, ((0, 0), (2, 2), (2, 2)))
    maps = np.zeros((len(weight), height, width))
    for unit, y, x in np.ndindex(maps.shape):
        maps[unit, y, x] = max((padded[:, y : y + 5, x : x + 5] * weight[unit]).sum() + bias[unit], 0)
    pooled = np.zeros((len(weight), height // 2, width // 2))
    for unit, y, x in np.ndindex(pooled.shape):
        pooled[unit, y, x] = maps[unit, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].max()
    return maps, pooled


def deconvnet(network: Planted, image: np.ndarray, unit: int, y: int, x: int) -> np.ndarray:
    """Of a unit of the second convolution at one position."""
    return passed_back_by_hand(network, image, unit, {(y, x): 1.0}, "deconv")


PASSES = {
    "deconv": lambda arriving, _: max(arriving, 0),
    "guided": lambda arriving, value: max(arriving, 0) if value > 0 else 0,
    "gradient": lambda arriving, value: arriving if value > 0 else 0,
}


def passed_back_by_hand(
    network: Planted, image: np.ndarray, unit: int, begins: dict[tuple[int, int], float], way: str
) -> np.ndarray:
    """Of a unit of the second convolution: transposed convolution, switches, the ReLU's way, transposed convolution."""
    first, second = network.conv1.weight.double().numpy(), network.conv2.weight.double().numpy()
    maps, pooled = forward(network, image)
    arrived = np.zeros_like(pooled)
    for (y, x), size in begins.items():
        for channel, down, right in np.ndindex(second.shape[1:]):
            a, b = y + down - 1, x + right - 1
            if 0 <= a < pooled.shape[1] and 0 <= b < pooled.shape[2]:
                arrived[channel, a, b] += size * second[unit, channel, down, right]
    back = np.zeros_like(maps)
    for channel, a, b in np.ndindex(pooled.shape):
        window = maps[channel, 2 * a : 2 * a + 2, 2 * b : 2 * b + 2]
        down, right = divmod(int(window.argmax()), 2)
        back[channel, 2 * a + down, 2 * b + right] = arrived[channel, a, b]
    padded = np.zeros((image.shape[0], image.shape[1] + 4, image.shape[2] + 4))
    for channel, a, b in np.ndindex(back.shape):
        padded[:, a : a + 5, b : b + 5] += PASSES[way](back[channel, a, b], maps[channel, a, b]) * first[channel]
    return padded[:, 2:-2, 2:-2]


SHAPES = [(3, 24, 20), (1, 18, 22), (5, 16, 16)]


def beyond(box: tuple[int, int, int, int], size: tuple[int, int]) -> bool:
    return box[0] < 0 or box[1] < 0 or box[2] > size[0] or box[3] > size[1]


# Max patches


@pytest.mark.parametrize("shape", SHAPES[:2])
def test_a_patch_shows_the_pixels_of_the_box_and_gray_beyond_the_border(
    shape: tuple[int, int, int], tmp_path: Path
) -> None:
    given = task(model(shape), "conv1", (UPRIGHT, FLAT, RED), tmp_path)
    made, field = pictured("max-patches", given), given.layer.field
    assert made.tiles.shape == (3, 9, 5, 5, 3)
    assert field is not None
    assert given.strongest is not None
    outside = 0
    for row, unit in enumerate(made.units):
        for rank in range(9):
            image = shown(given, int(given.strongest.image[unit, rank]))
            top, left, bottom, right = field.box(given.strongest.y[unit, rank], given.strongest.x[unit, rank])
            outside += beyond((top, left, bottom, right), shape[1:])
            for y, x in np.ndindex(5, 5):
                inside = 0 <= top + y < shape[1] and 0 <= left + x < shape[2]
                expected = image[top + y, left + x] if inside else [128, 128, 128]
                np.testing.assert_array_equal(made.tiles[row, rank, y, x], expected)
    assert outside > 0


def test_patches_are_the_strongest_pictures_by_brute_force(tmp_path: Path) -> None:
    given = task(model(), "conv1", (UPRIGHT, RED), tmp_path)
    assert given.images is not None
    peaks = []
    for index in range(len(given.images)):
        pixels = np.asarray(given.images.picture(index)).transpose(2, 0, 1) / 255 - 0.5
        peaks.append(forward(given.model.network, pixels)[0].max(axis=(1, 2)))  # type: ignore[arg-type]
    for unit, captions in zip((UPRIGHT, RED), pictured("max-patches", given).captions, strict=True):
        ranked = sorted(range(len(peaks)), key=lambda index: -peaks[index][unit])[:9]
        assert captions == tuple(f"{peaks[index][unit]:.4g} · picture {index}" for index in ranked)


def test_a_unit_that_never_fires_says_so_in_patches_and_deconvs(tmp_path: Path) -> None:
    given = task(model(), "conv1", (RED, DEAD), tmp_path)
    for analysis in ("max-patches", "deconv"):
        made = pictured(analysis, given)
        assert set(made.captions[1]) == {"nothing to show: it never fires"}
        assert (made.tiles[1] == 128).all()
        assert not any(caption.startswith("nothing to show") for caption in made.captions[0])
    alone = pictured("deconv", replace(given, units=(DEAD,)))
    assert alone.note == "None of the units fires: there is nothing to pass back."


def test_a_unit_that_fires_on_few_pictures_shows_those(tmp_path: Path) -> None:
    given = task(model(), "conv1", (RED,), tmp_path)
    assert given.strongest is not None
    value, image = given.strongest.value.copy(), given.strongest.image.copy()
    value[RED, 2:], image[RED, 5:] = 0, -1
    few = replace(given, strongest=replace(given.strongest, value=value, image=image))
    for analysis in ("max-patches", "deconv"):
        captions = pictured(analysis, few).captions[0]
        assert [caption.startswith("nothing to show") for caption in captions] == [False] * 2 + [True] * 7
        assert captions[2] == "nothing to show: there is no other picture on which it fires"
    value[RED], image[RED] = -np.inf, -1
    assert pictured("max-patches", few).captions[0][0] == (
        "nothing to show: its activation is not finite on any picture"
    )


def test_a_unit_without_a_rectifier_has_strongest_pictures_below_zero(tmp_path: Path) -> None:
    given = task(model(), "scores", (0, 1), tmp_path)
    assert given.strongest is not None
    assert given.strongest.value[1, 0] < 0
    assert all(caption.startswith("-") for caption in pictured("max-patches", given).captions[1])


def test_a_layer_that_sees_everything_shows_whole_pictures(tmp_path: Path) -> None:
    given = task(model(), "scores", (0,), tmp_path, images=4)
    made = pictured("max-patches", given)
    assert given.layer.field is None
    assert given.strongest is not None
    assert made.tiles.shape == (1, 4, 24, 20, 3)
    for rank in range(4):
        np.testing.assert_array_equal(made.tiles[0, rank], shown(given, int(given.strongest.image[0, rank])))
    assert pictured("deconv", given).tiles.shape == made.tiles.shape


# Deconvnets


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weights", ["planted", "random"])
@pytest.mark.parametrize("name", ["conv2", "relu"])
@pytest.mark.parametrize("way", PASSES)
def test_what_is_passed_back_is_that_of_a_plain_loop(
    shape: tuple[int, int, int], weights: str, name: str, way: str
) -> None:
    given = model(shape)
    network = given.network
    assert isinstance(network, Planted)
    if weights == "random":
        torch.manual_seed(3)
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter))
    pixels = torch.rand(4, *shape, generator=torch.Generator().manual_seed(1))
    pixels[0, :, 5:9, 6:10] = 1
    layer = given.outline.layer(name)
    bottom, right = layer.map_size
    places, units = [(0, 0), (bottom - 1, right - 1), (3, 4), (5, 2)], [0, 0, 1, 0]
    rule = {"deconv": rules.deconvnet, "guided": rules.guided, "gradient": None}[way]
    passed = passed_back(given, layer, pixels, units, places, rule=rule)
    found, replaced = passed.gradient, passed.replaced
    assert replaced == (rule is not None)
    for image, unit, (y, x), picture in zip(pixels, units, places, found, strict=True):
        expected = passed_back_by_hand(network, image.double().numpy() - 0.5, unit, {(y, x): 1.0}, way)
        np.testing.assert_allclose(picture.double().numpy(), expected, rtol=1e-6, atol=1e-6)
    assert float(found[0].abs().max()) > 0
    whole = passed_back(given, layer, pixels, units, None, rule=rule).gradient
    for image, unit, picture in zip(pixels, units, whole, strict=True):
        begins = activations(given, "conv2", image, unit)
        if name == "relu":
            begins = begins.clip(min=0)
        expected = passed_back_by_hand(
            network, image.double().numpy() - 0.5, unit, {at: float(begins[at]) for at in np.ndindex(begins.shape)}, way
        )
        size = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(picture.double().numpy() / size, expected / size, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_deconvs_are_cut_like_the_patches_and_in_their_order(shape: tuple[int, int, int], tmp_path: Path) -> None:
    given = task(model(shape), "conv2", (CONJUNCTION, CONSTANT), tmp_path, images=5)
    made, patches = pictured("deconv", given), pictured("max-patches", given)
    network, strongest, field = given.model.network, given.strongest, given.layer.field
    assert isinstance(network, Planted)
    assert strongest is not None
    assert given.images is not None
    assert field is not None
    assert made.captions == patches.captions
    assert made.tiles.shape == patches.tiles.shape == (2, 5, *field.size, 3)
    assert "1 rectifier followed the rule" in made.note
    for rank in range(5):
        image, y, x = (int(column[CONJUNCTION, rank]) for column in (strongest.image, strongest.y, strongest.x))
        pixels = np.asarray(given.images.picture(image)).transpose(2, 0, 1) / 255 - 0.5
        whole = np.pad(deconvnet(network, pixels, CONJUNCTION, y, x), ((0, 0), (20, 20), (20, 20)))
        top, left, bottom, right = (edge + 20 for edge in field.box(y, x))
        part = whole[:3, top:bottom, left:right] / np.abs(whole[:, top:bottom, left:right]).max()
        expected = np.broadcast_to(127.5 + 127.5 * part, (3, *field.size)).transpose(1, 2, 0)
        assert np.abs(made.tiles[0, rank] - expected).max() < 1
    assert (made.tiles[1] == 128).all()


def test_a_unit_below_every_relu_is_pictured_by_its_own_filter(tmp_path: Path) -> None:
    given = task(model(), "conv1", (UPRIGHT,), tmp_path)
    made = pictured("deconv", given)
    assert "no rectifier lies below this layer" in made.note
    weight = given.model.network.conv1.weight[UPRIGHT].numpy()  # type: ignore[union-attr,index]
    inside = [tile for tile in made.tiles[0] if not (tile == 128).all(axis=2).any(axis=1)[[0, -1]].any()]
    expected = (127.5 + 127.5 * weight / np.abs(weight).max()).transpose(1, 2, 0)
    assert inside
    assert all(np.abs(tile - expected).max() < 1 for tile in inside)


def activations(given: Model, name: str, image: Tensor, unit: int) -> np.ndarray:
    """The unit's map on pixels of 0..1."""
    network = given.network
    assert isinstance(network, Planted)
    pooled = torch.nn.functional.max_pool2d(network.conv1(image[None] - 0.5).relu(), 2)
    values: np.ndarray = network.conv2(pooled)[0, unit].double().numpy()
    return values


@pytest.mark.parametrize("kind", ["guided", "gradient"])
def test_other_views_are_cut_like_the_deconvnets(kind: str, tmp_path: Path) -> None:
    given = task(model(), "conv2", (CONJUNCTION, CONSTANT), tmp_path, images=5)
    made, deconvs = pictured(kind, given), pictured("deconv", given)
    assert made.kind == kind
    assert made.captions == deconvs.captions
    assert made.tiles.shape == deconvs.tiles.shape
    assert not (made.tiles[0] == 128).all()


def test_of_a_map_the_whole_picture_is_shown(tmp_path: Path) -> None:
    given = task(model(), "conv2", (CONJUNCTION,), tmp_path, images=3, origin="map")
    made = pictured("deconv", given)
    assert made.tiles.shape == (1, 3, 24, 20, 3)
    assert "back from the whole map" in made.note


VIEWS = {
    "raw": lambda pixel: 0.5 + pixel / 12,
    "gray": lambda pixel: 0.5 + np.mean(pixel) / (2 * 7 / 3),
    "max": lambda pixel: np.abs(pixel).max() / 6,
    "norm": lambda pixel: np.linalg.norm(pixel) / 7,
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_its_definition(view: str) -> None:
    picture = np.zeros((3, 2, 2))
    picture[:, 0, 0], picture[:, 1, 1], picture[:, 0, 1] = (6, -2, 3), (-6, 0, 0), (1, 1, 1)  # norms 7, 6, 1.7
    found = viewed(picture, view)
    for y, x in np.ndindex(2, 2):
        expected = np.broadcast_to(VIEWS[view](picture[:, y, x]), found[:, y, x].shape)
        assert found[:, y, x] == pytest.approx(expected)
    assert viewed(np.zeros((3, 4, 4)), view).max() in (0, 0.5)


def test_a_blurred_norm_spreads_a_point_and_keeps_its_place() -> None:
    picture = np.zeros((3, 41, 41))
    picture[:, 20, 20] = 1
    found = viewed(picture, "norm-blur")[0]
    assert found.argmax() == 20 * 41 + 20
    assert found[20, 24] == pytest.approx(np.exp(-0.5), rel=1e-6)  # one standard deviation away


def test_a_deconvnet_works_in_half_precision() -> None:
    exact, half = model(), model()
    half.network.bfloat16()
    pixels, layer = torch.rand(2, 3, 24, 20, generator=torch.Generator().manual_seed(0)), exact.outline.layer("conv2")
    one = passed_back(exact, layer, pixels, [0, 0], [(3, 4), (5, 6)], rule=rules.deconvnet).gradient
    other = passed_back(half, layer, pixels, [0, 0], [(3, 4), (5, 6)], rule=rules.deconvnet).gradient
    assert other.dtype == torch.float32
    cosine = torch.nn.functional.cosine_similarity(one.flatten(1), other.flatten(1))
    assert float(cosine.min()) > 0.9


@pytest.mark.cuda
def test_a_deconvnet_on_cuda_is_that_of_the_cpu() -> None:
    here, there = model(), model()
    moved = replace(
        there,
        network=there.network.cuda(),
        device=torch.device("cuda"),
        mean=there.mean.cuda(),
        std=there.std.cuda(),
    )
    pixels, layer = torch.rand(2, 3, 24, 20, generator=torch.Generator().manual_seed(0)), here.outline.layer("conv2")
    one = passed_back(here, layer, pixels, [0, 1], [(3, 4), (5, 6)], rule=rules.deconvnet).gradient
    other = passed_back(moved, layer, pixels, [0, 1], [(3, 4), (5, 6)], rule=rules.deconvnet).gradient
    torch.testing.assert_close(other.cpu(), one, rtol=1e-5, atol=1e-6)


# Optimized images

STEPS = {
    "plain": Preset(steps=4, learning_rate=1.0),
    "back": Preset(steps=3, learning_rate=1e-6, regularizers=(Decay(strength=1.0),)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_optimized_images_come_by_preset_then_seed_cut_to_the_field(
    shape: tuple[int, int, int], tmp_path: Path
) -> None:
    given = replace(task(model(shape), "conv2", (CONJUNCTION,), tmp_path, presets=STEPS, images=3), seed=40)
    made, field = pictured("optimized", given), given.layer.field
    assert field is not None
    assert made.groups == ("plain", "back")
    assert made.tiles.shape == (1, 6, *field.size, 3)
    seeds = [caption.split("seed ")[1].split(" ")[0] for caption in made.captions[0]]
    assert seeds == ["40", "41", "42"] * 2
    again = pictured("optimized", replace(given, presets={"plain": STEPS["plain"]}, seed=41))
    np.testing.assert_array_equal(again.tiles[0, :2], made.tiles[0, 1:3])


def test_an_image_of_octaves_is_as_large_as_the_others_and_its_caption_is_of_its_end(tmp_path: Path) -> None:
    growing = Preset(octaves=(Octave(steps=3, blur=(0.3, 9.0), rate=(5.0, 1.0), zoom=1.5),))
    given = task(model(), "conv2", (CONJUNCTION,), tmp_path, presets={"growing": growing, **STEPS}, images=1)
    made, field = pictured("optimized", given), given.layer.field
    assert field is not None
    assert made.tiles.shape == (1, 3, *field.size, 3)
    canvas = canvas_of(given.layer, given.model.outline.input_shape)
    (found,) = ascend(
        given.model.network,
        given.layer,
        [Job(CONJUNCTION, growing)],
        canvas,
        mean=given.model.mean,
        std=given.model.std,
    )
    assert found.last != found.best
    assert made.captions[0][0].startswith(f"{found.last:.4g} · seed 0")


def test_an_image_that_never_got_better_than_its_start_says_so(tmp_path: Path) -> None:
    given = task(model(), "conv1", (UPRIGHT,), tmp_path, presets={"back": STEPS["back"]}, images=9)
    captions = pictured("optimized", given).captions[0]
    weight = given.model.network.conv1.weight[UPRIGHT].double().numpy()  # type: ignore[union-attr,index]
    mean = given.model.mean.double().numpy()
    at_start = [(weight * start_image("noise", seed, (5, 5), mean) / 255).sum() for seed in range(9)]
    assert 0 < sum(value > 0 for value in at_start) < 9
    assert [caption.endswith("never above its start") for caption in captions] == [value > 0 for value in at_start]


def test_a_unit_that_no_pixel_moves_has_no_gradient(tmp_path: Path) -> None:
    given = task(model(), "conv2", (CONSTANT,), tmp_path, presets={"plain": STEPS["plain"]}, images=1)
    assert pictured("optimized", given).captions[0] == ("1 · seed 0 · no gradient after 1 step",)


def test_in_bfloat16_the_note_says_what_that_did(tmp_path: Path) -> None:
    given = task(model(), "conv2", (CONJUNCTION,), tmp_path, presets=STEPS, images=3)
    exact = pictured("optimized", given)
    rounded = pictured("optimized", replace(given, section=given.section.model_copy(update={"precision": "bf16"})))
    assert "bfloat16" not in exact.note
    assert "The network computed in bfloat16: against float32, at 3 start images, activations differ by" in rounded.note
    assert rounded.captions != exact.captions
    np.testing.assert_allclose(rounded.tiles.astype(float), exact.tiles, atol=30)


def test_a_layer_that_sees_everything_is_optimized_on_the_whole_input(tmp_path: Path) -> None:
    given = task(model(), "scores", (0,), tmp_path, presets={"plain": STEPS["plain"]}, images=1)
    made = pictured("optimized", given)
    assert made.tiles.shape == (1, 1, 24, 20, 3)
    assert "the whole input (24 x 20 pixels)" in made.note


# The pass


def test_the_planted_dead_filter_and_no_other_never_fires(tmp_path: Path) -> None:
    planted = model()
    images = open_images(DataSection(factory="made.py:made"), pictures(tmp_path, (3, 24, 20)))
    records = sweep(planted, images, {"conv1": [Firing()], "relu1": [Firing()]}, 5, events.Silence())
    for layer in ("conv1", "relu1"):
        (record,) = records[layer]
        assert isinstance(record, Scalars)
        assert np.flatnonzero(record.columns["share_of_images"] == 0).tolist() == [DEAD]


def test_a_network_of_half_precision_is_measured(tmp_path: Path) -> None:
    exact, half = model(), model()
    half.network.bfloat16()
    images = open_images(DataSection(factory="made.py:made"), pictures(tmp_path, (3, 24, 20)))
    means = []
    for planted in (exact, half):
        (record,) = sweep(planted, images, {"relu1": [Moments()]}, 5, events.Silence())["relu1"]
        assert isinstance(record, Scalars)
        means.append(record.columns["mean"])
    np.testing.assert_allclose(means[1], means[0], rtol=0.05)
    assert means[0][UPRIGHT] > 0


@pytest.mark.cuda
def test_the_pass_on_cuda_measures_what_the_cpu_does(tmp_path: Path) -> None:
    here, there = model(), model()
    moved = replace(
        there,
        network=there.network.cuda(),
        device=torch.device("cuda"),
        mean=there.mean.cuda(),
        std=there.std.cuda(),
    )
    images = open_images(DataSection(factory="made.py:made"), pictures(tmp_path, (3, 24, 20)))
    one, other = (
        sweep(planted, images, {"relu": [Moments(), Firing(), Strongest()]}, 5, events.Silence())["relu"]
        for planted in (here, moved)
    )
    for left, right in zip(one[:2], other[:2], strict=True):
        assert isinstance(left, Scalars)
        assert isinstance(right, Scalars)
        for name, column in left.columns.items():
            np.testing.assert_allclose(right.columns[name], column, rtol=1e-5, atol=1e-6)
    assert isinstance(one[2], TopK)
    assert isinstance(other[2], TopK)
    np.testing.assert_allclose(other[2].value, one[2].value, rtol=1e-5, atol=1e-6)
