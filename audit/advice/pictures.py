"""A folder, list or shard -> the keys of [data], and what can be said of the pictures without opening them."""

from dataclasses import dataclass
from pathlib import Path

from audit.config import DataSection
from audit.data.damage import PictureError
from audit.data.folder import Folder
from audit.data.images import Images, open_images
from audit.errors import AuditError, SectionError
from audit.words import listed, plural


@dataclass(frozen=True)
class Pictures:
    """Where pictures are: the `source` of [data] and its path, how many, the names of their classes, if any, and
    the height and width of the first.
    """

    source: str
    path: Path
    count: int
    classes: tuple[str, ...]
    size: tuple[int, int] | None

    @property
    def said(self) -> str:
        """`500 pictures of 20 classes (cat, dog ...)`."""
        of_classes = f" of {len(self.classes)} classes ({listed(self.classes, 3)})" if self.classes else ", no labels"
        return plural(self.count, "picture") + of_classes


def pictures_at(path: Path) -> Pictures:
    """What is at a path: a folder of pictures or of class folders, a CSV list, or tar shards; or AuditError."""
    if not path.exists():
        raise AuditError(f'--data: there is no "{path}"; give a folder of pictures, a CSV list or a tar shard')
    source, where = _source(path)
    try:
        images = open_images(DataSection.model_validate({source: str(where)}), Path())
    except SectionError as error:
        raise AuditError(f"--data: {error}") from error
    classes = {label for index in range(len(images)) if isinstance(label := images.label(index), str)}
    return Pictures(source, where, len(images), tuple(sorted(classes)), _size(images))


def _size(images: Images) -> tuple[int, int] | None:
    try:
        picture = images.picture(0)
    except PictureError:  # which the audit lists
        return None
    return picture.height, picture.width


def _source(path: Path) -> tuple[str, Path]:
    if path.is_file():
        return ("shards" if path.suffix == ".tar" else "list"), path
    if any(path.glob("*.tar")):
        return "shards", path / "*.tar"
    lists = sorted(path.glob("*.csv"))
    if len(lists) == 1 and not _has_class_folders(path):
        return "list", lists[0]
    return "folder", path


def _has_class_folders(path: Path) -> bool:
    try:
        return any("/" in file for file in Folder.open(path).files)
    except SectionError:
        return False
