"""Answers in the frames of a camera -> judgement."""

import numpy as np
import pytest

from audit.checks.evidence import Evidence
from audit.checks.flicker import Flicker
from audit.errors import Unavailable
from audit.records import Layer, Outline, Table


def shown(changes: float, pictures: int = 32, layers: tuple[str, ...] = ("relu5", "fc")) -> Evidence:
    """Layers that move by 0.05, 0.1, ..., and probabilities by 0.4."""
    count = len(layers) + 1
    of_answers = {
        name: np.array([np.nan] * len(layers) + [value])
        for name, value in (("changes", changes), ("unsteady", min(1.0, 2 * changes)), ("probability_std", 0.125))
    }
    columns = {
        "layer": np.array([*layers, layers[-1]]),
        "of": np.array(["activations"] * len(layers) + ["probabilities"]),
        "pictures": np.full(count, pictures),
        "flicker": np.array([0.05 * (place + 1) for place in range(len(layers))] + [0.4]),
        **of_answers,
    }
    outline = Outline((3, 8, 8), (Layer("fc", "Linear", (10,), 1, False, None, None),))
    return Evidence(outline, pictures, tables={"flicker": Table("flicker", columns)})


def test_answers_that_change_from_frame_to_frame_are_found():
    judgement = Flicker().judge(shown(0.4))
    assert not judgement.passed
    assert judgement.measured == pytest.approx(40)
    assert "changes in 40 % of the frames" in judgement.message
    assert "at least once in 80 % of 32 pictures" in judgement.message
    assert judgement.message.endswith("probabilities move by 40 %, relu5 by 5 %")


def test_steady_answers_pass_and_few_pictures_widen_the_limit():
    assert Flicker().judge(shown(0.05)).passed
    assert Flicker().judge(shown(0.2)).passed
    assert not Flicker().judge(shown(0.2, pictures=1000)).passed
    assert not Flicker(at_most=0.0).judge(shown(0.01)).passed


def test_a_network_of_outputs_alone_has_no_layer_beside_them():
    assert Flicker().judge(shown(0.0, layers=("fc",))).message.endswith("probabilities move by 40 %")


def test_what_is_not_known_never_passes_and_too_few_pictures_are_unavailable():
    assert not Flicker(at_most=100.0).judge(shown(float("nan"))).passed
    with pytest.raises(Unavailable, match="frames of 19 pictures"):
        Flicker().judge(shown(0.0, pictures=19))
