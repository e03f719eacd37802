"""Numbers of a search -> how they are written: three digits, a dash for what is not known."""

import math

from audit.render import wording
from audit.search.draws import Draw


def short(value: float) -> str:
    """`0.812`."""
    return wording.DASH if math.isnan(value) else wording.number(float(f"{value:.3g}"))


def share(value: float) -> str:
    """`81.2 %`."""
    return wording.DASH if math.isnan(value) else wording.percent(value)


def remark(draw: Draw, count: int, score: float, places: str) -> str:
    """Where a preset of audit.toml comes from, for its comment; `places` are names of strangers."""
    return f"search: setting {draw.number} of {count}, seed {draw.seed}, score {score:.3g} on {places!a}"
