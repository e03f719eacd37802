"""CSV lists: paths, labels and attributes, and every mistake with its line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.config import DataSection
from audit.data.damage import PictureError
from audit.data.images import Images, leads_somewhere, open_images
from audit.errors import SectionError


def listed(root: Path, text: str, limit: int | None = None) -> Images:
    (root / "lists").mkdir(exist_ok=True)
    (root / "lists" / "all.csv").write_text(text, encoding="utf-8")
    return open_images(DataSection(list="lists/all.csv", limit=limit), root)


def pictures(root: Path, *names: str) -> None:
    for value, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (3, 2), (value, value, value)).save(root / name)


LIST = '\ufeffpath,label,age,place,note\r\nb.png,1,30,"Ulm, south",\r\n\r\nsub/a.png,0,,Bonn,\r\nb.png,,2.5,,\r\n'


def test_a_list_gives_pictures_labels_and_attributes_in_its_order(tmp_path: Path) -> None:
    pictures(tmp_path / "lists", "b.png", "sub/a.png")
    images = listed(tmp_path, LIST)
    assert [images.name(index) for index in range(len(images))] == ["b.png", "sub/a.png", "b.png"]
    assert [images.label(index) for index in range(3)] == [1, 0, None]
    assert [int(np.asarray(images.picture(index)).max()) for index in range(3)] == [0, 1, 0]
    columns = images.columns()
    np.testing.assert_array_equal(columns["age"], [30, np.nan, 2.5])
    assert columns["place"].tolist() == ["Ulm, south", "Bonn", ""]
    assert columns["note"].tolist() == ["", "", ""]
    assert listed(tmp_path, LIST, limit=2).columns()["place"].tolist() == ["Ulm, south", "Bonn"]


def test_labels_are_indices_only_if_all_of_them_are(tmp_path: Path) -> None:
    images = listed(tmp_path, "path,label\na.png,7\nb.png,cat\nc.png,-1\n")
    assert [images.label(index) for index in range(3)] == ["7", "cat", "-1"]
    assert listed(tmp_path, "path,label\na.png,07\n").label(0) == 7
    assert listed(tmp_path, "label,path\n,a.png\n").label(0) is None
    assert listed(tmp_path, "path\na.png\n").label(0) is None


def test_a_listed_picture_that_is_not_there_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r'"gone\.png": there is no such file'):
        listed(tmp_path, "path\ngone.png\n").picture(0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r'all\.csv", line 1: is empty'),
        ("path,label\n", "line 1: lists no pictures"),
        ("paths,label\na.png,1\n", 'line 1: no column "path"; did you mean "paths"'),
        ("path,label,label\na.png,1,1\n", 'line 1: column 3 is a second "label"'),
        ("path,,label\na.png,1,1\n", "line 1: column 2 has no name"),
        ("path,width\na.png,1\n", 'line 1: column "width": every picture has a measured "width"'),
        ("path,label\na.png,1\n\nb.png\n", "line 4: 1 columns where the first line has 2"),
        ('path,label\n"a\nb.png",1,2\n', "line 3: 3 columns where the first line has 2"),
        ("path,label\na.png,1\n,2\n", 'line 3: column "path": a picture without a path'),
        ("path,age\na.png,1\nb.png,inf\n", 'line 3: column "age": nothing compares with infinity'),
        ('path,label\n"a.png"b,1\n', "line 2: is not CSV"),
        ('path,label\n"a.png,1\n', "line 2: is not CSV"),
    ],
)
def test_a_mistake_in_a_list_is_said_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SectionError, match=message) as raised:
        listed(tmp_path, text)
    assert raised.value.option == "list"


def test_a_list_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    section = DataSection(list="no.csv")
    assert not leads_somewhere(section, tmp_path)
    with pytest.raises(SectionError, match=r'cannot read the list ".*no\.csv": No such file'):
        open_images(section, tmp_path)
    (tmp_path / "no.csv").write_bytes("path\nmüde.png\n".encode("latin-1"))
    assert leads_somewhere(section, tmp_path)
    with pytest.raises(SectionError, match="is not UTF-8 text"):
        open_images(section, tmp_path)


def test_the_fingerprint_changes_with_every_cell_and_every_picture(tmp_path: Path) -> None:
    pictures(tmp_path / "lists", "a.png", "b.png", "c.png")
    base = "path,label,age\na.png,1,30\nb.png,2,40\n"
    before = listed(tmp_path, base).fingerprint()
    assert listed(tmp_path, base).fingerprint() == before
    others = [base.replace(*change) for change in (("b.png", "c.png"), (",2,", ",3,"), ("40", "41"), ("age", "size"))]
    assert len({before, *(listed(tmp_path, text).fingerprint() for text in others)}) == 5
    Image.new("RGB", (3, 2), (9, 9, 9)).save(tmp_path / "lists" / "b.png")
    assert listed(tmp_path, base).fingerprint() != before
