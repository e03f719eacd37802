"""What optimized images are said to be: against plain loops, on the planted network and on two small ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from audit import events
from audit.analyses.natural import beside, natural_slope
from audit.analyses.summaries import summaries
from audit.analyses.task import Task
from audit.ascent.presets import Preset
from audit.ascent.start import start_image
from audit.config import DataSection, LayerSection, ModelSection
from audit.data.images import open_images
from audit.model.load import Model
from audit.model.outline import outline
from audit.records import Pictures, TopK
from audit.registry import load

SHAPE = (3, 16, 14)
PRESETS = {"few": Preset(steps=40, learning_rate=100.0), "start": Preset(steps=1, learning_rate=1.0)}


def model(name: str, seed: int = 0, classes: int = 5, mean: float = 0.5) -> Model:
    """A convolution, a ReLU, a mean and scores, with random weights."""
    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, 6, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, classes)]
    network = nn.Sequential(*layers).eval().requires_grad_(False)
    section = ModelSection(name=name, factory="made.py:made", input=SHAPE, mean=mean, std=0.5)
    per_channel = torch.full((3, 1, 1), mean), torch.full((3, 1, 1), 0.5)
    return Model(section, network, outline(network, SHAPE), (), "", torch.device("cpu"), *per_channel)


def pictured(own: Model, layer: str, units: tuple[int, ...], second: Model | None = None, images: int = 3) -> Pictures:
    """Optimized images of PRESETS; "start" shows the starts themselves."""
    section = LayerSection(name=(layer,), presets=tuple(PRESETS), images=images)
    task = Task(own, own.outline.layer(layer), units, section, PRESETS, 7, events.Silence(), second=second)
    made = load("analysis", "optimized")().run(task)
    assert isinstance(made, Pictures)
    return made


def start(own: Model, seed: int, size: tuple[int, int]) -> torch.Tensor:
    """The network's input for the start image of that seed."""
    mean = own.mean.double().numpy()
    pixels = start_image("noise", seed, size, mean).clip(-255 * mean, 255 - 255 * mean)
    return torch.from_numpy(pixels / 255 / 0.5).float()[None]


def test_of_start_images_everything_is_what_a_plain_forward_pass_says() -> None:
    own, second = model("own"), model("second", seed=1, mean=0.4)
    made = pictured(own, "4", (3, 1), second)
    for row, unit in enumerate(made.units):
        for tile, seed in enumerate((7, 8, 9), start=3):
            shown = start(own, seed, SHAPE[1:])
            outputs = own.network(shown)[0].double()
            others = second.network((shown * 0.5 + 0.5 - 0.4) / 0.5)[0].double()
            got = {name: column[row, tile] for name, column in made.numbers.items()}
            assert got["activation"] == pytest.approx(float(outputs[unit]), rel=1e-4)
            assert got["rank"] == 1 + sum(float(other) > float(outputs[unit]) for other in outputs)
            assert got["confidence"] == pytest.approx(float(outputs.exp()[unit] / outputs.exp().sum()), rel=1e-4)
            assert got["recognised"] == (int(others.argmax()) == unit)
            assert got["recognised_probability"] == pytest.approx(
                float(others.exp()[unit] / others.exp().sum()), rel=1e-4
            )


def test_a_unit_that_is_climbed_reaches_what_its_caption_says() -> None:
    made = pictured(model("own"), "0", (2, 5))
    said = [[float(caption.split(" ")[0]) for caption in row] for row in made.captions]
    np.testing.assert_allclose(made.numbers["activation"], said, rtol=1e-3)
    assert (made.numbers["activation"][:, :3] > made.numbers["activation"][:, 3:]).all()
    assert (made.numbers["rank"][:, :3] == 1).all()


def test_a_rectifier_reaches_nothing_below_zero_but_its_rank_is_that_before_it() -> None:
    conv, relu = (pictured(model("own"), layer, (0, 1, 2, 3, 4, 5)).numbers for layer in ("0", "1"))
    np.testing.assert_allclose(relu["activation"], np.maximum(conv["activation"], 0), atol=1e-6)
    np.testing.assert_array_equal(relu["rank"], conv["rank"])
    assert (conv["activation"] < 0).any()


def test_diversity_is_that_of_the_images_of_a_preset() -> None:
    own = model("own")
    made = pictured(own, "0", (2,))
    codes = [
        own.network[1](own.network[0](start(own, seed, (5, 5))))[0, :, 0, 0].double().numpy() for seed in (7, 8, 9)
    ]
    pairs = [(codes[0], codes[1]), (codes[0], codes[2]), (codes[1], codes[2])]
    distance = np.mean([1 - a @ b / np.sqrt((a @ a) * (b @ b)) for a, b in pairs])
    assert made.numbers["diversity"][0, 3:] == pytest.approx([distance] * 3, rel=1e-4)
    assert len(set(made.numbers["pixel_diversity"][0].tolist())) == 2
    alone = pictured(own, "0", (2,), images=1)
    assert np.isnan(alone.numbers["diversity"]).all()


