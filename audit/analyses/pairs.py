"""Two pictures and the matches between them -> one picture, side by side, with a line per match."""

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image, ImageDraw

from audit.analyses.warps import Points

GAP = 4
SIDE = 192
"""Pixels that the shorter side of a small picture is enlarged to, at most and by a whole number."""

RIGHT, WRONG = (42, 143, 95), (214, 69, 69)


def drawn(
    pictures: UInt8[np.ndarray, "2 y x 3"], origin: Points, found: Points, right: Bool[np.ndarray, " point"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Lines from places of the first picture to places of the second, right ones green, wrong ones red and below."""
    zoom = max(1, SIDE // min(pictures.shape[1:3]))
    one, two = pictures.repeat(zoom, axis=1).repeat(zoom, axis=2)
    gap = np.full((one.shape[0], GAP, 3), 255, np.uint8)
    whole = Image.fromarray(np.concatenate([one, gap, two], axis=1))
    pen, offset = ImageDraw.Draw(whole), np.array([0, one.shape[1] + GAP])
    for index in np.argsort(right, kind="stable"):
        ends = [zoom * (origin[index] + 0.5), zoom * (found[index] + 0.5) + offset]
        colour = RIGHT if right[index] else WRONG
        (top, left), (bottom, far) = (end.tolist() for end in ends)
        pen.line([(left, top), (far, bottom)], fill=colour, width=1)
        for y, x in ((top, left), (bottom, far)):
            pen.ellipse([(x - 2, y - 2), (x + 2, y + 2)], fill=colour)
    return np.array(whole)
