"""Models that answer as we like: labels, predictions and confidences -> what a check is shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audit.checks.evidence import Evidence
from audit.records import Layer, Outline, Table


def predicted(
    label: Sequence[int],
    answer: Sequence[int],
    confidence: float | Sequence[float] = 0.9,
    *,
    outputs: int = 10,
    names: Sequence[str] = (),
    rank: Sequence[int] | None = None,
    **more: Any,
) -> Evidence:
    """Evidence with the table "predictions"; `more` are columns of the table "attributes", or fields of Evidence."""
    given, said = np.array(label), np.array(answer)
    columns = {
        "image": np.arange(len(given)),
        "name": np.array(names or [f"{index}.jpg" for index in range(len(given))]),
        "label": given,
        "predicted": said,
        "confidence": np.broadcast_to(np.array(confidence, dtype=float), len(given)),
        "rank": np.where(given == said, 0, 1) if rank is None else np.array(rank),
    }
    tables = {"predictions": Table("predictions", columns)}
    fields = {name: more.pop(name) for name in ("labels", "folder", "numbers") if name in more}
    if more:
        tables["attributes"] = Table("attributes", {"image": columns["image"], **more})
    outline = Outline((3, 8, 8), (Layer("fc", "Linear", (outputs,), 1, False, None, None),))
    return Evidence(outline, len(given), tables=tables, **{"folder": Path(), **fields})


def classifier(
    count: int, outputs: int = 10, accuracy: float = 0.8, seed: int = 0
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Labels, spread evenly, and what a model of that accuracy answers; its mistakes fall anywhere."""
    random = np.random.default_rng(seed)
    label = np.arange(count) % outputs
    mistaken = random.random(count) >= accuracy
    return label, np.where(mistaken, (label + random.integers(1, outputs, count)) % outputs, label)
