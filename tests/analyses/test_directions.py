"""What is excited is the weighted sum that the file asks for, and what cannot be had is said at its place."""

from pathlib import Path

import numpy as np
import pytest
import torch

from audit import events
from audit.analyses.directions import Directions, resolved, sections
from audit.analyses.task import Task
from audit.ascent.presets import Preset
from audit.config import DirectionSection, LayerSection
from audit.errors import ConfigError, SectionError
from audit.plan import prepare
from tests.analyses.test_pictures import CONJUNCTION, FLAT, RED, UPRIGHT, model
from tests.audits import section as written

PRESETS = {"plain": Preset(steps=30, learning_rate=20.0)}


def task(directions, layer: str = "conv1", **more) -> Task:
    planted = model()
    chosen = LayerSection(name=layer, presets=tuple(PRESETS), directions=directions, images=2, **more)
    at = planted.outline.layer(layer)
    return Task(planted, at, (), chosen, PRESETS, seed=0, listener=events.Silence())


def seen(pictures, row: int) -> torch.Tensor:
    return torch.from_numpy(pictures.tiles[row, 0].astype(np.float32) / 255 - 0.5)


def test_there_is_a_row_per_direction_under_its_name():
    made = Directions().run(
        task(
            (
                DirectionSection(name="cross", units={str(UPRIGHT): 1.0, str(FLAT): 1.0}),
                DirectionSection(name="against red", units={str(RED): -1.0}),
            )
        )
    )
    assert made.names == ("cross", "against red")
    assert made.units == (0, 1)
    assert made.tiles.shape == (2, 2, 5, 5, 3)
    red, green, blue = seen(made, 1)[1:4, 1:4].mean((0, 1))
    assert red < min(green, blue)


def test_a_direction_of_one_unit_makes_that_units_pictures():
    asked = task((DirectionSection(name="one", units={str(UPRIGHT): 1.0}),))
    from audit.analyses.optimized import Optimized

    units = Optimized().run(Task(**{**vars(asked), "units": (UPRIGHT,)}))
    assert np.array_equal(Directions().run(asked).tiles, units.tiles)


def test_the_energy_of_a_layer_is_excited_on_the_whole_input():
    made = Directions().run(task((DirectionSection(name="dream", reading="energy"),)))
    assert made.tiles.shape[2:4] == (24, 20)


def test_a_sum_over_layers_is_made_on_the_whole_input():
    other = {"layer": "conv1", "units": {str(RED): 2.0}}
    direction = DirectionSection.model_validate({"name": "both", "units": {str(CONJUNCTION): 1.0}, "others": (other,)})
    made = Directions().run(task((direction,), "conv2"))
    assert made.tiles.shape[:2] == (1, 2)
    assert "24 x 20 pixels" in made.note


def test_random_directions_are_of_length_1_the_same_for_a_seed_and_no_two_alike():
    outline = model().outline
    layer = outline.layer("conv1")
    random = sections(LayerSection(name="conv1", directions="random:3"))
    found = [resolved(section, layer, outline, 7, Path()) for section in random]
    assert [direction.name for direction in found] == [f"random direction {number}" for number in range(3)]
    assert [np.linalg.norm(direction.weights) for direction in found] == pytest.approx([1, 1, 1])
    assert found[0].weights == resolved(random[0], layer, outline, 7, Path()).weights
    assert len({direction.weights for direction in found}) == 3
    assert found[0].weights != resolved(random[0], layer, outline, 8, Path()).weights


def test_weights_come_from_a_row_of_a_file(tmp_path):
    np.save(tmp_path / "learned.npy", np.arange(8, dtype=np.float32).reshape(2, 4))
    outline = model().outline
    section = DirectionSection(name="learned", file="learned.npy", row=1)
    assert resolved(section, outline.layer("conv1"), outline, 0, tmp_path).weights == (4.0, 5.0, 6.0, 7.0)


WRONG = [
    ({"units": {"9": 1.0}}, "units", 'no unit 9 in layer "conv1": it has the units 0 to 3'),
    ({"units": {"first": 1.0}}, "units", "no unit first"),
    ({"file": "none.npy"}, "file", "cannot be read"),
    ({"file": "thin.npy"}, "file", "conv1 needs rows of 4 numbers"),
    ({"file": "good.npy", "row": 2}, "row", "has 2 rows, 0 to 1"),
    ({"units": {"1": 1.0}, "others": [{"layer": "conv9", "units": {"1": 1.0}}]}, "others", 'no layer "conv9"; did you'),
]


@pytest.mark.parametrize(("options", "option", "words"), WRONG)
def test_what_cannot_be_had_names_the_option_and_what_there_is(tmp_path, options, option, words):
    np.save(tmp_path / "thin.npy", np.ones((2, 3)))
    np.save(tmp_path / "good.npy", np.ones((2, 4)))
    outline = model().outline
    section = DirectionSection.model_validate({"name": "wrong", **options}, strict=False)
    with pytest.raises(SectionError, match=words) as error:
        resolved(section, outline.layer("conv1"), outline, 0, tmp_path)
    assert error.value.option == option


def test_a_mistake_is_told_with_its_line(tmp_path):
    head = '[[layers]]\nname = "conv1"\nanalyses = ["directions"]\n'
    layers = head + 'directions = [\n    { name = "a", units = { 99 = 1 } },\n]\n'
    model_section = written("[[models]]", name="demo", factory="audit.demo.network:network", input=[3, 64, 64])
    file = tmp_path / "audit.toml"
    file.write_text(model_section + layers)
    with pytest.raises(ConfigError, match=r"audit\.toml:\d+:\d+: a: no unit 99 in layer \"conv1\"") as error:
        prepare(file)
    (problem,) = error.value.problems
    assert file.read_text().splitlines()[problem.line - 1].strip().startswith('{ name = "a"')
