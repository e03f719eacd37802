"""Nothing is cut off, hidden, or moves: at the width of a desk, of a phone, and of a small phone."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.opening import A4, DESKTOP, NARROW, PHONE, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

TOO_WIDE = """() => {
    const root = document.scrollingElement, edge = root.clientWidth;
    if (root.scrollWidth <= edge) return [];
    const out = [...document.body.querySelectorAll("*")].filter(one => one.getBoundingClientRect().right > edge + 1);
    return [`${root.scrollWidth} pixels, not ${edge}`, ...out.slice(0, 5).map(one => one.outerHTML.slice(0, 150))];
}"""
"""What makes the document scroll to the side."""

CUT = """() => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), cut = new Set();
    const shortened = one => getComputedStyle(one).textOverflow === "ellipsis";
    const hides = one => ["hidden", "clip"].includes(getComputedStyle(one).overflowX);
    const scrolls = one => ["auto", "scroll"].includes(getComputedStyle(one).overflowX);
    while (texts.nextNode()) {
        const holder = texts.currentNode.parentElement;
        const shown = holder.checkVisibility() && !holder.closest("svg, style, script");
        if (!shown || !texts.currentNode.data.trim()) continue;
        const range = document.createRange();
        range.selectNodeContents(texts.currentNode);
        const text = range.getBoundingClientRect();
        for (let box = holder; box && box !== document.body && !scrolls(box); box = box.parentElement) {
            const edge = box.getBoundingClientRect();
            const unseen = edge.width <= 1 && edge.height <= 1;
            const block = !getComputedStyle(box).display.startsWith("inline");
            const beyond = text.right > edge.right + 2 || text.left < edge.left - 2;
            if (!unseen && block && !shortened(box) && beyond && (box === holder || hides(box))) cut.add(box);
        }
    }
    return [...cut].map(box => box.outerHTML.slice(0, 200));
}"""
"""Blocks whose text sticks out to the side, or is hidden there without an ellipsis that says so."""

COVERED = """() => {
    const covered = [];
    for (const bar of document.querySelectorAll("body *")) {
        if (getComputedStyle(bar).position !== "sticky" || bar.closest("table")) continue;
        for (const link of bar.querySelectorAll("a, button, input, select")) {
            const box = link.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
            const inside = box.width && x >= 0 && x < innerWidth && y >= 0 && y < innerHeight;
            const top = inside && document.elementFromPoint(x, y);
            if (inside && !link.contains(top)) covered.push(`${link.outerHTML} under ${top?.outerHTML.slice(0, 100)}`);
        }
    }
    return covered;
}"""
"""Links of what sticks to the edge that something else lies upon."""

BEYOND = """() => [...document.querySelectorAll("table")]
    .filter(table => table.checkVisibility() && table.getBoundingClientRect().right > innerWidth + 1)
    .map(table => `${table.parentElement.ariaLabel}: ${table.getBoundingClientRect().right} of ${innerWidth}`)"""
"""Tables whose last columns nobody can scroll to on paper."""

SCROLL = """async () => {
    for (let y = 0; y < document.scrollingElement.scrollHeight; y += innerHeight / 2) {
        scrollTo({ top: y, behavior: "instant" });
        await new Promise(requestAnimationFrame);
        await new Promise(requestAnimationFrame);
    }
}"""
SHIFTS = """
window.shifts = [];
const told = node => node?.outerHTML?.slice(0, 100) ?? node?.nodeName;
new PerformanceObserver(list => {
    for (const shift of list.getEntries()) shifts.push(`${shift.value} ${shift.sources.map(one => told(one.node))}`);
}).observe({ type: "layout-shift", buffered: true });
"""
HIDDEN = """name => {
    const part = document.getElementById(name), box = part.getBoundingClientRect();
    const top = document.elementFromPoint(box.left + Math.min(box.width / 2, 200), box.top + 2);
    return !top || !(part.contains(top) || top.contains(part));
}"""
"""Whether the upper edge of a part is out of sight or under something else."""
HEIGHTS = "() => [...document.images].map(image => [image.outerHTML.slice(0, 200), image.offsetHeight])"


@pytest.mark.parametrize("size", [DESKTOP, PHONE, NARROW], ids=lambda size: str(size[0]))
def test_everything_fits_and_can_be_read(browser: "Browser", page: Path, size: tuple[int, int]) -> None:
    with opened(browser, page, size) as view:
        view.unfold()
        assert view.ask(TOO_WIDE) == []
        assert view.ask(CUT) == []


def test_what_sticks_to_the_edge_stays_free(browser: "Browser", page: Path) -> None:
    with opened(browser, page, PHONE) as view:
        for share in (0, 0.2, 0.4, 0.6, 0.8, 1):
            view.ask("share => scrollTo(0, document.scrollingElement.scrollHeight * share)", share)
            assert view.ask(COVERED) == []


def test_a_link_shows_the_beginning_of_what_it_leads_to(browser: "Browser", page: Path) -> None:
    with opened(browser, page) as view:
        for name in view.ask("() => [...document.querySelectorAll('nav a[href^=\"#\"]')].map(a => a.hash.slice(1))"):
            view.ask("name => { location.hash = name }", name)
            assert not view.ask(HIDDEN, name), name


def test_nothing_moves_while_the_page_loads_and_is_scrolled(browser: "Browser", page: Path) -> None:
    with opened(browser, page, script=SHIFTS) as view:
        view.ask(SCROLL)
        assert view.ask("() => shifts") == []


def test_paper_has_all_columns_in_black_on_white(browser: "Browser", page: Path) -> None:
    with opened(browser, page, A4, "dark") as view:
        view.page.emulate_media(media="print")
        assert view.ask(BEYOND) == []
        assert view.ask("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_pictures_have_their_room_before_they_are_loaded(browser: "Browser", page: Path) -> None:
    with opened(browser, page) as view:
        before = view.ask(HEIGHTS)
        view.load()
        after = view.ask(HEIGHTS)
        grown = [image for (image, small), (_, large) in zip(before, after, strict=True) if abs(small - large) > 1]
        assert grown == []


WRONG = """<!doctype html><style>p { width: 5rem; white-space: nowrap } .cut { overflow: hidden }</style>
<nav style="position: sticky; top: 0"><a href="#here">a link</a></nav>
<div style="position: fixed; inset: 0 auto auto 0; width: 9rem; height: 9rem">over it</div>
<p id="out">more text than there is room for</p><p class="cut">again more text than there is room for</p>
<p style="overflow: auto">this can be scrolled, so nothing is lost of it</p>
<div id="wide" style="width: 100rem">wide</div><div id="here" style="height: 300rem; margin-top: 1rem">low</div>
<script>setTimeout(() => document.querySelector("p").before(document.createElement("textarea")), 100)</script>
"""


def test_what_is_wrong_is_found(browser: "Browser", tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.html"
    wrong.write_text(WRONG, encoding="utf-8")
    with opened(browser, wrong, PHONE, script=SHIFTS) as view:
        view.page.wait_for_function("() => shifts.length")
        assert 'id="wide"' in "".join(view.ask(TOO_WIDE))
        assert [box[:5] for box in view.ask(CUT)] == ["<p id", "<p cl"]
        assert "over it" in view.ask(COVERED)[0]
        view.ask("() => { location.hash = 'here' }")
        assert view.ask(HIDDEN, "here")
