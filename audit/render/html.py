"""A stored report -> `report.html`: one file that opens from disk, loads nothing and runs nothing."""

from pathlib import Path

from audit import __version__
from audit.render.pages import build
from audit.render.sprites import for_screen
from audit.render.templates import fill
from audit.store import read
from audit.store.replacing import replace
from audit.store.sprites import LOSSLESS_SIDE


def render(folder: Path, templates: Path | None = None) -> Path:
    """Writes `report.html` into the folder of a report and returns its path; `templates` are the user's own.

    StoreError if there is no report, TemplateError if the user's templates cannot be filled.
    """
    folder = Path(folder)
    report = read(folder)
    large = [record.tiles.shape for record in report.pictures if max(record.tiles.shape[2:4]) > LOSSLESS_SIDE]
    pictures = sum(shape[0] * shape[1] for shape in large)
    page = build(report, for_screen(pictures))
    text = fill("report.html", templates, page=page, version=__version__)
    return replace(folder / "report.html", text.encode("utf-8"))
