"""Accuracies under attack -> judgement."""

import numpy as np
import pytest
from pydantic import ValidationError

from audit.checks.adversarial_accuracy import AdversarialAccuracy
from audit.checks.evidence import Evidence
from audit.errors import Unavailable
from audit.records import Layer, Outline, Table


def shown(noise: list[float], fgsm: list[float], pgd: list[float], pictures: int = 64, flat: int = 0) -> Evidence:
    epsilons = [0.0, 1.0, 4.0]
    columns = {
        "attack": np.repeat(np.array(["noise", "FGSM", "PGD"]), 3),
        "epsilon": np.tile(epsilons, 3),
        "pictures": np.full(9, pictures),
        "top1": np.array([*noise, *fgsm, *pgd]),
        "flat": np.full(9, flat),
    }
    outline = Outline((3, 8, 8), (Layer("fc", "Linear", (10,), 1, False, None, None),))
    return Evidence(outline, pictures, tables={"adversarial": Table("adversarial", columns)})


WEAK = shown([0.9, 0.9, 0.8], [0.9, 0.5, 0.2], [0.9, 0.1, 0.0])


def test_a_network_that_attacks_fool_is_found():
    judgement = AdversarialAccuracy(at_least=40.0).judge(WEAK)
    assert not judgement.passed
    assert judgement.measured == pytest.approx(10)
    assert "leaves 10 % of 64 pictures right, of 90 % without it; noise of that size leaves 90 %" in judgement.message


def test_attack_and_size_are_those_that_are_asked_for():
    assert AdversarialAccuracy(at_least=40.0, attack="FGSM").judge(WEAK).passed
    assert not AdversarialAccuracy(at_least=40.0, attack="FGSM", epsilon=4.0).judge(WEAK).passed
    with pytest.raises(ValidationError, match=r"0\.5, 1, 2, 4, 8, 16; give one of these"):
        AdversarialAccuracy(at_least=40.0, epsilon=3.0)


def test_few_pictures_widen_the_limit():
    evidence = [shown([0.9] * 3, [0.9] * 3, [0.9, 0.42, 0.1], pictures=pictures) for pictures in (40, 1000)]
    few, many = (AdversarialAccuracy(at_least=50.0).judge(one) for one in evidence)
    assert few.passed
    assert not many.passed
    assert many.limit == pytest.approx(45.9, abs=0.1)
    assert many.asked == 50


def test_too_few_pictures_and_gradients_that_are_not_there_are_unavailable():
    with pytest.raises(Unavailable, match="29 labelled pictures"):
        AdversarialAccuracy(at_least=0.0).judge(shown([1] * 3, [1] * 3, [1] * 3, pictures=29))
    with pytest.raises(Unavailable, match="at 40 of 64 pictures the loss has no gradient"):
        AdversarialAccuracy(at_least=0.0).judge(shown([1] * 3, [1] * 3, [1] * 3, flat=40))


def test_accuracies_that_are_not_known_never_pass():
    assert not AdversarialAccuracy(at_least=0.0).judge(shown([1] * 3, [1] * 3, [1, float("nan"), 0])).passed
