"""Settings with their scores -> settings.csv: a row each, best first."""

import csv
import io
import math
from collections.abc import Iterator

from audit.ascent.presets import Preset
from audit.ascent.rates import Progress
from audit.ascent.regularizers.blur import Blur
from audit.search.search import Found

OPTIONS = ("steps", "rate", "progress", "progress_max", "decay", "blur_width", "blur_every", "clip_norm",
           "clip_contribution")  # fmt: skip
SCORES = ("reached", "slope", "distance", "sparsity", "variation", "probability", "agreement", "score")
COLUMNS = ("rank", "draw", "seed", "name", *OPTIONS, *SCORES)


def settings_csv(found: Found) -> str:
    """The text of the file; what a setting does not have, and what is not known, is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rows(found))
    return text.getvalue()


def _rows(found: Found) -> Iterator[dict[str, str | int | float]]:
    for rank, setting in enumerate(found.order, start=1):
        draw = found.draws[setting]
        measured = {name: float(getattr(found.scores, name)[setting]) for name in SCORES}
        yield {
            "rank": rank,
            "draw": draw.number,
            "seed": draw.seed,
            "name": found.names.get(setting, ""),
            **options(draw.preset),
            **{name: value for name, value in measured.items() if not math.isnan(value)},
        }


def options(preset: Preset) -> dict[str, int | float]:
    """What a drawn setting has, by the names of the columns."""
    rate = preset.learning_rate
    found: dict[str, int | float] = {"steps": preset.steps}
    if isinstance(rate, Progress):
        found |= {"progress": rate.progress, "progress_max": rate.max}
    elif isinstance(rate, float):
        found["rate"] = rate
    for regularizer in preset.regularizers:
        if isinstance(regularizer, Blur):
            found |= {"blur_width": regularizer.width, "blur_every": regularizer.every}
        else:
            own = regularizer.model_dump()
            name = own.pop("regularizer").replace("-", "_")
            (found[name],) = own.values()
    return found
