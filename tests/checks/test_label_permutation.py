"""Labels in another order than the outputs: planted orders are named, healthy models are left alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.checks.label_permutation import LabelPermutation, cycles_of, orders, within_labels
from audit.errors import NotApplicable, Unavailable
from audit.records import Judgement
from tests.checks.predicted import classifier, predicted


def judged(
    count: int, order, outputs: int = 10, accuracy: float = 0.8, *, confidence: float = 0.8, seed: int = 0, **more
):
    """The judgement where the label of each picture was replaced by another; order[true] is what it was called."""
    label, answer = classifier(count, outputs, accuracy, seed)
    return LabelPermutation().judge(predicted(np.asarray(order)[label], answer, confidence, outputs=outputs, **more))


def moved(judgement: Judgement) -> set[int | None]:
    return {finding.unit for finding in judgement.findings}


@pytest.mark.parametrize("seed", range(20))
def test_a_healthy_model_is_left_alone(seed):
    for count, outputs, accuracy in ((200, 10, 0.8), (500, 500, 0.6), (60, 2, 0.55), (40, 40, 0.3)):
        judgement = judged(count, range(outputs), outputs, accuracy, seed=seed)
        assert judgement.passed, judgement.message


def test_two_swapped_labels_are_named():
    order = [0, 1, 2, 5, 4, 3, 6, 7, 8, 9]
    judgement = judged(300, order, labels=("zero", "one", "two", "three", "four", "five", *"6789"))
    assert not judgement.passed
    assert moved(judgement) == {3, 5}
    assert '"three" is answered by "five"' in judgement.message


def test_three_labels_in_a_circle_are_named():
    order = np.arange(10)
    order[[1, 4, 7]] = [4, 7, 1]
    judgement = judged(600, order)
    assert judgement.measured == 3
    assert {(finding.unit, finding.message) for finding in judgement.findings} == {
        (4, "output 4 is answered by output 1"),
        (7, "output 7 is answered by output 4"),
        (1, "output 1 is answered by output 7"),
    }


def test_labels_that_are_all_permuted_are_found_with_their_order():
    order = np.random.default_rng(3).permutation(10)
    judgement = judged(400, order)
    assert judgement.measured == (order != np.arange(10)).sum()
    answered_by = {int(finding.unit or 0): int(finding.message.split()[-1]) for finding in judgement.findings}
    assert all(order[output] == label for label, output in answered_by.items())


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (np.roll(np.arange(500), 1), "shifted by +1"),
        (np.roll(np.arange(500), -1), "shifted by -1"),
        (np.roll(np.arange(500), 37), "shifted by +37"),
        (np.arange(500)[::-1], "reversed"),
        (np.array(sorted(range(500), key=str)), "sorted as text"),
        (np.argsort(sorted(range(500), key=str)), "sorted as text"),
    ],
)
def test_orders_that_mistakes_make_are_named_with_one_picture_per_class(order, said):
    judgement = judged(500, order, 500, accuracy=0.5)
    assert not judgement.passed
    assert said in judgement.message


def test_labels_sorted_by_name_are_named():
    names = tuple(f"{word} {number}" for number in range(20) for word in ("zebra", "ant", "Cat", "bee"))
    order = np.argsort(np.array(sorted(range(80), key=names.__getitem__)))
    judgement = judged(80, order, 80, accuracy=0.7, labels=names)
    assert "sorted by name" in judgement.message
    assert judgement.measured > 60


def test_an_order_that_one_picture_per_class_cannot_tell_is_still_suspected():
    order = np.random.default_rng(0).permutation(500)
    judgement = judged(500, order, 500, accuracy=0.6)
    assert not judgement.passed
    assert "probably in another order" in judgement.message


def test_a_model_at_chance_that_is_not_sure_is_no_matter_of_labels():
    order = np.random.default_rng(0).permutation(500)
    assert judged(500, order, 500, accuracy=0.6, confidence=0.05).passed


def test_a_model_that_calls_everything_the_same_is_no_matter_of_labels():
    label = np.arange(500) % 10
    assert LabelPermutation().judge(predicted(label, np.full(500, 7), 0.99)).passed


def test_one_mistaken_picture_per_class_proves_nothing():
    label = np.arange(20)
    swapped = np.array([1, 0, *range(2, 20)])
    assert LabelPermutation().judge(predicted(label, swapped, outputs=20)).passed


def test_outputs_that_are_not_finite_never_pass():
    label = np.arange(100) % 10
    assert not LabelPermutation().judge(predicted(label, np.full(100, -1), float("nan"))).passed


def test_too_few_or_unlabelled_pictures_are_unavailable():
    with pytest.raises(Unavailable, match="19 labelled"):
        judged(19, range(10))
    with pytest.raises(NotApplicable, match="label"):
        LabelPermutation().judge(predicted([-1] * 50, [0] * 50))


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(9)))
def test_cycles_are_those_of_the_permutation(order):
    cycles = list(cycles_of(np.array(order)))
    assert sorted(label for cycle in cycles for label in cycle) == [
        label for label in range(9) if order[label] != label
    ]
    for cycle in cycles:
        assert [order[label] for label in cycle] == [*cycle[1:], cycle[0]]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_the_place_within_a_label_counts_the_earlier_ones(label):
    expected = [label[:place].count(one) for place, one in enumerate(label)]
    assert within_labels(np.array(label)).tolist() == expected


@pytest.mark.parametrize("outputs", [1, 2, 3, 12])
def test_orders_are_permutations_other_than_the_identity(outputs):
    for _, order in orders(outputs, tuple(str(output % 5) for output in range(outputs))):
        assert sorted(order.tolist()) == list(range(outputs))
        assert (order != np.arange(outputs)).any()
