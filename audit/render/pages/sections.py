"""What several parts of a page are made of: charts, tables of text, and pictures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from audit.render.charts.drawing import Chart
from audit.render.sprites import Embedded
from audit.words import plural

NOTHING = "nothing to show"
"""A caption that begins so stands for a picture that could not be made; the text says why."""


@dataclass(frozen=True)
class Tile:
    """One picture of several in one: its caption, and whether there is nothing to see."""

    caption: str
    void: bool


@dataclass(frozen=True)
class Column:
    """The heading of a column; numbers stand at its right."""

    name: str
    numbers: bool = False


@dataclass(frozen=True)
class Grid:
    """A table of text; `left_out` says how many rows did not fit, and where they are; `folded` away if it is long."""

    title: str
    text: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Figure:
    """A picture with what is said under it."""

    image: Embedded
    caption: str
    alt: str


@dataclass(frozen=True)
class Gallery:
    """Rows of pictures, each with a name, which may be empty."""

    title: str
    text: str
    rows: tuple[tuple[str, tuple[Figure, ...]], ...]


@dataclass(frozen=True)
class Section:
    """A part of the page; `word` leads to it from the top."""

    anchor: str
    word: str
    title: str
    lead: str
    charts: tuple[Chart, ...]
    grids: tuple[Grid, ...]
    galleries: tuple[Gallery, ...] = ()


def section(  # noqa: PLR0917  # a section is its parts
    anchor: str,
    word: str,
    title: str,
    lead: str,
    charts: Iterable[Chart | None],
    grids: Iterable[Grid | None],
    galleries: Iterable[Gallery | None] = (),
) -> Section | None:
    """What there is of the charts, tables and pictures; None if there is nothing."""
    drawn = tuple(chart for chart in charts if chart is not None)
    filled = tuple(grid for grid in grids if grid is not None)
    hung = tuple(gallery for gallery in galleries if gallery is not None)
    return Section(anchor, word, title, lead, drawn, filled, hung) if drawn or filled or hung else None


def cut(rows: Sequence[tuple[str, ...]], most: int, file: str) -> tuple[tuple[tuple[str, ...], ...], str]:
    """The first rows, and what is said of the others."""
    more = len(rows) - most
    are = "is" if more == 1 else "are"
    return tuple(rows[:most]), f"{plural(more, 'more row')} {are} in {file}." if more > 0 else ""
