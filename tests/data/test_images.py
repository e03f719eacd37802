"""Pictures by index: found, named, labelled, and a fingerprint that changes with them and only with them."""

import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from audit import events
from audit.config import DataSection
from audit.data.damage import PictureError
from audit.data.images import Images, label_index, open_images
from audit.data.made import Made
from audit.errors import DataError, SectionError


def picture(value: int, size: tuple[int, int] = (6, 5)) -> Image.Image:
    return Image.fromarray(np.full((*size, 3), value, np.uint8))


def folder(root: Path, *names: str) -> Path:
    """A picture file for each name; each is of another gray."""
    for value, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture(10 * value).save(root / name)
    return root


def opened(root: Path, limit: int | None = None) -> Images:
    return open_images(DataSection(folder=str(root), limit=limit), Path("elsewhere"))


def named(images: Images) -> list[str]:
    return [images.name(index) for index in range(len(images))]


def labelled(images: Images) -> list[object]:
    return [images.label(index) for index in range(len(images))]


FACTORY = """
import numpy as np
import torch
from PIL import Image

class Listed(list):
    pass

def gray(value):
    return Image.new("RGB", (4, 3), (value, value, value))

def pictures(**options):
    count, kind, labels = options.get("count", 4), options.get("kind", "pil"), options.get("labels")
    made = {
        "pil": gray,
        "array": lambda value: np.asarray(gray(value)),
        "tensor": lambda value: torch.full((3, 3, 4), value / 255),
    }[kind]
    shown = [made(options.get("first", 0) + index) for index in range(count)]
    return Listed(shown if labels is None else zip(shown, [label_of(label) for label in labels]))

def label_of(label):
    return torch.tensor(label) if isinstance(label, int) else label

class Raising:
    def __len__(self):
        return 3
    def __getitem__(self, index):
        if index == 1:
            raise OSError("the disk is gone")
        return gray(index), index

def raising():
    return Raising()

class Targeted:
    targets = torch.arange(100)
    def __init__(self, lying):
        self.lying, self.asked = lying, []
    def __len__(self):
        return 100
    def __getitem__(self, index):
        self.asked.append(index)
        return gray(index), (index + self.lying) % 100

def targeted(lying):
    return Targeted(lying)

def number():
    return 5

def nothing():
    return []
"""


def from_factory(root: Path, function: str = "pictures", limit: int | None = None, **arguments: Any) -> Images:
    (root / "data.py").write_text(FACTORY)
    return open_images(DataSection(factory=f"data.py:{function}", arguments=arguments, limit=limit), root)


# Folders


def test_the_first_folder_of_a_picture_is_its_class(tmp_path: Path) -> None:
    images = opened(folder(tmp_path, "dog/1.png", "cat/2.jpg", "cat/deep/3.bmp", "flat.png"))
    assert named(images) == ["cat/2.jpg", "cat/deep/3.bmp", "dog/1.png", "flat.png"]
    assert labelled(images) == ["cat", "cat", "dog", None]


def test_only_picture_files_are_pictures(tmp_path: Path) -> None:
    folder(tmp_path, "a/1.png", "a/2.JPG", "a/.hidden.png", ".thumbs/3.png")
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    (tmp_path / "a" / "folder.png").mkdir()
    assert named(opened(tmp_path)) == ["a/1.png", "a/2.JPG"]


def test_linked_class_folders_are_followed_and_circles_are_not(tmp_path: Path) -> None:
    folder(tmp_path / "store", "cat/1.png", "dog/2.png")
    root = folder(tmp_path / "data", "bird/3.png")
    (root / "cat").symlink_to(tmp_path / "store" / "cat")
    (root / "bird" / "again").symlink_to(root)
    assert named(opened(root)) == ["bird/3.png", "cat/1.png"]


def test_a_missing_folder_and_one_without_pictures_are_named(tmp_path: Path) -> None:
    with pytest.raises(SectionError, match=r"there is no folder .*nowhere"):
        opened(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SectionError, match=r"no pictures in .*empty.*\.jpg") as raised:
        opened(tmp_path / "empty")
    assert raised.value.option == "folder"


def test_a_picture_that_vanished_is_named_and_changes_the_fingerprint(tmp_path: Path) -> None:
    images = opened(folder(tmp_path, "cat/1.png", "cat/2.png"))
    before = images.fingerprint()
    (tmp_path / "cat" / "2.png").unlink()
    with pytest.raises(PictureError, match=r'cannot show the picture "cat/2\.png": there is no such file'):
        images.picture(1)
    assert images.fingerprint() != before


def test_of_an_animation_the_first_frame_is_shown(tmp_path: Path) -> None:
    for name in ("film.gif", "film.tif"):
        picture(40).save(tmp_path / name, save_all=True, append_images=[picture(200)])
    images = opened(tmp_path)
    for index in range(2):
        assert set(np.asarray(images.picture(index).convert("RGB")).flat) == {40}


# Factories


