"""Attacked pictures: each is its picture and the change, the smallest tried that fools the network."""

import re

import numpy as np
import pytest
from PIL import Image
from torch import nn

from audit.analyses.adversarial import Adversarial
from audit.analyses.task import Task
from audit.config import LayerSection
from audit.errors import Unavailable
from audit.events import Silence
from audit.records import Pictures
from tests.trials import nets


def nearly(count: int, leads: tuple[int, ...]) -> nets.Pictures:
    """Gray pictures in which one of three colours, the label, is ahead of the others by so many levels."""
    made = []
    for index in range(count):
        pixels = np.full((6, 6, 3), 120, np.uint8)
        pixels[:, :, index % 3] += leads[index % len(leads)]
        made.append(Image.fromarray(pixels))
    return nets.Pictures(tuple(made), {index: index % 3 for index in range(count)})


def attacked(
    images: nets.Pictures, network: nn.Module | None = None, layer: str = "output", shown: int = 9
) -> Pictures:
    made = nets.model(network or nets.Strongest(), (3, 6, 6))
    section = LayerSection(name=(layer,), analyses=("adversarial",), images=shown)
    found = made.outline.layer(made.outline.layers[-1].name if layer == "output" else layer)
    return Adversarial().run(Task(made, found, (0,), section, {}, 5, Silence(), images))


@pytest.mark.parametrize(("lead", "epsilon"), [(3, 2.0), (7, 4.0), (15, 8.0)])
def test_the_smallest_change_that_fools_is_shown(lead, epsilon):
    """Two colours must move towards one another by half of what lies between them."""
    made = attacked(nearly(6, (lead,)))
    assert made.numbers["epsilon"].tolist() == [[0, epsilon, epsilon]] * 6
    assert made.tiles.shape == (6, 3, 6, 6, 3)
    assert made.names[2] == "picture 2"
    for row, (before, change, after) in enumerate(made.tiles.astype(int)):
        assert 0 < np.abs(after - before).max() <= epsilon
        assert change[:, :, row % 3].max() == 0  # its own colour falls, by the whole of what is allowed
        answers = [re.match(r"output (\d)", made.captions[row][tile])[1] for tile in (0, 2)]
        assert answers[0] == str(row % 3) != answers[1]
        assert f"at most {epsilon:g} of 255" in made.captions[row][1]


def test_a_picture_that_withstands_everything_is_said_to():
    made = attacked(nearly(3, (90,)))
    assert made.numbers["epsilon"][:, 2].tolist() == [16.0] * 3
    assert all(captions[2].endswith("not fooled") for captions in made.captions)


def test_only_right_answers_are_attacked_and_as_many_as_are_shown():
    images = nearly(12, (7,))
    wrong = nets.Pictures(images.every, {**images.labels, 0: 1, 1: 2})
    assert attacked(wrong, shown=3).names == ("picture 2", "picture 5", "picture 8")


def test_what_has_no_right_answer_or_no_classes_is_unavailable():
    images = nearly(3, (7,))
    with pytest.raises(Unavailable, match="gets none of"):
        attacked(nets.Pictures(images.every, {0: 1, 1: 2, 2: 0}))
    with pytest.raises(Unavailable, match="no picture has a label"):
        attacked(nets.Pictures(images.every))
    with pytest.raises(Unavailable, match="are no classes; attack output"):
        attacked(images, layer="mean")
