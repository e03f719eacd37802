"""Numbers of warped pictures -> a row per layer, method and tolerance: the share of keypoints that are found (PCK)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from audit.analyses.correspondence import METHODS
from audit.claims.variation import interval_of_mean
from audit.records import Pictures, Table

FEWEST = 3
"""Fewer pictures have no interval."""


def correspondences(pictures: Sequence[Pictures]) -> list[Table]:
    """Table "correspondence"; none where it was not asked for.

    `layer`, `method` ("features", "pixels", "daisy", "still", "chance"; "identity": features find themselves in the
    same picture), `within` (share of the input's longer side, or "stride"; empty for "identity"), `pck`, the mean over
    the `pictures` of the share of their `keypoints` that are right, with its 95 % interval `low` and `high` (of 2000
    bootstrap samples of the pictures; NaN with fewer than `FEWEST`), and `moved`, by how many pixels, on average, warps
    moved them.
    """
    rows = [(record, name) for record in pictures if record.kind == "correspondence" for name in _shares(record)]
    if not rows:
        return []
    values = [record.numbers[name][0] for record, name in rows]
    ends = np.array([_interval(those) for those in values])
    columns = {
        "layer": np.array([record.layer for record, _ in rows]),
        "method": np.array([name.partition("_")[0] for _, name in rows]),
        "within": np.array([name.partition("_")[2] for _, name in rows], np.str_),
        "pck": np.array([those.mean() for those in values]),
        "low": ends[:, 0],
        "high": ends[:, 1],
        "pictures": np.array([len(those) for those in values]),
        "keypoints": np.array([int(record.numbers["keypoints"].sum()) for record, _ in rows]),
        "moved": np.array([record.numbers["moved"].mean() for record, _ in rows]),
    }
    return [Table("correspondence", columns)]


def _shares(record: Pictures) -> list[str]:
    return [name for name in record.numbers if name.partition("_")[0] in (*METHODS, "identity")]


def _interval(values: Float[np.ndarray, " picture"]) -> tuple[float, float]:
    if len(values) < FEWEST or np.isnan(values).any():
        return float("nan"), float("nan")
    return interval_of_mean(values)
