"""A stored report -> `report.html`: opens from disk, loads nothing from elsewhere, and runs nothing but its own script.

One file, or with many pictures a page per layer in the folder `report` beside it, which shows the stored sprites.
"""

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from audit import __version__
from audit.records import Report
from audit.render.layout import FOLDER, LARGE, PAGE, Choice, Layout, layout_of
from audit.render.pages import ReportPage, build
from audit.render.sprites import Beside, for_screen
from audit.render.templates import CLOSED, fill, find, in_script
from audit.render.vega import bundle
from audit.render.wording import encoded
from audit.store import read
from audit.store.replacing import replace
from audit.store.sprites import LOSSLESS_SIDE


def render(folder: Path, templates: Path | None = None, choice: Choice = "auto") -> Path:
    """Writes `report.html` into the folder of a report and returns its path; `templates` are the user's own.

    `choice`: all in one `file`, or a page per layer in a `folder`; `auto` makes one file of what is below 20 MB.
    StoreError if there is no report, TemplateError if the user's templates cannot be filled.
    """
    folder = Path(folder)
    report = read(folder)
    layout = layout_of(report, folder, choice)
    if layout.one_file:
        made = _one_file(report, folder, templates)
        shutil.rmtree(folder / FOLDER, ignore_errors=True)
        return made
    return _pages(report, folder, templates, layout)


def warning(folder: Path) -> str | None:
    """What is to be said of a page that is too large to be handed on."""
    page = folder / PAGE
    size = page.stat().st_size
    if size <= LARGE:
        return None
    return f"{page} is {size / 1e6:.0f} MB large, which browsers and mail programs may refuse: choose the layout folder"


def text(page: ReportPage, templates: Path | None = None) -> bytes:
    """A page with everything inside it, by the user's `templates`."""
    layout, script, vega = Layout(), _script(), _vega()
    policy = f"{CLOSED}; img-src data:; script-src {_hash(script)} {_hash(vega)}"
    inside = {"script": Markup(script), "vega": Markup(vega), "data": _data(page, layout)}
    return _Writer(page, layout, templates, policy, inside).text("report.html", PAGE)


def _one_file(report: Report, folder: Path, templates: Path | None) -> Path:
    large = [record.tiles.shape for record in report.pictures if max(record.size) > LOSSLESS_SIDE]
    embed = for_screen(sum(shape[0] * shape[1] for shape in large))
    return replace(folder / PAGE, text(build(report, embed), templates))


def _pages(report: Report, folder: Path, templates: Path | None, layout: Layout) -> Path:
    """Pictures and scripts come first, report.html last; what an earlier rendering left is taken away after it."""
    beside = folder / FOLDER
    beside.mkdir(exist_ok=True)
    embed = Beside(beside, folder)
    page = build(report, embed)
    writer = _Writer(page, layout, templates, f"{CLOSED}; img-src 'self' data:; script-src 'self'", {})
    used = set(embed.written)
    for name, content in _beside(writer):
        replace(beside / name, content)
        used.add(name)
    made = replace(folder / PAGE, writer.text("report.html", PAGE))
    for file in beside.iterdir():
        if file.name not in used:
            file.unlink()
    return made


@dataclass(frozen=True)
class _Writer:
    """Fills templates of one report."""

    page: ReportPage
    layout: Layout
    templates: Path | None
    policy: str
    inside: Mapping[str, Markup]

    def text(self, template: str, here: str, **more: Any) -> bytes:
        """The page of the file `here`."""
        filled = fill(
            template,
            self.templates,
            page=self.page,
            at=self.layout.seen_from(here),
            one_file=self.layout.one_file,
            policy=Markup(self.policy),
            version=__version__,
            **self.inside,
            **more,
        )
        return filled.encode("utf-8")


def _beside(writer: _Writer) -> Iterator[tuple[str, bytes]]:
    """Scripts, and the pages of layers: name and content."""
    yield "report.js", _script().encode()
    yield "vega.js", _vega().encode()
    yield "data.js", f"window.deepvisAudit = {_data(writer.page, writer.layout)};\n".encode()
    for layer in writer.page.pictured:
        name = writer.layout.pages[encoded(layer.name)]
        yield name, writer.text("layer.html", name, layer=layer)


def _data(page: ReportPage, layout: Layout) -> Markup:
    search = dict(page.search)
    search["layers"] = [
        {**layer, "href": layout.from_root(layer["href"]), "unit": layout.from_root(layer["unit"])}
        for layer in search["layers"]
    ]
    search["items"] = [[*item, layout.from_root(href)] for *item, href in search["items"]]
    return in_script(json.dumps(search, separators=(",", ":"), allow_nan=False))


@cache
def _script() -> str:
    return _closed((find() / "report.js").read_text(encoding="utf-8"))


@cache
def _vega() -> str:
    return _closed(bundle())


def _closed(script: str) -> str:
    """The same script; nothing in it ends the element that it stands in."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
