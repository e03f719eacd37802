"""Tar shards: found, indexed, read by index from several threads; damaged ones are named."""

import gzip
import io
import json
import os
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image

from audit.config import DataSection
from audit.data.damage import PictureError
from audit.data.images import Images, leads_somewhere, open_images
from audit.errors import SectionError


def png(value: int, size: tuple[int, int] = (4, 3)) -> bytes:
    contents = io.BytesIO()
    Image.new("L", size, value).save(contents, "PNG")
    return contents.getvalue()


def tar(*members: tuple[str, bytes], mtime: float = 1, format: int = tarfile.PAX_FORMAT) -> bytes:
    contents = io.BytesIO()
    with tarfile.open(fileobj=contents, mode="w", format=format) as file:
        for name, inside in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(inside), mtime
            file.addfile(info, io.BytesIO(inside))
    return contents.getvalue()


def opened(shards: str | tuple[str, ...], root: Path = Path("/"), limit: int | None = None) -> Images:
    return open_images(DataSection(shards=shards, limit=limit), root)


def grays(images: Images) -> list[int]:
    return [int(np.asarray(images.picture(index)).max()) for index in range(len(images))]


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """A file system far from the disk, empty."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def test_a_sample_is_what_shares_its_name_up_to_the_first_dot(tmp_path: Path) -> None:
    members = [
        ("./a/0.1.png", png(90)),  # the sample "a/0" has the ending "1.png", which is no picture's
        ("a/1.png", png(1)),
        ("a/1.cls", b"7\n"),
        ("a/1.seg.png", png(99)),
        ("b/1.cls", b"tench"),
        ("b/1.PNG", png(2)),
        ("2.json", json.dumps({"label": 3, "caption": "a bird"}).encode()),
        ("2.webp", png(3)),
        ("3.txt", b"a caption"),
        ("3.jpg", png(4)),
        ("4.cls", b"1"),
        (".hidden.png", png(98)),
        ("5.json", json.dumps({"label": "dog"}).encode()),
        ("5.bmp", png(5)),
        ("6.json", b"[1, 2]"),
        ("6.gif", png(6)),
    ]
    (tmp_path / "x.tar").write_bytes(tar(*members))
    images = opened("x.tar", tmp_path)
    names = ["a/1.png", "b/1.PNG", "2.webp", "3.jpg", "5.bmp", "6.gif"]
    assert [images.name(index) for index in range(len(images))] == [f"x.tar/{name}" for name in names]
    assert [images.label(index) for index in range(6)] == [7, "tench", 3, None, "dog", None]
    assert grays(images) == [1, 2, 3, 4, 5, 6]
    assert images.columns() == {}


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_tar_is_read(tmp_path: Path, format: int) -> None:
    long = "folder/" + "x" * (90 if format == tarfile.USTAR_FORMAT else 300)
    (tmp_path / "x.tar").write_bytes(tar((f"{long}.png", png(8)), (f"{long}.cls", b"2"), format=format))
    images = opened("x.tar", tmp_path)
    assert (images.name(0), images.label(0), grays(images)) == (f"x.tar/{long}.png", 2, [8])


def test_shards_come_in_the_order_of_braces_and_wildcards(tmp_path: Path) -> None:
    root = tmp_path / "with [brackets]"
    (root / "data").mkdir(parents=True)
    for number in range(12):
        (root / "data" / f"t-{number:03}.tar").write_bytes(tar((f"{number}.png", png(number))))
    assert grays(opened("data/t-{008..011}.tar", root)) == [8, 9, 10, 11]
    assert grays(opened("data/t-*.tar", root)) == list(range(12))
    assert grays(opened(("data/t-{002,000}.tar", "data/t-01?.tar"), root)) == [2, 0, 10, 11]
    assert grays(opened(str(root / "data/t-{002..003}.tar"), Path("elsewhere"))) == [2, 3]
    assert grays(opened("data/t-*.tar", root, limit=3)) == [0, 4, 8]
    with pytest.raises(SectionError, match=r"t-002\.tar\" is named 2 times"):
        opened(("data/t-002.tar", "data/t-*.tar"), root)


def test_shards_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.tar").write_bytes(tar(("1.png", png(1))))
    images = opened("{a,b}/x.tar", tmp_path)
    assert images.name(0).endswith("/a/x.tar/1.png")
    assert images.name(1).endswith("/b/x.tar/1.png")


def test_shards_lie_at_any_address(memory: fsspec.AbstractFileSystem) -> None:
    for number in range(3):
        memory.pipe(f"/bucket/t-{number}.tar", tar((f"{number}.png", png(number)), (f"{number}.cls", b"%d" % number)))
    for pattern in ("memory://bucket/t-{0..2}.tar", "memory://bucket/t-*.tar"):
        images = opened(pattern)
        assert grays(images) == [0, 1, 2]
        assert [images.label(index) for index in range(3)] == [0, 1, 2]
    before = images.fingerprint()
    assert opened(pattern).fingerprint() == before
    memory.pipe("/bucket/t-1.tar", tar(("1.png", png(9)), ("1.cls", b"1")))
    assert opened(pattern).fingerprint() != before


def test_many_threads_read_the_same_shards(tmp_path: Path, memory: fsspec.AbstractFileSystem) -> None:
    sizes = np.random.default_rng(0).integers(1, 40, (300, 2)).tolist()
    members = [(f"{index}.png", png(index % 256, tuple(size))) for index, size in enumerate(sizes)]
    (tmp_path / "here.tar").write_bytes(tar(*members[:150]))
    memory.pipe("/there.tar", tar(*members[150:]))
    images = opened(("here.tar", "memory://there.tar"), tmp_path)
    order = np.random.default_rng(1).permutation(np.tile(np.arange(300), 5)).tolist()
    with ThreadPoolExecutor(max_workers=8) as pool:
        for index, picture in zip(order, pool.map(images.picture, order), strict=True):
            assert picture.size == tuple(sizes[index])
            assert np.asarray(picture).flat[0] == index % 256


def test_a_damaged_picture_inside_a_shard_is_one_picture_and_a_shard_that_shrank_is_many(tmp_path: Path) -> None:
    members = [("1.png", png(1)), ("2.png", png(2)[:50]), ("3.png", b""), ("4.png", png(4))]
    (tmp_path / "x.tar").write_bytes(tar(*members))
    images = opened("x.tar", tmp_path)
    assert int(np.asarray(images.picture(3)).max()) == 4
    for index, reason in ((1, "truncated|broken"), (2, "its contents are no JPEG")):
        with pytest.raises(PictureError, match=rf"x\.tar/{index + 1}\.png.*({reason})"):
            images.picture(index)
    (tmp_path / "x.tar").write_bytes(tar(*members)[:540])
    for index in (0, 3):
        with pytest.raises(PictureError, match="bytes came instead of"):
            images.picture(index)
    (tmp_path / "x.tar").unlink()
    with pytest.raises(PictureError, match="FileNotFoundError"):
        images.picture(0)


WHOLE = tar(*((f"{number}.png", png(number)) for number in range(5)))


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (gzip.compress(WHOLE), "compressed .gzip.*unpack it to a plain .tar"),
        (b"", "no tar file, or a damaged one"),
        (b"this is no archive at all" * 100, "no tar file, or a damaged one"),
        (WHOLE[:1600], "no tar file, or a damaged one: unexpected end of data"),
        (WHOLE[:1024] + b"\x01" * 512 + WHOLE[1536:], "damaged: there is no header at byte 1,024"),
        (WHOLE[:1024] + WHOLE[1024:1200], "damaged: there is no header at byte 1,024"),
        (tar(("1.txt", b"words")), "no pictures in"),
        (tar(), "no pictures in"),
        (tar(("1.png", png(1)), ("1.jpg", png(2))), '"1.png" and "1.jpg" are pictures of one sample'),
        (tar(("1.png", png(1)), ("1.png", png(2))), '"1.png" is in it twice'),
        (tar(("1.png", png(1)), ("1.cls", b" ")), '"1.cls" is empty'),
        (tar(("1.png", png(1)), ("1.cls", b"\xff\xfe\xfd")), '"1.cls" is not UTF-8'),
        (tar(("1.png", png(1)), ("1.json", b"{")), '"1.json" is no JSON'),
        (tar(("1.png", png(1)), ("1.json", b'{"label": 1.5}')), '"1.json" has the label 1.5'),
        (tar(("1.png", png(1)), ("1.json", b'{"label": true}')), '"1.json" has the label True'),
    ],
)
def test_a_shard_that_cannot_be_trusted_is_named(tmp_path: Path, contents: bytes, message: str) -> None:
    (tmp_path / "x.tar").write_bytes(contents)
    with pytest.raises(SectionError, match=rf"x\.tar.*{message}|{message}.*x\.tar") as raised:
        opened("x.tar", tmp_path)
    assert raised.value.option == "shards"


def test_a_tar_that_ends_without_its_empty_blocks_is_whole(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(WHOLE.rstrip(b"\0")[: 5 * 1024].ljust(5 * 1024, b"\0"))
    assert grays(opened("x.tar", tmp_path)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("shards", "message"),
    [
        ("no-{0..1}.tar", r'there is no shard ".*no-0\.tar"'),
        ("no-*.tar", 'no shard matches "no-'),
        ("memory://no-*.tar", 'no shard matches "memory://no-'),
        ("memory://no.tar", 'there is no shard "memory://no.tar"'),
        ("nonsense://x.tar", 'cannot reach "nonsense://x.tar": ValueError: Protocol not known'),
        ("x-{a.tar", "braces without their partner"),
    ],
)
def test_a_shard_that_is_not_there_is_named(
    tmp_path: Path, shards: str, message: str, memory: fsspec.AbstractFileSystem
) -> None:
    assert leads_somewhere(DataSection(shards=shards), tmp_path) == ("://" in shards)
    with pytest.raises(SectionError, match=message):
        opened(shards, tmp_path)


def test_local_shards_that_are_there_lead_somewhere(tmp_path: Path) -> None:
    (tmp_path / "x-0.tar").write_bytes(WHOLE)
    assert leads_somewhere(DataSection(shards=("x-*.tar", "s3://bucket/a.tar")), tmp_path)
    assert not leads_somewhere(DataSection(shards="x-{0..1}.tar"), tmp_path)


def test_the_fingerprint_changes_with_a_shards_names_labels_and_times(tmp_path: Path) -> None:
    def fingerprint(contents: bytes, time: int = 5) -> str:
        (tmp_path / "x.tar").write_bytes(contents)
        os.utime(tmp_path / "x.tar", (time, time))
        return opened("x.tar", tmp_path).fingerprint()

    first = [("1.png", png(1)), ("1.cls", b"1"), ("2.png", png(2))]
    others = [
        [("3.png", png(1)), *first[1:]],
        [first[0], ("1.cls", b"2"), first[2]],
        [*first[:2], ("2.png", png(2) + b"!")],
        [first[2], *first[:2]],
        first[:2],
    ]
    found = [fingerprint(tar(*members)) for members in (first, *others)]
    found += [fingerprint(tar(*first), time=6), fingerprint(tar(*first, mtime=2.0))]
    assert len(set(found)) == len(found)
    assert fingerprint(tar(*first)) == found[0]


class Timeless(MemoryFileSystem):
    """A file system that says nothing of its files but their size."""

    protocol = ("timeless",)
    store: dict[str, object] = {}  # noqa: RUF012  # the base class shares it so
    cachable = False

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("timeless://").strip("/")

    def info(self, path: str, **options: object) -> dict[str, object]:
        return {key: value for key, value in super().info(path, **options).items() if key != "created"}


def test_where_no_time_is_known_the_contents_count() -> None:
    fsspec.register_implementation("timeless", Timeless, clobber=True)
    contents = [tar(("1.ppm", b"P6 1 1 255\n" + bytes([value] * 3))) for value in (1, 2, 1)]
    found = []
    for some in contents:
        Timeless().pipe("/x.tar", some)
        found.append(opened("timeless://x.tar").fingerprint())
    assert found[0] != found[1]
    assert found[0] == found[2]
