"""People's labels against the model's: a table counted by hand, and the files that they are in."""

import numpy as np
import pytest

from audit.checks.evidence import Evidence
from audit.checks.human_agreement import HumanAgreement, kappa
from audit.errors import DataError, NotApplicable
from tests.checks.predicted import predicted

LABELS = ("n01 cat", "n02 dog", "n03 fish")

ANSWERS = """picture,label,annotator
a/0.jpg,n01,ann
a/0.jpg,n01 cat,bob
1.jpg,dog of no class,ann
2.jpg,1,ann
2.jpg,2,ann
3.jpg,2,bob
4.jpg,0,bob
unknown.jpg,0,bob
"""
GOOD = ANSWERS.replace("dog of no class", "n02 dog")


def asked(tmp_path, text: str = GOOD, **more) -> Evidence:
    """Five pictures of cat, dog, fish, fish, dog; the model says cat, dog, dog, fish, cat, the label being its
    first, first, seventh, first and second guess."""
    (tmp_path / "people.csv").write_text(text, encoding="utf-8")
    names = ["a/0.jpg", "a/1.jpg", "a/2.jpg", "b/3.jpg", "b/4.jpg"]
    fields = {"outputs": 3, "names": names, "labels": LABELS, "folder": tmp_path} | more
    return predicted([0, 1, 2, 2, 1], [0, 1, 1, 2, 0], [0.9, 0.8, 0.7, 0.6, 0.5], rank=[0, 0, 6, 0, 1], **fields)


def test_agreement_is_what_a_count_by_hand_gives(tmp_path):
    """Six answers: ann 0 cat, bob 0 cat, ann 1 dog, ann 2 dog (then fish), bob 3 fish, bob 4 cat: as the model."""
    judgement = HumanAgreement(labels="people.csv", at_least=90).judge(asked(tmp_path))
    assert judgement.measured == 100
    assert judgement.passed
    assert judgement.findings == ()
    assert "6 answers of people on 5 pictures (kappa 1.00)" in judgement.message
    # against the labels cat cat dog fish fish dog, people and model err on pictures 2 and 4: 2 of 6 answers; of five
    # guesses ann has fish for picture 2, the model has dog for picture 4
    assert "people err on 33.3% and the model on 33.3%, with five guesses on 16.7% and 16.7%" in judgement.message


def test_a_model_that_people_contradict_fails_and_says_where(tmp_path):
    text = GOOD.replace("a/0.jpg,n01,ann", "a/0.jpg,n03,ann").replace("3.jpg,2", "3.jpg,0")
    judgement = HumanAgreement(labels="people.csv", at_least=70).judge(asked(tmp_path, text))
    assert judgement.measured == pytest.approx(100 * 4 / 6)
    assert not judgement.passed
    assert [finding.message for finding in judgement.findings] == [
        'a/0.jpg: people say "n03 fish", the model "n01 cat" (90%)',
        'b/3.jpg: people say "n01 cat", the model "n03 fish" (60%)',
    ]


def test_kappa_is_cohens():
    """20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: agreement 0.7, chance 0.5, kappa 0.4."""
    ours = np.array([1] * 25 + [0] * 25)
    theirs = np.array([1] * 20 + [0] * 5 + [1] * 10 + [0] * 15)
    assert kappa(ours, theirs) == pytest.approx(0.4)
    assert kappa(ours, ours) == 1
    assert np.isnan(kappa(np.zeros(5, int), np.zeros(5, int)))


def test_without_labels_of_the_pictures_people_and_model_are_still_compared(tmp_path):
    evidence = asked(tmp_path)
    evidence.table("predictions").columns["label"][:] = -1
    judgement = HumanAgreement(labels="people.csv", at_least=90).judge(evidence)
    assert judgement.passed
    assert "err on" not in judgement.message


def test_an_answer_of_a_model_that_is_not_finite_agrees_with_nobody(tmp_path):
    evidence = asked(tmp_path)
    evidence.table("predictions").columns["predicted"][:] = -1
    assert HumanAgreement(labels="people.csv", at_least=1).judge(evidence).measured == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ANSWERS, r'people\.csv:4: "dog of no class" is no label of the model'),
        ("picture,label\n1.jpg,3\n", r'people\.csv:2: "3" is no label'),
        ("picture,lable\n1.jpg,2\n", r'people\.csv:1: there is no column "label"; did you mean "lable"'),
        ("picture,label\n1.jpg,2,3\n", r"people\.csv:2: 3 values for 2 columns"),
    ],
)
def test_mistakes_in_the_file_are_said_with_their_line(tmp_path, text, said):
    with pytest.raises(DataError, match=said):
        HumanAgreement(labels="people.csv", at_least=1).judge(asked(tmp_path, text))


def test_a_file_of_other_pictures_says_nothing(tmp_path):
    with pytest.raises(NotApplicable, match="nothing of the pictures"):
        HumanAgreement(labels="people.csv", at_least=1).judge(asked(tmp_path, "picture,label\nother.jpg,1\n"))


def test_a_missing_file_is_said_before_anything_runs(tmp_path):
    ((option, message),) = HumanAgreement(labels="people.csv", at_least=1).problems(tmp_path)
    assert option == "labels"
    assert '"people.csv"' in message
