"""Accuracy by kinds of pictures: the kind that is worse is found, groups hold every picture once, files are read."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from audit.checks.attributes import Attributes, Group, grouped
from audit.checks.evidence import Evidence
from audit.errors import DataError, NotApplicable, Unavailable
from tests.checks.predicted import predicted

ONE = ("brightness",)


def dark(count: int = 400, lost: float = 0.5, **more) -> Evidence:
    """A model that is right on 90 % of the pictures, but for the darkest fifth, of which it loses a share."""
    random = np.random.default_rng(0)
    brightness = random.permutation(np.linspace(0, 1, count))
    wrong = (random.random(count) < 0.1) | ((brightness < 0.2) & (random.random(count) < lost))
    return predicted(np.zeros(count, int), wrong.astype(int), brightness=brightness, **more)


def test_dark_pictures_that_are_recognised_worse_are_found():
    judgement = Attributes(by=ONE).judge(dark())
    assert not judgement.passed
    assert judgement.measured > 25
    assert judgement.findings[0].message.startswith("brightness 0 to 0.1")
    assert "of 80 pictures are right" in judgement.findings[0].message


def test_a_model_that_is_alike_everywhere_passes():
    for seed in range(10):
        random = np.random.default_rng(seed)
        columns = {name: random.random(300) for name in ("brightness", "contrast", "sharpness", "saturation")}
        evidence = predicted(np.zeros(300, int), (random.random(300) < 0.3).astype(int), **columns)
        assert Attributes().judge(evidence).measured == 0


def test_a_gap_may_be_allowed():
    assert Attributes(by=ONE, at_most=60).judge(dark()).passed


def test_a_gap_among_few_pictures_is_chance():
    label, answer = np.zeros(60, int), np.zeros(60, int)
    answer[:3] = 1
    judgement = Attributes(by=ONE, min_images=5).judge(predicted(label, answer, brightness=np.arange(60.0)))
    assert judgement.passed
    assert "chance" in judgement.message


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0, float("nan"), float("inf")]), min_size=1, max_size=40),
    st.integers(2, 6),
)
def test_every_picture_is_in_one_group(values, bins):
    right = np.arange(len(values)) % 3 == 0
    groups = grouped("brightness", np.array(values), right, bins)
    assert sum(group.count for group in groups) == len(values)
    assert sum(group.right for group in groups) == right.sum()
    for group in groups:
        assert group.count + group.others == len(values)
        assert group.right + group.others_right == right.sum()


def test_equal_values_stay_together():
    groups = grouped("brightness", np.array([0.0] * 70 + [1.0] * 30), np.ones(100, bool), 5)
    assert [group.count for group in groups] == [70, 30]


def test_doubt_is_the_chance_of_so_few_right_ones():
    group = Group("brightness", "low", right=5, count=12, others_right=30, others=40)
    assert group.doubt == pytest.approx(sum(hypergeom.pmf(hit, 52, 35, 12) for hit in range(6)))
    assert group.gap == pytest.approx(100 * (30 / 40 - 5 / 12))


def told(tmp_path, text: str, count: int = 90) -> Evidence:
    """A third of the pictures is always wrong; what kind it is stands in a file."""
    (tmp_path / "kinds.csv").write_text(text, encoding="utf-8")
    names = [f"class/{index}.jpg" for index in range(count)]
    answer = (np.arange(count) % 3 == 1).astype(int)
    return predicted(np.zeros(count, int), answer, names=names, folder=tmp_path, brightness=np.zeros(count))


def lines(count: int = 90) -> str:
    kinds = ("day", "night", "dusk")
    return "".join(f"class/{index}.jpg,{kinds[index % 3]},{index % 3}\n" for index in range(count))


def test_kinds_from_a_file_are_compared(tmp_path):
    check = Attributes(by=("light", "brightness"), csv="kinds.csv")
    judgement = check.judge(told(tmp_path, "picture,light,hour\n" + lines()))
    assert judgement.measured == 100
    assert judgement.findings[0].message.startswith('light "night": 0.0% of 30 pictures are right')


def test_pictures_may_be_named_by_the_last_part_of_their_path_and_be_missing(tmp_path):
    text = "file,light,hour\n" + lines(60).replace("class/", "")
    judgement = Attributes(by=("light",), csv="kinds.csv", picture="file").judge(told(tmp_path, text))
    assert "60" not in judgement.findings[0].message.split(":")[0]
    assert len(judgement.findings) == 1
    assert "of 20 pictures" in judgement.findings[0].message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("picture,lihgt\na,b\n", r'kinds\.csv:1: there is no column "light"; did you mean "lihgt"'),
        ("picture,light\nclass/1.jpg,day\nclass/2.jpg\n", r"kinds\.csv:3: 1 values for 2 columns"),
        ("picture,light\nclass/1.jpg,day\nclass/1.jpg,day\n", r'kinds\.csv:3: "class/1.jpg" has a row already'),
        ("", r"kinds\.csv:1: there is no column"),
        ('picture,light\n"class/1.jpg,day\n', r"cannot read kinds\.csv"),
    ],
)
def test_mistakes_in_the_file_are_said_with_their_line(tmp_path, text, said):
    with pytest.raises(DataError, match=said):
        Attributes(by=("light",), csv="kinds.csv").judge(told(tmp_path, text))


def test_a_name_that_fits_several_pictures_is_a_mistake(tmp_path):
    evidence = told(tmp_path, "picture,light\n0.jpg,day\n")
    columns = dict(evidence.table("predictions").columns)
    columns["name"] = np.array(["a/0.jpg", "b/0.jpg", *columns["name"][2:]])
    tables = {**evidence.tables, "predictions": replace(evidence.table("predictions"), columns=columns)}
    with pytest.raises(DataError, match=r'2 pictures are called "0\.jpg"'):
        Attributes(by=("light",), csv="kinds.csv").judge(replace(evidence, tables=tables))


def test_a_missing_file_is_said_before_anything_runs(tmp_path):
    (tmp_path / "kinds.csv").write_text("")
    ((option, message),) = Attributes(csv="kind.csv").problems(tmp_path)
    assert option == "csv"
    assert 'did you mean "kinds.csv"' in message
    assert not list(Attributes(csv="kinds.csv").problems(tmp_path))
    assert not list(Attributes().problems(tmp_path))


def test_what_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match='no attribute "brigthness"; did you mean "brightness"'):
        Attributes(by=("brigthness",)).judge(dark())
    with pytest.raises(Unavailable, match="no group of 20"):
        Attributes(by=ONE).judge(dark(count=40))
    with pytest.raises(Unavailable, match="60 different values"):
        Attributes(by=("light",)).judge(
            predicted([0] * 60, [0] * 60, light=np.array([f"kind {index}" for index in range(60)]))
        )
    with pytest.raises(NotApplicable, match="label"):
        Attributes().judge(predicted([-1] * 60, [0] * 60, brightness=np.zeros(60)))


def test_answers_that_are_not_finite_are_wrong():
    count = 100
    confidence = np.where(np.arange(count) < 20, np.nan, 0.9)
    judgement = Attributes(by=ONE).judge(
        predicted([0] * count, [0] * count, confidence, brightness=np.arange(float(count)))
    )
    assert judgement.measured == 100
