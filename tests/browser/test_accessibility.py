"""axe-core finds nothing against WCAG 2.2 AA and its best practices, in light and dark, on a desk and on a phone."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.opening import DESKTOP, PHONE, Opened, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

ALL = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
SHORTEN = "() => document.querySelectorAll('tbody tr:nth-child(n + 9), svg > *').forEach(one => one.remove())"
"""Eight rows tell of all; a drawing is one picture with one text, whatever it is made of."""

RUN = "rules => axe.run({ runOnly: rules, resultTypes: ['violations'], preload: false })"


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core, from the installed package."""
    import axe_playwright_python

    return Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")


def violations(view: Opened, axe: str, rules: dict[str, Any] = ALL) -> list[str]:
    """`RULE on ELEMENT: why` for each."""
    view.unfold()
    view.ask(SHORTEN)
    view.ask(axe)
    return [line for broken in view.ask(RUN, rules)["violations"] for line in _told(broken)]


def _told(broken: dict[str, Any]) -> list[str]:
    return [f"{broken['id']} on {node['html'][:200]}: {node['failureSummary']}" for node in broken["nodes"]]


def test_nothing_keeps_anybody_out_on_a_desk(browser: "Browser", page: Path, axe: str) -> None:
    with opened(browser, page, DESKTOP) as view:
        assert violations(view, axe) == []
        view.page.emulate_media(color_scheme="dark")
        assert violations(view, axe, COLOURS) == []


def test_nothing_keeps_anybody_out_on_a_phone_in_the_dark(browser: "Browser", page: Path, axe: str) -> None:
    with opened(browser, page, PHONE, "dark") as view:
        assert violations(view, axe) == []


def test_what_is_wrong_is_found(browser: "Browser", axe: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.html"
    wrong.write_text("<title>x</title><main><h1>X</h1><p style='color: #888'>pale</p><img src='data:,'></main>")
    with opened(browser, wrong) as view:
        found = violations(view, axe)
    assert {line.split(" on ")[0] for line in found} == {"color-contrast", "html-has-lang", "image-alt"}
