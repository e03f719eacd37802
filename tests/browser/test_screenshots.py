"""Screenshots for people, in DEEPVIS_SCREENSHOTS: each kind of page on a desk, on a phone, in the dark, on paper."""

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pymupdf
import pytest
from PIL import Image

from tests.browser.opening import DESKTOP, PHONE, Opened, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

FOLDER = os.environ.get("DEEPVIS_SCREENSHOTS")
TALL = 3000
"""Pixels of a page in one file; without FOLDER the first are enough."""


def shot(view: Opened, folder: Path, name: str) -> np.ndarray:
    """Files NAME-01.png ... from the top of the page to its end; returns the first."""
    view.load()
    height = view.ask("() => document.documentElement.scrollHeight")
    width = view.page.viewport_size["width"]  # type: ignore[index]
    files = []
    for index, top in enumerate(range(0, height if FOLDER else 1, TALL), start=1):
        clip = {"x": 0, "y": top, "width": width, "height": min(TALL, height - top)}
        files.append(view.page.screenshot(full_page=True, clip=clip, path=folder / f"{name}-{index:02}.png"))
    return np.asarray(Image.open(io.BytesIO(files[0])).convert("L"))


def test_every_page_has_been_photographed(browser: "Browser", page: Path, tmp_path: Path, request) -> None:
    kind = request.node.callspec.id.replace("/", "-").strip("-")
    folder = Path(FOLDER or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    with opened(browser, page, DESKTOP) as view:
        light = shot(view, folder, f"{kind}-desktop")
        view.page.emulate_media(color_scheme="dark")
        dark = shot(view, folder, f"{kind}-dark")
        view.page.emulate_media(color_scheme="dark", media="print")
        paper = pymupdf.open("pdf", view.page.pdf(path=folder / f"{kind}-print.pdf", format="A4"))
    with opened(browser, page, PHONE) as view:
        phone = shot(view, folder, f"{kind}-phone")
    for picture, background in ((light, 255), (phone, 255), (dark, 21)):
        assert abs(int(np.median(picture)) - background) < 15
        assert len(np.unique(picture)) > 30
    assert np.array_equal(np.unique([sheet.get_pixmap(dpi=10).pixel(0, 0) for sheet in paper]), [255])
    assert all(sheet.get_text().strip() or sheet.get_images() for sheet in paper)
