"""What people know of pictures, from a CSV file: columns become concepts, and mistakes are said with their line."""

from pathlib import Path

import numpy as np
import pytest

from audit.config import DataSection
from audit.data.concepts import Concepts, of_labels, read_concepts
from audit.data.images import open_images
from audit.data.source import Images
from audit.errors import DataError


@pytest.fixture
def images(tmp_path: Path) -> Images:
    for name in ("a/one.png", "a/two.png", "b/one.png", "b/three.png"):
        (tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pictures" / name).touch()
    return open_images(DataSection(folder="pictures"), tmp_path)


def read(folder: Path, images: Images, text: str) -> Concepts:
    (folder / "concepts.csv").write_text(text, encoding="utf-8")
    return read_concepts(folder / "concepts.csv", images)


def test_columns_are_concepts_and_kinds_are_concepts_each(tmp_path: Path, images: Images) -> None:
    found = read(
        tmp_path,
        images,
        "picture,striped,kind\na/one.png,1,dog\ntwo.png,No,cat\nthree.png,,dog\nelsewhere.png,yes,bird\n",
    )
    assert found.names == ("striped", "kind = cat", "kind = dog")
    striped, kind = found.groupings
    assert (striped.group.tolist(), striped.targets) == ([0, 1, -1, -1], 1)
    assert (kind.group.tolist(), kind.targets) == ([1, 0, -1, 1], 2)
    assert {name: column.tolist() for name, column in found.table().columns.items()} == {
        "name": ["striped", "kind = cat", "kind = dog"],
        "pictures": [1, 1, 2],
        "known": [2, 3, 3],
    }


def test_numbers_that_are_not_all_zero_or_one_are_kinds(tmp_path: Path, images: Images) -> None:
    assert read(tmp_path, images, "picture,digit\na/one.png,0\ntwo.png,1\nthree.png,7\n").names == (
        "digit = 0",
        "digit = 1",
        "digit = 7",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", '1: there is no column "picture"'),
        ("picture,striped\n", "1: there is no row"),
        ("picture\na/one.png\n", '1: there is no column but "picture"'),
        ("picture,kind,kind\na/one.png,a,b\n", '1: there are two columns "kind"'),
        ("picture,striped\na/one.png,1\na/one.png,0\n", '3: "a/one.png" has a row already'),
        ("picture,striped\ntwo.png,1\n\nb/one.png\n", "4: 1 values for 2 columns"),
        ("picture,striped\ntwo.png,1\none.png,0\n", '3: 2 pictures are called "one.png"'),
        ("picture,striped\nx.png,1\ny.png,0\n", '2: there is no picture "x.png", nor any of those below'),
        ("picture,striped\na/one.png,1\ntwo.png,0\nthree.png,perhaps\n", '4: column "striped": "perhaps" is neither'),
    ],
)
def test_a_mistake_is_said_with_file_and_line(tmp_path: Path, images: Images, text: str, said: str) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path, images, text)
    assert str(error.value).startswith(f"concepts.csv:{said}")


def test_names_of_pictures_are_no_kinds(tmp_path: Path) -> None:
    np.save(tmp_path / "pixels.npy", np.zeros((30, 4, 4, 3), np.uint8))
    (tmp_path / "made.py").write_text(
        "from pathlib import Path\nimport numpy as np\n\ndef made():\n"
        "    return list(np.load(Path(__file__).with_name('pixels.npy')))\n"
    )
    images = open_images(DataSection(factory="made.py:made"), tmp_path)
    rows = "\n".join(f"picture {index},name {index}" for index in range(30))
    with pytest.raises(DataError, match=r'concepts.csv:2: column "title" has 30 values for 30 pictures'):
        read(tmp_path, images, f"picture,title\n{rows}\n")


def test_labels_are_one_grouping() -> None:
    grouping = of_labels({0: 2, 3: 1}, 4, 5)
    assert (grouping.group.tolist(), grouping.targets) == ([2, -1, -1, 1, -1], 4)
