"""What a search found -> a table for the terminal."""

import math

import numpy as np
from rich.table import Table

from audit.ascent.presets import label
from audit.search.search import Found
from audit.search.wording import share, short

SHOWN = 3
"""How many of the others are shown, from either end."""


def table(found: Found) -> Table:
    """The chosen settings, then the best and the worst of the others."""
    made = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    columns = ("", "rank", "score", "reached", "slope", "gray", *(("recognised",) if _recognised(found) else ()))
    for name in columns:
        made.add_column(name, justify="left" if not name else "right", no_wrap=True)
    made.add_column("setting", ratio=1)
    rest = [setting for setting in found.order if setting not in found.names]
    for settings in (list(found.chosen), rest[:SHOWN], rest[max(SHOWN, len(rest) - SHOWN) :]):
        for setting in settings:
            made.add_row(*_row(found, setting), style="bold" if setting in found.names else "dim")
        made.add_section()
    if len(set(found.natural)) == 1 and math.isfinite(found.natural[0]):
        made.caption = f"slope of pictures: {short(found.natural[0])}"
        made.caption_justify = "left"
    return made


def _recognised(found: Found) -> bool:
    """Whether a second model was asked."""
    return bool(np.isfinite(found.scores.agreement).any())


def _row(found: Found, setting: int) -> tuple[str, ...]:
    scores = found.scores
    return (
        found.names.get(setting, ""),
        str(found.order.index(setting) + 1),
        short(float(scores.score[setting])),
        share(float(scores.reached[setting])),
        short(float(scores.slope[setting])),
        share(float(scores.sparsity[setting])),
        *([share(float(scores.agreement[setting]))] if _recognised(found) else []),
        label(found.draws[setting].preset),
    )
