"""Ways of showing pictures -> judgement: only what chance does not explain is a better way."""

import numpy as np
import pytest

from audit.checks.evidence import Evidence
from audit.checks.preprocessing import Preprocessing
from audit.errors import NotApplicable, Unavailable
from audit.records import Layer, Outline, Table


def shown(*rows: tuple[str, int, int], labelled: int = 200, confidence: float = 0.9) -> Evidence:
    """Other ways: name, better, worse; half of the pictures are right as configured."""
    every = [("as configured", 0, 0), *rows]
    columns = {
        "variant": np.array([name for name, _, _ in every]),
        "change": np.array(["", *(f"mean = {place}" for place in range(len(rows)))]),
        "labelled": np.full(len(every), labelled),
        "top1": np.array([0.5 + (better - worse) / 200 for _, better, worse in every]),
        "confidence": np.full(len(every), confidence),
        "better": np.array([better for _, better, _ in every]),
        "worse": np.array([worse for _, _, worse in every]),
    }
    outline = Outline((3, 8, 8), (Layer("fc", "Linear", (10,), 1, False, None, None),))
    return Evidence(outline, 200, tables={"preprocessing": Table("preprocessing", columns)})


def test_a_way_that_is_far_better_is_found_and_says_what_to_write():
    judgement = Preprocessing().judge(shown(("slightly", 6, 4), ("ImageNet", 80, 3), ("CIFAR", 60, 5)))
    assert not judgement.passed
    assert judgement.measured == pytest.approx(38.5)
    assert [finding.message.split(":")[0] for finding in judgement.findings] == ["ImageNet", "CIFAR"]
    assert "mean = 1" in judgement.message


def test_what_chance_explains_is_no_better_way():
    judgement = Preprocessing().judge(shown(("blurred", 19, 9), ("bright", 5, 3), ("dark", 0, 30)))
    assert judgement.passed
    assert judgement.measured == 0


def test_a_gain_is_weighed_against_all_ways_that_were_tried():
    assert not Preprocessing().judge(shown(("one", 10, 0))).passed
    assert Preprocessing().judge(shown(("one", 10, 0), *[("another", 0, 5)] * 12)).passed


def test_a_sure_but_small_gain_may_be_allowed():
    assert not Preprocessing().judge(shown(("one", 12, 0))).passed
    assert Preprocessing(at_most=6).judge(shown(("one", 12, 0))).passed


def test_outputs_that_are_not_finite_never_pass():
    assert not Preprocessing(at_most=100).judge(shown(("one", 0, 0), confidence=float("nan"))).passed


def test_without_labels_nothing_is_said_and_with_few_it_is_unavailable():
    with pytest.raises(NotApplicable, match="label"):
        Preprocessing().judge(shown(("one", 0, 0), labelled=0))
    with pytest.raises(Unavailable, match="29 labelled"):
        Preprocessing().judge(shown(("one", 20, 0), labelled=29))
    with pytest.raises(Unavailable, match="was not made"):
        Preprocessing().judge(Evidence(shown().outline, 9))
