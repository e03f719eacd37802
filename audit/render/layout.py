"""Where each part of a report is: all in one file, or layers on pages of their own beside it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from audit.records import Report
from audit.render.pages.layers import among_units
from audit.render.wording import encoded
from audit.store.sprites import file_stem
from audit.store.writer import BESIDE, RENDERED, SPRITES

Choice = Literal["auto", "file", "folder"]

PAGE, FOLDER = RENDERED[0], BESIDE
"""The page, and the folder of the pages of layers, scripts and pictures beside it."""

ONE_FILE = 20_000_000
"""Bytes of a page up to which `auto` makes one file of it."""

LARGE = 50_000_000
"""Bytes of one file beyond which browsers and mail programs begin to suffer."""

OF_LAYERS = re.compile(r"#(?:layer|unit|direction|pictures|mosaic)/([^/]+)")


@dataclass(frozen=True)
class Layout:
    """The page of each layer by its name in identifiers; empty if all is one file."""

    pages: Mapping[str, str] = field(default_factory=dict)

    @property
    def one_file(self) -> bool:
        """Whether all parts are in one file."""
        return not self.pages

    def seen_from(self, page: str) -> Callable[[str], str]:
        """What makes addresses within the report those of a page: #unit/conv1/3 -> report/001-conv1.html#unit/conv1/3.

        Addresses of files are relative to the folder of the run; data URIs stay.
        """
        to_root = "../" if page in self.pages.values() else ""

        def at(address: str) -> str:
            if self.one_file or address.startswith("data:"):
                return address
            if not address.startswith("#"):
                return to_root + address
            found = OF_LAYERS.match(address)
            target = self.pages.get(found[1], PAGE) if found else PAGE
            if target == page:
                return address
            if target == PAGE:
                return f"{to_root}{PAGE}{address}"
            return f"{'' if to_root else f'{FOLDER}/'}{target}{address}"

        return at

    def from_root(self, link: str) -> str:
        """A link within the report that names the page it leads to, as seen from the folder of the run."""
        return link if self.one_file else self.seen_from("")(link)


def layout_of(report: Report, folder: Path, choice: Choice) -> Layout:
    """One file where its pictures are small enough, or where that is asked for."""
    if choice == "file" or (choice == "auto" and _bytes(folder) <= ONE_FILE):
        return Layout()
    return Layout(
        {
            encoded(layer.name): f"{index:03d}-{file_stem(layer.name, '')}.html"
            for index, layer in enumerate(report.outline.layers, 1)
            if among_units(layer, report)
        }
    )


def _bytes(folder: Path) -> int:
    """Of all sprites, as text inside a page."""
    sprites = folder / SPRITES
    return sum(file.stat().st_size for file in sprites.iterdir()) * 4 // 3 if sprites.is_dir() else 0
