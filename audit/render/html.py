"""A stored report -> `report.html`: one file that opens from disk, loads nothing and runs nothing."""

import os
from pathlib import Path

from audit import __version__
from audit.errors import StoreError
from audit.render.pages import build
from audit.render.sprites import for_screen
from audit.render.templates import environment
from audit.store import read
from audit.store.sprites import LOSSLESS_SIDE


def render(folder: Path) -> Path:
    """Writes `report.html` into the folder of a report and returns its path. StoreError if there is no report."""
    folder = Path(folder)
    report = read(folder)
    large = [record.tiles.shape for record in report.pictures if max(record.tiles.shape[2:4]) > LOSSLESS_SIDE]
    pictures = sum(shape[0] * shape[1] for shape in large)
    page = build(report, for_screen(pictures))
    text = environment().get_template("report.html").render(page=page, version=__version__)
    return replace(folder / "report.html", text.encode("utf-8"))


def replace(path: Path, content: bytes) -> Path:
    """Puts `content` at `path` in one step. StoreError if it cannot be written."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    return path
