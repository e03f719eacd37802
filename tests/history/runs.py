"""Small runs of one model, stored as a run stores them; a test says what each of them found."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from audit.records import Item, Layer, Numbers, Outcome, Outline, Report, Scalars, Table, Verdict
from audit.store import write

LAYER = Layer("relu1", "ReLU", (8, 4, 4), 0, True, "relu1", None)


def report(
    outcomes: Mapping[str, Outcome],
    day: int = 1,
    *,
    model: str = "demo",
    top1: float = 0.9,
    dead: int = 1,
    weights: str = "a",
    **said: str,
) -> Report:
    """Of the January day; `outcomes` by task, `dead` of eight units never fire, `said` replaces provenance."""
    share = np.where(np.arange(8) < dead, 0.0, 0.5)
    columns = {
        "layer": np.array(["conv1", "conv1"]),
        "unit": np.array([0, 1]),
        "digest": np.array([f"{weights}0", f"{weights}1"]),
        "module": np.array([weights, weights]),
    }
    return Report(
        audit="Nightly",
        model=model,
        outline=Outline((3, 8, 8), (LAYER,)),
        verdicts=tuple(
            Verdict(Item("audit.toml", model, None, task), outcome, f"what {task} says")
            for task, outcome in outcomes.items()
        ),
        scalars=(Scalars("relu1", {"share_of_images": share}),),
        numbers=Numbers({"top1": top1, "parameters": 100.0}),
        tables=(Table("fingerprints", columns),),
        provenance={
            "started": f"2026-01-{day:02}T09:30:00+00:00",
            "seconds": "12.5",
            "device": "cpu (x86_64)",
            "checkpoint": "weights.pth",
            "checkpoint digest": weights * 64,
            "data digest": "d" * 64,
            **said,
        },
    )


def store(reports: Path, one: Report, name: str = "") -> Path:
    """Puts it where a run puts it, without pages."""
    stamp = one.provenance["started"][:19].replace("-", "").replace(":", "").replace("T", "-")
    folder = reports / one.model / (name or stamp)
    write(one, folder)
    return folder