@pytest.mark.parametrize("kind", ["pil", "array", "tensor"])
def test_a_factory_gives_pictures_of_any_kind_with_and_without_labels(tmp_path: Path, kind: str) -> None:
    images = from_factory(tmp_path, kind=kind, labels=[2, "cat", None, 0], first=7)
    assert labelled(images) == [2, "cat", None, 0]
    assert all(type(label) is not torch.Tensor for label in labelled(images))
    assert named(images) == ["picture 0", "picture 1", "picture 2", "picture 3"]
    shown = images.picture(3)
    values = 255 * shown if isinstance(shown, torch.Tensor) else np.asarray(shown)
    assert float(values.max()) == pytest.approx(10)
    assert labelled(from_factory(tmp_path, kind=kind)) == [None] * 4


def test_a_picture_that_a_factory_cannot_make_is_named(tmp_path: Path) -> None:
    images = from_factory(tmp_path, "raising")
    assert images.label(0) == 0
    with pytest.raises(PictureError, match='"picture 1": the data factory failed: OSError: the disk is gone'):
        images.picture(1)
    assert images.label(1) is None
    assert images.fingerprint() == from_factory(tmp_path, "raising").fingerprint()


def test_a_datasets_own_targets_are_its_labels_where_they_are_what_it_gives(tmp_path: Path) -> None:
    for lying in (False, True):
        images = from_factory(tmp_path, "targeted", lying=lying)
        assert isinstance(images, Made)
        images.dataset.asked.clear()
        assert label_index(images, (), 100) == {index: (index + lying) % 100 for index in range(100)}
        assert len(images.dataset.asked) == (100 if lying else 0)


def test_a_factory_must_return_pictures(tmp_path: Path) -> None:
    with pytest.raises(SectionError, match="returned a int; it must return a Dataset"):
        from_factory(tmp_path, "number")
    with pytest.raises(SectionError, match="without pictures"):
        from_factory(tmp_path, "nothing")


@pytest.mark.parametrize("label", [2.5, [0, 1], {"cat": 1}])
def test_a_label_is_an_index_or_a_name(tmp_path: Path, label: object) -> None:
    with pytest.raises(DataError, match=r"picture 1 .* has the label .*index of an output"):
        from_factory(tmp_path, labels=["cat", label, "dog", "dog"]).label(1)


# Limit


def test_a_limit_takes_pictures_evenly_spread(tmp_path: Path) -> None:
    folder(tmp_path, *(f"{index:02}.png" for index in range(10)))
    assert named(opened(tmp_path, limit=5)) == ["00.png", "02.png", "04.png", "06.png", "08.png"]
    assert named(opened(tmp_path, limit=3)) == ["00.png", "03.png", "06.png"]
    assert named(opened(tmp_path, limit=99)) == named(opened(tmp_path))
    assert np.asarray(opened(tmp_path, limit=5).picture(2)).max() == 40
    assert len(from_factory(tmp_path, limit=2)) == 2
    assert labelled(from_factory(tmp_path, limit=2, labels=[5, 6, 7, 8])) == [5, 7]


# Fingerprints


def test_a_folders_fingerprint_changes_with_content_and_name_only(tmp_path: Path) -> None:
    before = opened(folder(tmp_path / "one", "cat/1.png", "dog/2.png")).fingerprint()
    assert opened(folder(tmp_path / "two", "cat/1.png", "dog/2.png")).fingerprint() == before
    (tmp_path / "two" / "notes.txt").write_text("no picture")
    (tmp_path / "two" / "cat" / "1.png").touch()
    assert opened(tmp_path / "two").fingerprint() == before
    picture(11).save(tmp_path / "two" / "dog" / "2.png")
    assert opened(tmp_path / "two").fingerprint() != before
    (tmp_path / "one" / "dog").rename(tmp_path / "one" / "wolf")
    assert opened(tmp_path / "one").fingerprint() != before


def test_a_limited_fingerprint_is_that_of_the_pictures_that_are_used(tmp_path: Path) -> None:
    before = opened(folder(tmp_path, "0.png", "1.png", "2.png", "3.png"), limit=2).fingerprint()
    assert before != opened(tmp_path).fingerprint()
    picture(99).save(tmp_path / "1.png")
    assert opened(tmp_path, limit=2).fingerprint() == before
    picture(99).save(tmp_path / "2.png")
    assert opened(tmp_path, limit=2).fingerprint() != before


@pytest.mark.parametrize("kind", ["pil", "array", "tensor"])
def test_a_factorys_fingerprint_changes_with_any_picture_and_any_label(tmp_path: Path, kind: str) -> None:
    def made(**arguments: Any) -> str:
        return from_factory(tmp_path, kind=kind, **arguments).fingerprint()

    assert made() == made(count=4)
    others = [made(), made(first=1), made(count=5), made(labels=[0, 1, 2, 3]), made(labels=[0, 1, 2, 4])]
    assert len(set(others)) == len(others)


