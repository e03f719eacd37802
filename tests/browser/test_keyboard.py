"""Whatever can be clicked can be reached by Tab, and one sees where one is."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.opening import Opened, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

MARK = """() => {
    const kinds = "a[href], button, input, select, textarea, summary, [tabindex]";
    const all = [...document.querySelectorAll(kinds)];
    const can = one => one.tabIndex >= 0 && !one.disabled && one.checkVisibility({ visibilityProperty: true });
    window.reachable = all.filter(can);
    return reachable.length;
}"""
FOCUSED = """() => {
    const one = document.activeElement, style = getComputedStyle(one), boxes = [...one.getClientRects()];
    const points = boxes.flatMap(box => [[box.left + box.width / 2, box.top + box.height / 2],
        [box.left + 3, box.top + 3], [box.right - 3, box.bottom - 3], [box.right - 3, box.top + 3]]);
    const at = ([x, y]) => document.elementFromPoint(x, y);
    const seen = points.some(point => at(point) && (one.contains(at(point)) || at(point).contains(one)));
    const ringed = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 || style.boxShadow !== "none";
    return { index: reachable.indexOf(one), ringed, seen, what: one.outerHTML.slice(0, 200) };
}"""
ENLARGED = """() => [...document.querySelectorAll("dialog[open], :target")].some(one =>
    getComputedStyle(one).position === "fixed" && one.getBoundingClientRect().width > innerWidth * 0.9)"""


def walked(view: Opened) -> tuple[set[int], list[str]]:
    """Which of the elements that can be reached were, one Tab after the other, and what was wrong on the way."""
    count, reached, wrong = view.ask(MARK), set(), []
    for _ in range(2 * count + 200):  # what appears on the way, and what scrolls, is reached as well
        view.page.keyboard.press("Tab")
        focused = view.ask(FOCUSED)
        if focused["what"].startswith("<body") or focused["index"] in reached - {-1}:
            break
        reached.add(focused["index"])
        if not (focused["ringed"] and focused["seen"]):
            view.page.wait_for_timeout(100)  # a page may still be scrolling
            focused = view.ask(FOCUSED)
        wrong += [f"{why}: {focused['what']}" for why in ("ringed", "seen") if not focused[why]]
    return set(range(count)) - reached, wrong


def test_all_can_be_reached_and_one_sees_where_one_is(browser: "Browser", page: Path) -> None:
    with opened(browser, page) as view:
        missed, wrong = walked(view)
        assert [view.ask("index => reachable[index].outerHTML.slice(0, 200)", index) for index in missed] == []
        assert wrong == []


def test_escape_closes_what_is_enlarged(browser: "Browser", every_view: Path) -> None:
    with opened(browser, every_view) as view:
        view.page.click(".zoom >> nth=0", position={"x": 5, "y": 5})
        assert view.ask(ENLARGED)
        view.page.keyboard.press("Escape")
        assert not view.ask(ENLARGED)


def test_sorting_the_table_of_all_units_keeps_the_focus(browser: "Browser", every_view: Path) -> None:
    with opened(browser, every_view) as view:
        view.page.locator("#explorer").scroll_into_view_if_needed()
        view.page.locator("#explorer button").first.focus()
        for sign in ("↓", "↑"):
            view.page.keyboard.press("Enter")
            assert sign in view.ask("() => document.activeElement.textContent")


def test_what_is_wrong_is_found(browser: "Browser", tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.html"
    wrong.write_text(
        "<style>#bare { outline: none } #under { position: fixed; inset: 0 auto auto 0 }</style>"
        "<a href='#'>good</a> <a href='#' id='bare'>bare</a> <a href='#' id='under'>under</a>"
        "<div style='position: fixed; inset: 0 auto auto 0; width: 9rem; height: 2rem; margin-left: 0'></div>"
        "<button onfocus='document.querySelector(\"a\").focus()'>trap</button><button>beyond</button>"
    )
    with opened(browser, wrong) as view:
        missed, found = walked(view)
    assert 4 in missed
    assert any(line.startswith("ringed") and "bare" in line for line in found)
    assert any(line.startswith("seen") and "under" in line for line in found)
