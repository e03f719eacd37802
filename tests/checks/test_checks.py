"""Checks: what they are shown -> what they say; nothing that was not measured passes."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from audit.checks.accuracy import Accuracy
from audit.checks.dead_units import DeadUnits
from audit.checks.evidence import Evidence
from audit.checks.frequency_bias import FrequencyBias
from audit.errors import NotApplicable, Unavailable
from audit.records import Layer, Outline

CONV = Layer("conv1", "Conv2d", (12, 8, 8), 100, False, "relu1", None)
RELU = Layer("relu1", "ReLU", (12, 8, 8), 0, True, "relu1", None)
OUTLINE = Outline((3, 32, 32), (CONV, RELU))


def shown(layer: Layer | None = RELU, images: int = 500, **columns: list[float]) -> Evidence:
    return Evidence(OUTLINE, images, layer, {name: np.array(values) for name, values in columns.items()})


def test_a_unit_that_never_fires_is_found() -> None:
    judgement = DeadUnits().judge(shown(share_of_images=[0.5, 0.0, 1.0, 0.0]))
    assert not judgement.passed
    assert judgement.measured == 50.0
    assert [finding.unit for finding in judgement.findings] == [1, 3]
    assert "1, 3" in judgement.message


@pytest.mark.parametrize("images", [100, 300, 2000])
def test_a_silent_unit_may_fire_as_often_as_leaves_one_of_twenty_audits_silent(images: int) -> None:
    (finding,) = DeadUnits().judge(shown(images=images, share_of_images=[0.5, 0.0])).findings
    share = next(share for share in np.arange(0, 1, 1e-6) if (1 - share) ** images <= 0.05)
    assert finding.message == f"fires on 0 of {images} pictures, so on less than {share:.2%} of such pictures"


def test_rarely_firing_units_are_not_dead_unless_asked() -> None:
    evidence = shown(share_of_images=[0.002, 0.9])
    assert DeadUnits().judge(evidence).passed
    assert not DeadUnits(max_share_of_images=0.01).judge(evidence).passed


def test_dead_units_may_be_allowed_up_to_a_share() -> None:
    evidence = shown(share_of_images=[0.0, 1.0, 1.0, 1.0])
    assert DeadUnits(at_most=25).judge(evidence).passed
    assert not DeadUnits(at_most=24).judge(evidence).passed


def test_a_share_that_is_not_a_number_counts_as_dead() -> None:
    assert not DeadUnits().judge(shown(share_of_images=[float("nan"), 1.0])).passed


def test_silence_on_few_pictures_proves_nothing() -> None:
    with pytest.raises(Unavailable, match="only 20 pictures"):
        DeadUnits().judge(shown(images=20, share_of_images=[0.0, 1.0]))
    assert DeadUnits().judge(shown(images=20, share_of_images=[0.5, 1.0])).passed


def test_a_column_that_was_not_measured_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="share_of_images"):
        DeadUnits().judge(shown())


def biased(strength: float) -> Evidence:
    """Twelve filters whose activation falls from 1 to 1/strength as the frequency rises; one is a colour filter."""
    frequency = np.linspace(0.05, 0.4, 12)
    activation = strength ** -np.linspace(0, 1, 12)
    return shown(CONV, frequency=list(frequency), mean_activated=list(activation), is_colour=[0.0] * 11 + [1.0])


def test_low_frequencies_far_louder_than_high_ones_are_found() -> None:
    judgement = FrequencyBias(at_most=20, filters=2).judge(biased(1000))
    edges = 1000 ** -np.linspace(0, 1, 12)[:11]
    assert judgement.measured == pytest.approx(edges[:2].mean() / edges[-2:].mean())
    assert not judgement.passed
    assert [finding.unit for finding in judgement.findings] == [9, 10]
    assert "-1.00" in judgement.message


def test_a_little_frequency_bias_is_healthy() -> None:
    assert FrequencyBias(at_most=20, filters=2).judge(biased(5)).passed


def test_silent_high_frequencies_are_infinitely_biased_and_all_silent_is_never_good() -> None:
    frequency = [0.1, 0.2, 0.3, 0.4]
    loud = shown(CONV, frequency=frequency, mean_activated=[1.0, 1.0, 0.0, 0.0], is_colour=[0.0] * 4)
    silent = shown(CONV, frequency=frequency, mean_activated=[0.0] * 4, is_colour=[0.0] * 4)
    broken = shown(CONV, frequency=frequency, mean_activated=[float("nan")] * 4, is_colour=[0.0] * 4)
    assert FrequencyBias(filters=2).judge(loud).measured == float("inf")
    assert not FrequencyBias(filters=2).judge(loud).passed
    assert not FrequencyBias(filters=2).judge(silent).passed
    assert not FrequencyBias(filters=2).judge(broken).passed


def test_too_few_edge_filters_cannot_be_compared() -> None:
    with pytest.raises(NotApplicable, match="needs 10"):
        FrequencyBias(filters=5).judge(shown(CONV, frequency=[0.1] * 9, mean_activated=[1.0] * 9, is_colour=[0.0] * 9))


def test_filters_without_a_relu_have_no_mean_activation() -> None:
    with pytest.raises(NotApplicable, match="no ReLU follows conv1"):
        FrequencyBias(filters=2).judge(shown(replace(CONV, activation=None), frequency=[0.1] * 9, is_colour=[0.0] * 9))


def of_model(**numbers: float) -> Evidence:
    numbers = {name: float(number) for name, number in numbers.items()}
    return Evidence(OUTLINE, 100, numbers=numbers, layers={"relu1": {"non_finite": np.array([0.0, 0.0])}})


def test_accuracy_is_judged_in_percent() -> None:
    evidence = of_model(top1=0.91, top5=0.99, labelled_images=100)
    assert Accuracy(at_least=91.0).judge(evidence).passed
    assert not Accuracy(at_least=91.1).judge(evidence).passed
    assert Accuracy(at_least=99, top=5).judge(evidence).passed
    assert not Accuracy(at_least=0).judge(of_model(top1=float("nan"), labelled_images=1)).passed


def test_accuracy_without_labels_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        Accuracy(at_least=1).judge(of_model())


def test_unknown_options_are_errors() -> None:
    with pytest.raises(ValidationError):
        DeadUnits(at_mots=3)  # type: ignore[call-arg]
