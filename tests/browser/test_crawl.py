"""From each page, everything that can be reached: links lead somewhere, pictures are pictures, nothing complains."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from tests.browser.opening import Opened, opened, within

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

LINKS = "() => [...new Set([...document.querySelectorAll('[href]')].map(link => link.href.baseVal ?? link.href))]"
NAMES = "() => [...document.querySelectorAll('[id]')].map(named => named.id)"


def faults(view: Opened, start: Path) -> list[str]:
    """What is wrong with a page and with all pages of its folder that it leads to."""
    waiting, names, links, wrong = [start], {}, [], []
    while waiting:
        path = waiting.pop()
        if path in names:
            continue
        view.go(path)
        found = view.ask(NAMES)
        names[path] = set(found)
        wrong += [f"{path.name}: id {name} is used twice" for name in sorted(names[path]) if found.count(name) > 1]
        wrong += [f"{path.name}: no picture: {image}" for image in view.load()]
        links += [(path, link) for link in view.ask(LINKS) if not link.startswith("data:")]
        waiting += [file for file in _files(links, view.folder) if file.suffix == ".html" and file.is_file()]
    wrong += [f"{path.name}: {why}: {link}" for path, link in links if (why := _dead(link, names))]
    return wrong + view.complaints


def _files(links: list[tuple[Path, str]], folder: Path) -> Iterator[Path]:
    return (_file(link) for _, link in links if within(link, folder))


def _file(link: str) -> Path:
    return Path(unquote(urlsplit(link).path))


def _dead(link: str, names: dict[Path, set[str]]) -> str | None:
    """Why a link leads nowhere; None if it does not."""
    file, fragment = _file(link), unquote(urldefrag(link).fragment)
    if urlsplit(link).scheme != "file":
        return "leads away"
    if not file.exists():
        return "no such file"
    return "no such anchor" if fragment and file in names and fragment not in names[file] else None


def test_all_that_can_be_reached_is_there_and_nothing_complains(browser: "Browser", page: Path) -> None:
    with opened(browser, page) as view:
        assert faults(view, page) == []


WRONG = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Wrong</title>
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data: https:; script-src 'unsafe-inline'">
<link rel="stylesheet" href="style.css">
<p id="same"><p id="same"><a href="#nowhere">here</a> <a href="missing.html">there</a> <a href="other.html#gone">on</a>
<a href="https://example.org/">away</a> <img src="data:image/png;base64,AAAA"> <img src="https://example.org/x.png">
<script>console.warn("odd"); setTimeout(() => { throw new Error("broken") }); alert("hello")</script>
"""


def test_what_is_wrong_is_found_on_other_pages_too(browser: "Browser", tmp_path: Path) -> None:
    for name, text in (("index.html", '<a href="wrong.html#same">x</a>'), ("wrong.html", WRONG), ("other.html", "")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    with opened(browser, tmp_path / "index.html") as view:
        found = "\n".join(faults(view, tmp_path / "index.html"))
    for fault in (
        "id same is used twice",
        "wrong.html: no such anchor: ",
        "#nowhere",
        "wrong.html: no such file: ",
        "other.html#gone",
        "wrong.html: leads away: https://example.org/",
        'no picture: <img src="data:image/png;base64,AAAA',
        "request: https://example.org/x.png",
        "warning: odd",
        "exception: broken",
        "dialog: hello",
        "style-src",
    ):
        assert fault in found
