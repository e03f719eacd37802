"""Damaged pictures are left out and listed; too many of them end the pass."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from audit.config import DataSection, ModelSection
from audit.data.damage import Damaged, Damages, PictureError
from audit.data.images import Images, label_index, open_images
from audit.data.preprocess import batches
from audit.errors import DataError

SECTION = ModelSection(name="m", factory="m.py:m", input=(1, 2, 2))


def folder(root: Path, count: int, *broken: int) -> Images:
    for index in range(count):
        Image.new("L", (2, 2), index).save(root / f"{index:02}.png")
    for index in broken:
        (root / f"{index:02}.png").write_bytes(b"no picture")
    return open_images(DataSection(folder="."), root)


def passed(images: Images, damages: Damages, size: int = 3) -> list[tuple[list[int], list[int]]]:
    """(indices, gray values) of every batch."""
    return [
        (list(part), (pixels[:, 0, 0, 0] * 255).round().int().tolist())
        for pixels, part in batches(images, range(len(images)), SECTION, size, damages=damages)
    ]


def test_a_damaged_picture_is_left_out_of_its_batch_and_moves_no_other(tmp_path: Path) -> None:
    images = folder(tmp_path, 10, 1, 6, 7, 8)
    damages = Damages(10, 50)
    assert passed(images, damages) == [([0, 2], [0, 2]), ([3, 4, 5], [3, 4, 5]), ([9], [9])]
    assert [(damaged.index, damaged.name) for damaged in damages] == [
        (1, "01.png"),
        (6, "06.png"),
        (7, "07.png"),
        (8, "08.png"),
    ]
    assert all("its contents are no JPEG" in damaged.reason for damaged in damages)


def test_the_list_becomes_a_table_and_is_judged_again_by_todays_limit(tmp_path: Path) -> None:
    images = folder(tmp_path, 10, 2, 5)
    damages = Damages(10, 20)
    passed(images, damages)
    table = damages.table()
    assert table.name == "damaged"
    assert table.columns["image"].tolist() == [2, 5]
    assert table.columns["name"].tolist() == ["02.png", "05.png"]
    assert list(Damages.of(table, 10, 20)) == list(damages)
    with pytest.raises(DataError, match="2 damaged pictures so far; of 10 no more than 1"):
        Damages.of(table, 10, 19)
    assert Damages(10, 20).table().rows == 0
    assert list(Damages.of(Damages(10, 20).table(), 10, 0)) == []


def test_too_many_end_the_pass_with_the_first_of_them(tmp_path: Path) -> None:
    images = folder(tmp_path, 30, *range(12, 26))
    with pytest.raises(DataError, match="12 damaged pictures so far; of 30 no more than 11 may be") as raised:
        passed(images, Damages(30, 39.9))
    text = str(raised.value)
    assert [f'"{index}.png"' in text for index in range(12, 26)] == [True] * 10 + [False] * 4
    assert text.endswith("and 2 more")


@pytest.mark.parametrize(
    ("pictures", "percent", "allowed"),
    [(1000, 1, 10), (1099, 1, 10), (50, 1, 1), (50, 0, 0), (7, 100, 7), (1_000_000, 0.0001, 1)],
)
def test_so_many_may_be_damaged(pictures: int, percent: float, allowed: int) -> None:
    damages = Damages(pictures, percent)
    for index in range(allowed):
        damages.note(Damaged(index, f"{index}", "broken"))
    with pytest.raises(DataError, match=f"of {pictures} no more than {allowed}"):
        damages.note(Damaged(allowed, "last", "broken"))


def test_where_no_picture_can_be_shown_the_pass_fails_whatever_the_limit(tmp_path: Path) -> None:
    images = folder(tmp_path, 3, 0, 1, 2)
    with pytest.raises(DataError, match="none of the 3 pictures can be shown"):
        passed(images, Damages(3, 100))


def test_who_keeps_no_list_gets_the_error(tmp_path: Path) -> None:
    images = folder(tmp_path, 4, 2)
    with pytest.raises(PictureError, match=r'cannot show the picture "02\.png"'):
        list(batches(images, range(4), SECTION, 4))


FACTORY = """
import io
from pathlib import Path
import numpy as np
import torch
from PIL import Image

def lazy():
    return Image.open(io.BytesIO(Path(__file__).with_name("half.jpg").read_bytes()))

class Pictures:
    def __init__(self):
        self.asked = []
    def __len__(self):
        return 8
    def __getitem__(self, index):
        self.asked.append(index)
        if index == 1:
            raise RuntimeError("no such\\nslide")
        if index == 5 and self.asked.count(5) > 1:
            return torch.zeros(1, 2, 2), 5
        return {
            2: torch.full((1, 2, 2), torch.nan),
            3: np.zeros((2, 2), np.float32),
            4: np.zeros((0, 2), np.uint8),
            5: None,
            6: lazy() if index == 6 else None,
        }.get(index, torch.full((1, 2, 2), index / 255)), index

def pictures():
    return Pictures()
"""


def test_what_a_factory_cannot_make_is_damaged_for_the_whole_run(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(FACTORY)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "a.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:1500])
    images = open_images(DataSection(factory="data.py:pictures"), tmp_path)
    assert images.fingerprint()
    labels = label_index(images, (), 8)
    assert labels == {index: index for index in (0, 2, 3, 4, 5, 7)}  # 1 and 6 never came with their labels
    damages = Damages(8, 80)
    assert [part for part, _ in passed(images, damages)] == [[0], [5], [7]]
    reasons = {damaged.index: damaged.reason for damaged in damages}
    assert reasons[1] == "the data factory failed: RuntimeError: no such slide"
    assert "values from nan to nan" in reasons[2]
    assert "float32 of shape (2, 2, 1)" in reasons[3]
    assert "no pixels" in reasons[4]
    assert "truncated" in reasons[6]
    assert set(reasons) == {1, 2, 3, 4, 6}


def test_the_rest_of_a_batch_is_what_it_was_without_the_damaged(tmp_path: Path) -> None:
    whole = folder(tmp_path, 6)
    ((before, _),) = batches(whole, range(6), SECTION, 6)
    damaged = folder(tmp_path, 6, 3)
    ((after, part),) = batches(damaged, range(6), SECTION, 6, damages=Damages(6, 50))
    torch.testing.assert_close(after, before[list(part)], rtol=0, atol=0)