def test_inner_units_are_no_classes_and_without_a_second_model_nobody_recognises() -> None:
    own, second = model("own"), model("second", seed=1)
    assert not {"confidence", "recognised"} & set(pictured(own, "0", (1,), second).numbers)
    assert not {"confidence", "recognised"} & set(pictured(own, "2", (1,), second).numbers)
    numbers = pictured(own, "4", (1,)).numbers
    assert "confidence" in numbers
    assert "recognised" not in numbers


def test_every_number_is_of_every_picture() -> None:
    made = pictured(model("own"), "4", (0, 2), model("second"))
    assert {column.shape for column in made.numbers.values()} == {made.tiles.shape[:2]}
    assert all(column.dtype == np.float64 for column in made.numbers.values())


def test_images_that_are_pushed_down_rank_from_the_other_end() -> None:
    own = model("own")
    section = LayerSection(name=("4",), presets=("down",), images=2)
    presets = {"down": Preset(steps=1, learning_rate=1.0, push="down")}
    task = Task(own, own.outline.layer("4"), (3,), section, presets, 7, events.Silence())
    outputs = own.network(start(own, 7, SHAPE[1:]))[0]
    rank = load("analysis", "optimized")().run(task).numbers["rank"][0, 0]
    assert rank == 1 + sum(float(other) < float(outputs[3]) for other in outputs)


# Beside natural pictures


def strongest(values: list[float], images: list[int]) -> TopK:
    places = np.zeros((len(values), 1), np.int64)
    return TopK("0", np.array(values)[:, None], np.array(images)[:, None], places, places)


def test_activations_are_told_relative_to_the_strongest_picture() -> None:
    made = pictured(model("own"), "0", (0, 1, 2))
    found = beside(made, strongest([4.0, 0.5, -1.0, 9.0, 9.0, 9.0], [3, -1, 5, 0, 0, 0]), -2.1)
    np.testing.assert_allclose(found.numbers["of_strongest"][0], made.numbers["activation"][0] / 4)
    assert np.isnan(found.numbers["of_strongest"][1:]).all()  # fires on no picture; is below zero on all
    assert (found.numbers["natural_slope"] == -2.1).all()
    assert set(made.numbers) < set(found.numbers)


def test_the_slope_of_pictures_is_that_of_their_noise(tmp_path: Path) -> None:
    code = """
import numpy as np

def made():
    frequency = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.fftfreq(96))[:, :, None]
    frequency[0, 0] = np.inf
    white = np.random.default_rng(0).normal(size=(40, 96, 96, 3))
    shaped = np.fft.ifft2(np.fft.fft2(white, axes=(1, 2)) / frequency**0.75, axes=(1, 2)).real
    return list(np.clip(128 + 40 * shaped / shaped.std(), 0, 255).astype(np.uint8))
"""
    (tmp_path / "made.py").write_text(code)
    images = open_images(DataSection(factory="made.py:made"), tmp_path)
    own = model("own")
    section = own.section.model_copy(update={"input": (3, 96, 96)})
    shown = replace(own, section=section)
    assert natural_slope(shown, images, (64, 64)) == pytest.approx(-1.5, abs=0.1)
    assert np.isnan(natural_slope(shown, images, (5, 64)))


# Together


def test_a_row_per_unit_and_preset_tells_the_median_and_counts_who_is_recognised() -> None:
    made = pictured(model("own"), "4", (3, 1), model("second", seed=1))
    (table,) = summaries([made, replace(made, kind="deconv", numbers={})])
    assert list(zip(*(table.columns[name].tolist() for name in ("unit", "preset", "images")), strict=True)) == [
        *((3, "few", 3), (3, "start", 3), (1, "few", 3), (1, "start", 3))
    ]
    for index, (row, tiles) in enumerate([(0, slice(3)), (0, slice(3, 6)), (1, slice(3)), (1, slice(3, 6))]):
        assert table.columns["activation"][index] == sorted(made.numbers["activation"][row, tiles])[1]
        assert table.columns["recognised"][index] == sum(made.numbers["recognised"][row, tiles])


def test_what_is_not_known_of_some_images_is_told_of_the_others() -> None:
    made = pictured(model("own"), "4", (3,))
    numbers = {"activation": np.array([[np.nan, 2.0, 4.0, np.nan, np.nan, np.nan]])}
    (table,) = summaries([replace(made, numbers=numbers)])
    assert table.columns["activation"][0] == 3
    assert np.isnan(table.columns["activation"][1])
    assert summaries([replace(made, numbers={})]) == []
