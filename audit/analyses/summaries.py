"""Numbers of pictures -> tables: a row per unit and preset of optimized images, per unit and amount of changed ones."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from audit.records import Pictures, Table

INVARIANCE = "invariance"
"""The kind of pictures that are transformed, and their table."""

COUNTED = "recognised"
"""The number of which not the median is told, but on how many images it is 1."""


def summaries(pictures: Sequence[Pictures]) -> list[Table]:
    """Table "optimized", a row per layer, unit and preset; none without optimized images.

    `images` is how many there are, every other column the median of what is known, NaN where nothing is. `recognised`
    counts the images that a second model recognises.
    """
    optimized = [record for record in pictures if "activation" in record.numbers]
    rows = [
        (record, row, group) for record in optimized for row in range(len(record.units)) for group in groups(record)
    ]
    if not rows:
        return []
    names = list(dict.fromkeys(name for record in optimized for name in record.numbers))
    columns: dict[str, np.ndarray] = {
        "layer": np.array([record.layer for record, _, _ in rows]),
        "unit": np.array([record.units[row] for record, row, _ in rows], np.int64),
        "preset": np.array([name for _, _, (name, _) in rows]),
        "images": np.array([tiles.stop - tiles.start for _, _, (_, tiles) in rows], np.int64),
    }
    for name in names:
        together = _count if name == COUNTED else _median
        columns[name] = np.array(
            [
                together(record.numbers[name][row, tiles]) if name in record.numbers else np.nan
                for record, row, (_, tiles) in rows
            ]
        )
    return [Table("optimized", columns)]


def invariances(pictures: Sequence[Pictures]) -> list[Table]:
    """Table "invariance", a row per layer, unit, transformation and amount; none where no unit was transformed.

    The other columns are the numbers of the analysis "invariance", as they are.
    """
    found = [record for record in pictures if record.kind == INVARIANCE]
    if not found:
        return []
    shapes = [(record, len(record.units), record.tiles.shape[1]) for record in found]
    names = [[name for name, those in groups(record) for _ in range(those.stop - those.start)] for record in found]
    columns: dict[str, np.ndarray] = {
        "layer": np.concatenate([np.repeat([record.layer], units * tiles) for record, units, tiles in shapes]),
        "unit": np.concatenate([np.repeat(np.array(record.units, np.int64), tiles) for record, _, tiles in shapes]),
        "transformation": np.concatenate(
            [np.tile(each, units) for each, (_, units, _) in zip(names, shapes, strict=True)]
        ),
    }
    for name in found[0].numbers:
        columns[name] = np.concatenate([record.numbers[name].ravel() for record in found])
    return [Table(INVARIANCE, columns)]


def groups(record: Pictures) -> list[tuple[str, slice]]:
    """Which tiles each preset made."""
    each = record.tiles.shape[1] // len(record.groups)
    return [(name, slice(index * each, (index + 1) * each)) for index, name in enumerate(record.groups)]


def _median(values: Float[np.ndarray, " tile"]) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _count(values: Float[np.ndarray, " tile"]) -> float:
    known = values[~np.isnan(values)]
    return float(known.sum()) if len(known) else float("nan")
