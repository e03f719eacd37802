"""A run's files -> links from the index to them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from audit.history.comparing import output
from audit.history.places import PAGE, Place
from audit.render.wording import anchor, link, place
from audit.store.writer import RENDERED, RESULTS

HTML, PDF, _ = RENDERED
FILES = {HTML: "report", PDF: "PDF", RESULTS: "results.json"}


@dataclass(frozen=True)
class Link:
    """A file beside the page."""

    name: str
    href: str


def links(run: Place, before: Place | None) -> Iterator[Link]:
    """To what there is of a run, and to its comparison with the run before."""
    yield from (Link(name, _href(f"{run.id}/{file}")) for file, name in FILES.items() if file in run.files)
    if before and before.name in run.compared:
        yield Link("compare", _href(f"{output(before, run)}/{PAGE}"))


def report(run: Place) -> str:
    """To the best there is to look at; to the folder where nothing is."""
    return _href(f"{run.id}/{next((file for file in FILES if file in run.files), '')}")


def item(run: Place, identifier: str) -> str:
    """To an item of the report, if it has a page."""
    return report(run) + (link(anchor(identifier)) if HTML in run.files else "")


def row(run: Place) -> str:
    """The identifier of a run's row."""
    return place("run", run.model, run.name)


def _href(path: str) -> str:
    """Of a name as it is on disk, whatever it holds."""
    return quote(os.fsencode(path))
