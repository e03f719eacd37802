"""What is wrong with the lab's pictures, and nothing else."""

import numpy as np
import pytest
from PIL import Image

from audit.demo.generator import CLASSES, DemoPictures
from tests.defects.pictures import Labelled, pictures

COUNT = 60


def plain() -> Labelled:
    return pictures("demo", COUNT)


def spoilt(defect: str, strength: float) -> Labelled:
    return pictures("demo", COUNT, defect, strength, seed=7)


def pixels(whole: Labelled, index: int) -> np.ndarray:
    return np.asarray(whole[index][0], dtype=float)


def labels(whole: Labelled) -> list[str]:
    return [label for _, label in whole.examples]


def test_without_a_defect_they_are_the_generators():
    made = DemoPictures(count=COUNT, seed=1, split="test")
    assert len(plain()) == COUNT
    assert np.array_equal(np.asarray(plain()[17][0]), made[17][0])
    assert plain()[17][1] == CLASSES[made[17][1]]


def test_darkened_pictures_have_that_part_of_their_brightness():
    for index in range(5):
        assert np.abs(pixels(spoilt("darkened", 0.5), index) - 0.5 * pixels(plain(), index)).max() <= 1
    assert labels(spoilt("darkened", 0.5)) == labels(plain())


def test_blurred_pictures_keep_their_mean_and_lose_their_edges():
    before, after = pixels(plain(), 3), pixels(spoilt("blurred", 3.0), 3)
    assert abs(before.mean() - after.mean()) < 3
    assert np.abs(np.diff(after, axis=0)).mean() < 0.5 * np.abs(np.diff(before, axis=0)).mean()


def test_hard_compression_changes_pictures_more_than_a_mild_one():
    apart = [np.abs(pixels(spoilt("compressed", quality), 3) - pixels(plain(), 3)).mean() for quality in (5, 20, 95)]
    assert apart[0] > apart[1] > apart[2] > 0


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_exactly_that_share_of_the_labels_is_wrong(share):
    wrong = [was != label for was, label in zip(labels(plain()), labels(spoilt("mislabelled", share)), strict=True)]
    assert sum(wrong) == round(share * COUNT)


def test_one_class_is_missing_and_nothing_else():
    missing = set(plain().classes) - set(spoilt("class-missing", 1).classes)
    assert len(missing) == 1
    assert labels(spoilt("class-missing", 1)) == [label for label in labels(plain()) if label not in missing]


def test_photographs_are_spread_over_all_classes(tmp_path):
    for name in ("cat", "dog"):
        for number in range(10):
            path = tmp_path / name / f"{number}.jpg"
            path.parent.mkdir(exist_ok=True)
            Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    spread = pictures(str(tmp_path), 4)
    assert labels(spread) == ["cat", "cat", "dog", "dog"]
    assert len(pictures(str(tmp_path), 99)) == 20


def test_an_unknown_defect_of_pictures_is_named():
    with pytest.raises(LookupError, match='cannot be "wet"; they can be blurred'):
        pictures("demo", 3, "wet")
