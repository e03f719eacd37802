"""Noise on pictures -> judgement."""

import numpy as np
import pytest
from pydantic import ValidationError

from audit.checks.evidence import Evidence
from audit.checks.noise_sensitivity import NoiseSensitivity
from audit.errors import Unavailable
from audit.records import Layer, Outline, Table

SIGMAS = [0.0, 0.01, 0.02, 0.05, 0.1]


def shown(flips: list[float], *changes: float, pictures: int = 64) -> Evidence:
    """Layers conv1, conv2, ... whose activations move by that at sigma 0.02; the last is the outputs."""
    layers = [f"conv{place + 1}" for place in range(len(changes))]
    columns = {
        "layer": np.repeat(np.array(layers), 5),
        "sigma": np.tile(SIGMAS, len(layers)),
        "pictures": np.full(5 * len(layers), pictures),
        "change": np.concatenate([np.array(SIGMAS) * change / 0.02 for change in changes]),
        "flips": np.concatenate([np.full(5 * (len(layers) - 1), np.nan), flips]),
    }
    outline = Outline((3, 8, 8), (Layer("fc", "Linear", (10,), 1, False, None, None),))
    return Evidence(outline, pictures, tables={"noise": Table("noise", columns)})


def test_a_model_whose_labels_change_with_a_little_noise_is_found():
    judgement = NoiseSensitivity().judge(shown([0, 0.5, 0.7, 0.9, 1.0], 0.1, 0.9, 0.3, 0.6))
    assert not judgement.passed
    assert judgement.measured == pytest.approx(70)
    assert [finding.layer for finding in judgement.findings] == ["conv2", "conv4"]
    assert "9" in judgement.findings[0].message
    assert "0.10 (conv1) at first, 0.90 (conv2) at most, and 0.60 (conv4) at last" in judgement.message


def test_a_steady_model_passes():
    judgement = NoiseSensitivity().judge(shown([0, 0.0, 0.02, 0.1, 0.4], 0.1, 0.2))
    assert judgement.passed
    assert judgement.findings == ()


def test_the_noise_that_is_asked_for_decides():
    evidence = shown([0, 0.0, 0.02, 0.1, 0.9], 0.1, 0.2)
    assert NoiseSensitivity(sigma=0.05).judge(evidence).measured == pytest.approx(10)
    assert not NoiseSensitivity(sigma=0.1).judge(evidence).passed
    with pytest.raises(ValidationError, match=r"0\.01, 0\.02, 0\.05, 0\.1"):
        NoiseSensitivity(sigma=0.03)


def test_few_pictures_widen_the_limit():
    few, many = (shown([0, 0, 0.42, 1, 1], 0.1, 0.2, pictures=pictures) for pictures in (40, 1000))
    assert NoiseSensitivity().judge(few).passed
    assert not NoiseSensitivity().judge(many).passed
    assert NoiseSensitivity().judge(many).limit == pytest.approx(33.7, abs=0.1)
    assert NoiseSensitivity().judge(many).asked == 30


def test_outputs_that_are_not_finite_never_pass():
    evidence = shown([float("nan")] * 5, 0.1, float("nan"))
    assert not NoiseSensitivity(at_most=100).judge(evidence).passed


def test_layers_that_do_not_move_have_no_growth():
    judgement = NoiseSensitivity(at_most=1).judge(shown([0, 1.0, 1.0, 1.0, 1.0], 0.0, 0.0, 0.5))
    assert [finding.layer for finding in judgement.findings] == ["conv3"]
    assert judgement.findings[0].measured == float("inf")


def test_too_few_pictures_are_unavailable():
    with pytest.raises(Unavailable, match="on 29 pictures"):
        NoiseSensitivity().judge(shown([0, 1.0, 1.0, 1.0, 1.0], 0.1, 0.2, pictures=29))