def test_one_picture_among_many_changes_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "numbers.txt").write_text(" ".join(map(str, range(40))))
    (tmp_path / "data.py").write_text(
        "from pathlib import Path\nimport numpy as np\n"
        "def pictures():\n"
        "    numbers = Path(__file__).with_name('numbers.txt').read_text().split()\n"
        "    return [np.full((2, 2, 3), int(number), np.uint8) for number in numbers]\n"
    )
    section = DataSection(factory="data.py:pictures")
    before = open_images(section, tmp_path).fingerprint()
    assert open_images(section, tmp_path).fingerprint() == before
    (tmp_path / "numbers.txt").write_text(" ".join(map(str, [*range(17), 200, *range(18, 40)])))
    assert open_images(section, tmp_path).fingerprint() != before


# Labels


def test_class_folders_are_found_by_whole_label_and_by_first_word(tmp_path: Path) -> None:
    images = opened(folder(tmp_path, "n02 dog/1.png", "n01/2.png", "3.png"))
    assert named(images) == ["3.png", "n01/2.png", "n02 dog/1.png"]
    assert label_index(images, ["n02 dog", "n01 tench, Tinca tinca", "n03"], 3) == {1: 1, 2: 0}


def test_without_labels_the_sorted_folders_are_the_outputs(tmp_path: Path) -> None:
    images = opened(folder(tmp_path, "b/1.png", "a/2.png", "b/3.png", "c/4.png"))
    assert label_index(images, (), 3) == {0: 0, 1: 1, 2: 1, 3: 2}
    with pytest.raises(DataError, match="3 class folders for 10 outputs: give the model its `labels`"):
        label_index(images, (), 10)


def test_a_class_that_is_no_label_is_named(tmp_path: Path) -> None:
    images = opened(folder(tmp_path, "cat/1.png", "wolf/2.png"))
    with pytest.raises(DataError, match=r'"wolf" \(1 of 2 folders are unknown\); the labels begin "cat"'):
        label_index(images, ["cat", "dog"], 2)


def test_a_class_that_fits_two_labels_is_no_guess(tmp_path: Path) -> None:
    images = opened(folder(tmp_path, "great/1.png"))
    labels = ["great white shark", "great grey owl"]
    with pytest.raises(DataError, match=r'"great" may be output 0 \("great white shark"\) or 1 \("great grey owl"\)'):
        label_index(images, labels, 2)
    assert label_index(images, [*labels, "great"], 3) == {0: 2}


def test_an_index_that_is_no_output_is_named(tmp_path: Path) -> None:
    for wrong in (4, -1):
        with pytest.raises(DataError, match=f'"picture 2" has the label {wrong}; the model has 4 outputs'):
            label_index(from_factory(tmp_path, labels=[0, 3, wrong, 1]), (), 4)


def test_ten_thousand_classes_are_looked_up_at_once(tmp_path: Path) -> None:
    """Each in all labels would be a hundred million comparisons."""
    rows = "".join(f"{index % 100}.png,n{index:05}\n" for index in reversed(range(10_000)))
    (tmp_path / "list.csv").write_text("path,label\n" + rows)
    images = open_images(DataSection(list="list.csv"), tmp_path)
    labels = [f"n{index:05} some kind of thing" for index in range(10_000)]
    assert label_index(images, labels, 10_000) == {index: 9_999 - index for index in range(10_000)}


class Heard(events.Silence):
    """What a listener was told."""

    def __init__(self) -> None:
        self.total, self.steps = 0, 0

    def begin(self, work: str, total: int) -> None:
        self.total = total

    def advance(self, work: str, steps: int) -> None:
        self.steps += steps


def test_the_fingerprint_says_how_far_it_is(tmp_path: Path) -> None:
    heard = Heard()
    images = opened(folder(tmp_path, "1.png", "2.png", "3.png"))
    assert images.fingerprint(heard) == images.fingerprint()
    assert (heard.total, heard.steps) == (3, 3)


def test_pictures_without_labels_have_none(tmp_path: Path) -> None:
    assert label_index(from_factory(tmp_path), (), 4) == {}
    assert label_index(opened(folder(tmp_path, "1.png")), ["a", "b"], 2) == {}


# Sources


def test_the_same_pictures_are_the_same_from_every_source(tmp_path: Path) -> None:
    folder(tmp_path, *(f"{'ab'[index % 2]}/{index}.png" for index in range(5)))
    whole = opened(tmp_path)
    names = named(whole)
    (tmp_path / "list.csv").write_text("path,label\n" + "".join(f"{name},{name[0]}\n" for name in names))
    with tarfile.open(tmp_path / "shard.tar", "w") as shard:
        for name in names:
            shard.add(tmp_path / name, name)
            (tmp_path / "label.cls").write_text(name[0])
            shard.add(tmp_path / "label.cls", name.replace(".png", ".cls"))
    for section in (DataSection(list="list.csv"), DataSection(shards="shard.tar")):
        images = open_images(section, tmp_path)
        assert [name.removeprefix("shard.tar/") for name in named(images)] == names
        assert label_index(images, (), 2) == label_index(whole, (), 2)
        for index in range(5):
            np.testing.assert_array_equal(np.asarray(images.picture(index)), np.asarray(whole.picture(index)))
