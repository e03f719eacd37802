"""A contact sheet -> one PNG, to be looked at and sent around."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from audit.render.wording import MINUS
from audit.search.sheet import Row, Sheet
from audit.search.thumbnails import enlarged
from audit.store.sprites import encode

MARGIN, GAP = 32, 12
"""Pixels around the sheet, and between pictures."""

WORDS = 340
"""Width of the column of words, in pixels."""

PAPER, INK, SOFT = (255, 255, 255), (22, 25, 29), (84, 92, 102)
TITLE, HEADING, NAME, TEXT = 28, 20, 18, 14
"""Sizes of letters, in pixels."""

LEADING = 1.35
"""Height of a line over the size of its letters."""


def poster(sheet: Sheet) -> bytes:
    """The file: title, headings of the columns, and a row of pictures with their captions for each row."""
    count = max(len(row.pictures) for row in sheet.rows)
    side = max(enlarged(picture.pixels).shape[1] for row in sheet.rows for picture in row.pictures)
    width = 2 * MARGIN + WORDS + count * (side + GAP) - GAP
    paper = _Paper(width, side)
    paper.words(sheet.title, MARGIN, TITLE, INK, width - 2 * MARGIN)
    paper.words(sheet.lead, MARGIN, TEXT, SOFT, min(900, width - 2 * MARGIN))
    paper.down += MARGIN // 2
    _columns(paper, sheet)
    for row in sheet.rows:
        _row(paper, row)
    return encode(paper.pixels(), "PNG")


class _Paper:
    """A page of fixed width that grows downwards; pictures are `side` wide, the next line begins at `down`."""

    def __init__(self, width: int, side: int):
        self.width, self.side, self.down = width, side, MARGIN
        self.image = Image.new("RGB", (width, 1000), PAPER)

    def words(self, text: str, left: int, size: int, colour: tuple[int, int, int], width: int) -> None:
        """Text in lines of that width, in pixels."""
        font = ImageFont.load_default(size)
        for line in _lines(text.replace(MINUS, "-"), font, width):  # the font has no sign of its own for minus
            self._reach(self.down + 2 * size)
            ImageDraw.Draw(self.image).text((left, self.down), line, fill=colour, font=font)
            self.down += round(size * LEADING)

    def picture(self, tile: UInt8[np.ndarray, "y x 3"], left: int) -> None:
        """A tile, as large as a place of the sheet is."""
        shown = enlarged(tile)
        self._reach(self.down + len(shown))
        self.image.paste(Image.fromarray(shown), (left, self.down))

    def rule(self) -> None:
        """A line over the column of words."""
        self._reach(self.down + 2)
        ImageDraw.Draw(self.image).rectangle((MARGIN, self.down, MARGIN + WORDS - 2 * GAP, self.down + 1), fill=INK)
        self.down += GAP

    def pixels(self) -> UInt8[np.ndarray, "height width 3"]:
        """What was written and drawn."""
        return np.asarray(self.image)[: self.down + MARGIN]

    def _reach(self, bottom: int) -> None:
        """Makes the page longer where something would be drawn below its end."""
        if bottom + MARGIN > self.image.height:
            longer = Image.new("RGB", (self.width, 2 * (bottom + MARGIN)), PAPER)
            longer.paste(self.image)
            self.image = longer


def _columns(paper: _Paper, sheet: Sheet) -> None:
    left, top, ends = MARGIN + WORDS, paper.down, [paper.down]
    for name, span in sheet.columns:
        paper.down = top
        paper.words(name, left, TEXT, INK, span * (paper.side + GAP) - GAP)
        ends.append(paper.down)
        left += span * (paper.side + GAP)
    paper.down = max(ends) + GAP // 2


def _row(paper: _Paper, row: Row) -> None:
    if row.begins:
        paper.down += MARGIN // 2
        paper.rule()
        paper.words(row.begins, MARGIN, HEADING, INK, paper.width - 2 * MARGIN)
        paper.down += GAP
    top = paper.down
    paper.words(row.title, MARGIN, NAME, INK, WORDS - 2 * GAP)
    for line in row.lines:
        paper.words(line, MARGIN, TEXT, SOFT, WORDS - 2 * GAP)
    ends = [paper.down]
    for number, picture in enumerate(row.pictures):
        left, paper.down = MARGIN + WORDS + number * (paper.side + GAP), top
        paper.picture(picture.pixels, left)
        paper.down += len(enlarged(picture.pixels)) + GAP // 3
        for place, line in enumerate(picture.lines):
            paper.words(line, left, TEXT, SOFT if place else INK, paper.side)
        ends.append(paper.down)
    paper.down = max(ends) + GAP


def _lines(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Words in lines no wider than `width` pixels; a longer word stands alone."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines or [""]
