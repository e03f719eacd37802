"""A folder of the user's templates -> every mistake in it that shows before a page is filled."""

from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment

from audit.errors import ConfigError, Problem, nearest
from audit.render.templates import BUILT_IN, environment, find, reason

OF_OTHERS = {
    *("head.html", "report.js", "frame.html"),
    *(f"{page}.{kind}" for page in ("comparison", "index", "notebook", "sheet") for kind in ("html", "css")),
}
"""Built-in templates that cannot be replaced: what forbids a page to load anything, what it runs, other pages."""

COMPILED = (".html", ".css")


def replaceable() -> list[str]:
    """The names of the templates that a report is made of."""
    return sorted(path.name for path in find().iterdir() if path.is_file() and path.name not in OF_OTHERS)


def checked(folder: Path) -> Path:
    """The folder; ConfigError with every mistake in it."""
    if mistakes := list(problems(folder)):
        raise ConfigError(mistakes)
    return folder


def problems(folder: Path) -> Iterator[Problem]:
    """That it is no folder, holds what no report is made of, or templates that cannot be read, each with its line."""
    if not folder.is_dir():
        is_there = "is a file" if folder.exists() else "is not there"
        yield Problem(str(folder), 1, 1, f"{is_there}; templates are files in a folder, called as the built-in ones")
        return
    known, templates = replaceable(), environment(folder)
    yield from (_misnamed(path, known) for path in sorted(folder.iterdir()) if _is_unknown(path, known))
    for path in files(folder):
        if path.suffix in COMPILED:
            yield from _unreadable(path, path.relative_to(folder).as_posix(), templates)


def files(folder: Path) -> list[Path]:
    """Everything in the folder and the folders in it, but what is hidden."""
    every = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in every if not any(_is_hidden(part) for part in path.relative_to(folder).parts))


def _is_unknown(path: Path, known: list[str]) -> bool:
    if _is_hidden(path.name):
        return False
    return path.name == BUILT_IN if path.is_dir() else path.name not in known


def _is_hidden(name: str) -> bool:
    """Of files and folders that systems and editors leave behind."""
    return name.startswith((".", "__")) or name.endswith("~")


def _misnamed(path: Path, known: list[str]) -> Problem:
    if path.name == BUILT_IN:
        return Problem(str(path), 1, 1, f'no folder may be called "{BUILT_IN}": built-in templates are called so')
    what = "cannot be replaced" if path.name in OF_OTHERS else "no template of a report is called so"
    return Problem(
        str(path), 1, 1, f"{what}{nearest(path.name, known)} (parts of your own lie in a folder in this folder)"
    )


def _unreadable(path: Path, name: str, templates: Environment) -> Iterator[Problem]:
    try:
        templates.get_template(name)
    except Exception as error:
        yield Problem(str(path), getattr(error, "lineno", 1), 1, reason(error, templates))
