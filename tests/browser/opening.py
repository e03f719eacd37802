"""A file in a browser without a network, and everything that the browser has to complain about."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)

DESKTOP, PHONE, NARROW, A4 = (1300, 900), (390, 844), (320, 640), (718, 1046)
"""Width and height of what is seen, in CSS pixels; of a sheet of paper without its margins."""


@dataclass(frozen=True)
class Opened:
    """A page, the folder that it must not leave, and complaints: console, exceptions, dialogs, requests."""

    page: "Page"
    folder: Path
    complaints: list[str] = field(default_factory=list)

    def go(self, path: Path, fragment: str = "") -> None:
        """Opens another file."""
        self.page.goto(path.as_uri() + fragment)

    def ask(self, script: str, argument: Any = None) -> Any:
        """What a JavaScript function returns."""
        return self.page.evaluate(script, argument)

    def unfold(self) -> None:
        """Opens the first two of each kind of what is folded, and draws what is out of sight."""
        self.ask(UNFOLD)

    def load(self) -> list[str]:
        """Loads all pictures, also those far below; returns what is none."""
        broken: list[str] = self.ask(LOAD)
        return broken

    def watch(self) -> None:
        """Begins to listen."""
        page = self.page
        page.on("console", lambda said: self._complain(said.type in ("error", "warning"), f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: self._complain(True, f"exception: {error}"))
        page.on("request", lambda request: self._complain(self._leaves(request.url), f"request: {request.url[:200]}"))
        page.on("requestfailed", lambda request: self._complain(True, f"request failed: {request.url[:200]}"))
        page.on("popup", lambda other: self._complain(True, f"window: {other.url}"))
        page.on("dialog", lambda dialog: (self._complain(True, f"dialog: {dialog.message}"), dialog.dismiss()))

    def _complain(self, wrong: bool, text: str) -> None:
        if wrong:
            self.complaints.append(text)

    def _leaves(self, address: str) -> bool:
        return not address.startswith("data:") and not within(address, self.folder)


LOAD = """async () => {
    const broken = [], all = [...document.images];
    for (const image of all) image.loading = "eager";
    for (const image of all) {
        await image.decode().catch(() => broken.push(image.outerHTML.slice(0, 200)));
    }
    return broken;
}"""
UNFOLD = """() => {
    const drawn = new CSSStyleSheet();
    drawn.replaceSync("* { content-visibility: visible !important }");
    document.adoptedStyleSheets.push(drawn);
    const seen = {};
    for (const folded of document.querySelectorAll("details")) {
        const kind = folded.className;
        seen[kind] = (seen[kind] ?? 0) + 1;
        if (seen[kind] <= 2) folded.open = true;
    }
}"""


def within(address: str, folder: Path) -> bool:
    """Whether an address is of a file in that folder."""
    parts = urlsplit(address)
    return parts.scheme == "file" and not parts.netloc and Path(unquote(parts.path)).is_relative_to(folder)


def home(page: Path) -> Path:
    """The folder that a page belongs to: of its run, if it is part of a report, else the one it is in."""
    return next((folder for folder in page.parents if (folder / "results.json").exists()), page.parent)


@contextmanager
def opened(
    browser: "Browser",
    path: Path,
    size: tuple[int, int] = DESKTOP,
    scheme: Literal["light", "dark"] = "light",
    script: str | None = None,
) -> Iterator[Opened]:
    """The file, loaded; `script` runs before whatever is in it."""
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, color_scheme=scheme, offline=True)  # type: ignore[arg-type]
    try:
        if script:
            context.add_init_script(script)
        view = Opened(context.new_page(), home(path))
        view.watch()
        view.go(path)
        yield view
    finally:
        context.close()
