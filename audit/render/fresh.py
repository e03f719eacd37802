"""A stored run -> its pages, made only where what makes them has changed: `rendered.json` beside them says what did."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from audit import __version__
from audit.render import html, own, pdf
from audit.render.layout import FOLDER, PAGE, Choice
from audit.render.templates import PACKAGE, find
from audit.store.replacing import replace
from audit.store.work import key
from audit.store.writer import RENDERED, RESULTS

RECORD = RENDERED[-1]
Kind = Literal["html", "pdf"]


@dataclass(frozen=True)
class Maker:
    """What makes a page of a folder with the user's templates, and the packages that it is made with."""

    page: str
    make: Callable[[Path, Path | None, Choice], Path]
    packages: tuple[str, ...]


PACKAGES = ("altair", "jinja2", "markupsafe", "numpy", "pillow", "vl-convert-python")
MAKERS: Mapping[Kind, Maker] = {
    "html": Maker(PAGE, html.render, PACKAGES),
    "pdf": Maker("report.pdf", lambda folder, templates, _: pdf.render(folder, templates), (*PACKAGES, "weasyprint")),
}


@dataclass(frozen=True)
class Rendered:
    """A page that is there, and whether it was made now."""

    path: Path
    now: bool


def rendered(
    folder: Path, kind: Kind, templates: Path | None = None, layout: Choice = "auto", *, force: bool = False
) -> Rendered:
    """The page of a run, made if it is not what would be made, or with `force`; raises what `html` and `pdf` do."""
    folder, maker = Path(folder), MAKERS[kind]
    path, made_by = folder / maker.page, _made_by(folder, maker, templates, layout)
    if not force and made_by is not None and _entry(made_by, path) == _record(folder).get(maker.page):
        return Rendered(path, now=False)
    path = maker.make(folder, templates, layout)
    record = {**_record(folder), maker.page: _entry(made_by, path)}
    replace(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())
    return Rendered(path, now=True)


def _made_by(folder: Path, maker: Maker, templates: Path | None, layout: Choice) -> str | None:
    """The digest of everything that a page depends on; None where there is no run."""
    results = _digest(folder / RESULTS)
    if results is None:
        return None
    return key(
        page=maker.page,
        results=results,
        layout=layout if maker.page == PAGE else None,
        own=None if templates is None else _of_files(templates, own.files(templates)),
        code=_code(),
        packages={name: _version(name) for name in maker.packages},
    )


@cache
def _code() -> str:
    """Of the program and its templates: which part of it a page depends on, nobody has to know."""
    parts = [_of_files(root, sorted(root.rglob(kind))) for root, kind in ((PACKAGE, "*.py"), (find(), "*"))]
    return key(version=__version__, parts=parts)


def _of_files(root: Path, files: Sequence[Path]) -> str:
    return key(files=[(path.relative_to(root).as_posix(), _digest(path)) for path in files if path.is_file()])


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _entry(made_by: str | None, path: Path) -> dict[str, str | None]:
    beside = sorted((path.parent / FOLDER).glob("*")) if path.name == PAGE else []
    return {"made_by": made_by, "sha256": _digest(path), "beside": _of_files(path.parent, beside) if beside else None}


def _record(folder: Path) -> dict[str, Any]:
    """What made the pages of a folder; nothing where that is not known."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
