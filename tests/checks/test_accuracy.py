"""Accuracy against what is asked for, and against what the checkpoint claims."""

import pytest
from pydantic import ValidationError
from scipy.stats import binomtest

from audit.checks.accuracy import Accuracy
from audit.checks.evidence import Evidence
from audit.errors import NotApplicable, Unavailable
from audit.records import Layer, Outline

OUTLINE = Outline((3, 8, 8), (Layer("fc", "Linear", (10,), 1, False, None, None),))


def measured(**numbers: float) -> Evidence:
    return Evidence(OUTLINE, 100, numbers={name: float(number) for name, number in numbers.items()})


def test_what_is_asked_for_is_the_limit():
    assert Accuracy(at_least=91).judge(measured(top1=0.91, labelled_images=100)).passed
    assert not Accuracy(at_least=91.1).judge(measured(top1=0.91, labelled_images=100)).passed
    assert Accuracy(at_least=99, top=5).judge(measured(top5=0.99, labelled_images=100)).passed


def test_what_is_asked_for_goes_before_what_is_claimed():
    judgement = Accuracy(at_least=80).judge(measured(top1=0.81, labelled_images=100, claimed_top1=99))
    assert judgement.passed
    assert judgement.limit == 80


def test_an_accuracy_far_below_the_claim_is_found():
    judgement = Accuracy().judge(measured(top1=0.8135, labelled_images=2000, claimed_top1=91.78))
    assert not judgement.passed
    assert "not those of the claim" in judgement.message
    assert judgement.limit == pytest.approx(88.04, abs=0.01)
    assert judgement.asked == pytest.approx(91.78 - 2)


@pytest.mark.parametrize("right", range(80, 101))
def test_it_fails_exactly_where_the_claim_is_above_the_interval_of_the_pictures(right):
    judgement = Accuracy(below_claim=0).judge(measured(top1=right / 100, labelled_images=100, claimed_top1=95))
    above = binomtest(right, 100).proportion_ci(0.99, method="wilson").high
    assert judgement.passed == (above >= 0.95)


def test_few_pictures_do_not_raise_an_alarm():
    assert Accuracy().judge(measured(top1=0.8, labelled_images=20, claimed_top1=92)).passed
    assert not Accuracy().judge(measured(top1=0.8, labelled_images=500, claimed_top1=92)).passed


def test_a_claim_of_100_percent_can_be_held():
    assert Accuracy().judge(measured(top1=1.0, labelled_images=50, claimed_top1=100)).passed
    assert not Accuracy(below_claim=0).judge(measured(top1=0.99, labelled_images=100, claimed_top1=100)).passed


def test_without_a_claim_there_is_nothing_to_hold_it_to():
    with pytest.raises(NotApplicable, match="at_least"):
        Accuracy().judge(measured(top1=0.5, labelled_images=10))


def test_without_labels_it_is_unavailable_and_nan_never_passes():
    with pytest.raises(Unavailable):
        Accuracy(at_least=1).judge(measured())
    assert not Accuracy(at_least=0).judge(measured(top1=float("nan"), labelled_images=1)).passed
    assert not Accuracy().judge(measured(top1=float("nan"), labelled_images=9, claimed_top1=50)).passed
    with pytest.raises(Unavailable, match="claims nan %"):
        Accuracy().judge(measured(top1=0.9, labelled_images=9, claimed_top1=float("nan")))


def test_checkpoints_claim_nothing_of_the_five_strongest():
    with pytest.raises(ValidationError, match="at_least"):
        Accuracy(top=5)
