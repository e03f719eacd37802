"""Every classification builder of torchvision with random weights: all layers are found, and a pass measures them all.

    python benchmarks/builders.py [--only GLOB] [--pictures 3] [--statistics NAME ...] [--json FILE]

Each builder runs in a process of its own, at the size of its published weights. Fails if any does.
"""

import argparse
import json
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torchvision.models import get_model_weights, list_models

from audit.config import ModelSection
from audit.data.made import Made
from audit.errors import SectionError, Unavailable
from audit.events import Silence
from audit.model.load import Model, load
from audit.records import Layer, Scalars, TopK
from audit.stream.correlation import Correlation
from audit.stream.firing import Firing
from audit.stream.histogram import Distribution
from audit.stream.maps import Maps
from audit.stream.moments import Moments
from audit.stream.reducer import Record, Reducer
from audit.stream.strongest import Strongest, Weakest
from audit.stream.sweep import sweep

BATCH, KEPT = 2, 9
COLUMNS = ("mean", "std", "min", "max", "share_of_images", "share_of_positions")
MORE: dict[str, Callable[[], Reducer]] = {
    "maps": Maps,
    "distributions": Distribution,
    "correlations": Correlation,
}


@dataclass(frozen=True)
class Outcome:
    """What became of one builder: seconds of loading and outline, and of the pass; no `problem` if all went well."""

    name: str
    size: int = 0
    layers: int = 0
    units: int = 0
    load: float = 0.0
    seconds: float = 0.0
    problem: str = ""


def main() -> int:
    """Prints the table, writes it where --json says; 1 if a builder failed, 2 if none was chosen."""
    options = parsed()
    if options.one:
        print(json.dumps(asdict(tried(options.one, options.pictures, options.statistics))))
        return 0
    names = [name for name in list_models(module=sys.modules["torchvision.models"]) if fnmatchcase(name, options.only)]
    outcomes = []
    for name in names:
        outcomes.append(alone(name, options.pictures, options.statistics))
        print(f"{len(outcomes)}/{len(names)} {name}: {outcomes[-1].problem or 'ok'}", file=sys.stderr, flush=True)
    show(outcomes)
    if options.json:
        options.json.write_text(json.dumps([row for outcome in outcomes for row in rows(outcome)], indent=1) + "\n")
    if not outcomes:
        return 2
    return int(any(outcome.problem for outcome in outcomes))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="*", help="builders whose names match")
    parser.add_argument("--pictures", type=int, default=3)
    parser.add_argument(
        "--statistics", nargs="*", default=["maps", "distributions"], choices=MORE, help="beside activations"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


def alone(name: str, pictures: int, chosen: Sequence[str]) -> Outcome:
    """Of a process of its own, whose memory is given back, and which may die."""
    command = [sys.executable, __file__, "--one", name, "--pictures", str(pictures), "--statistics", *chosen]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Outcome(**json.loads(done.stdout.splitlines()[-1]))
    last = done.stderr.strip().splitlines()[-1:] or ["no words"]
    return Outcome(name, problem=f"ended with {done.returncode}: {last[0]}")


def tried(name: str, pictures: int, chosen: Sequence[str]) -> Outcome:
    """The builder's outcome, whatever it raises."""
    try:
        return measured(name, pictures, chosen)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return Outcome(name, problem=f"{type(error).__name__} at {where}: {error}")


def measured(name: str, pictures: int, chosen: Sequence[str]) -> Outcome:
    """All layers of the builder, after a pass over random pictures."""
    begun = perf_counter()
    model, size = loaded(name)
    found = perf_counter()
    reducers = {layer.name: fresh(chosen) for layer in model.outline.layers}
    records = sweep(model, Made(Noise(pictures, size)), reducers, BATCH, Silence())
    passed = perf_counter()
    layers = model.outline.layers
    units = sum(layer.units for layer in layers)
    return Outcome(name, size, len(layers), units, found - begun, passed - found, problem(model, records))


def fresh(chosen: Sequence[str]) -> list[Reducer]:
    """The reducers of one layer."""
    return [Moments(), Firing(), Strongest(KEPT), Weakest(KEPT), *(MORE[name]() for name in chosen)]


def loaded(name: str) -> tuple[Model, int]:
    """The model at the size of its published weights; at 224 if the builder without them takes no other."""
    published = next(iter(get_model_weights(name))).transforms().crop_size[0]
    for size in (published, 224):
        section = ModelSection(name=name, factory=f"torchvision:{name}", input=(3, size, size), mean=0.5, std=0.25)
        try:
            return load(section, Path(), torch.device("cpu")), size
        except SectionError as error:
            if error.option != "input" or size == 224:
                raise
    raise AssertionError


@dataclass(frozen=True)
class Noise:
    """A dataset of `count` pictures of noise."""

    count: int
    size: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Image.Image:
        noise = np.random.default_rng(index).integers(0, 256, (self.size, self.size, 3), dtype=np.uint8)
        return Image.fromarray(noise)


def problem(model: Model, records: Mapping[str, Sequence[Record | Unavailable]]) -> str:
    """What is wrong with the outline or the records; empty if nothing is."""
    layers = model.outline.layers
    if (layers[-1].units, layers[-1].map_size) != (1000, (1, 1)):
        return f"the last layer is {layers[-1].name} of shape {layers[-1].shape}, not the 1000 classes"
    unmeasured = [layer.name for layer in layers if not complete(layer, records[layer.name])]
    return f"not measured: {', '.join(unmeasured[:3])} and others, {len(unmeasured)} in all" if unmeasured else ""


def complete(layer: Layer, records: Sequence[Record | Unavailable]) -> bool:
    """Whether every unit has a finite number in each of COLUMNS, and a row of strongest pictures."""
    columns = {
        name: column for record in records if isinstance(record, Scalars) for name, column in record.columns.items()
    }
    tops = [record for record in records if isinstance(record, TopK)]
    return all(
        name in columns and len(columns[name]) == layer.units and np.isfinite(columns[name]).all() for name in COLUMNS
    ) and any(len(top.value) == layer.units for top in tops)


def rows(outcome: Outcome) -> list[dict[str, object]]:
    """Name, value, unit; `ok` is 1 or 0."""
    numbers = [("layers", outcome.layers, ""), ("units", outcome.units, "")]
    seconds = [("load", outcome.load, "s"), ("pass", outcome.seconds, "s")]
    ok = [("ok", int(not outcome.problem), "")]
    return [
        {"name": f"{outcome.name}/{what}", "value": value, "unit": unit} for what, value, unit in numbers + seconds + ok
    ]


def show(outcomes: Sequence[Outcome]) -> None:
    table = Table("builder", "input", "layers", "units", "load, s", "pass, s", "result")
    for outcome in outcomes:
        timing = (f"{outcome.load:.1f}", f"{outcome.seconds:.1f}")
        numbers = map(str, (outcome.size, outcome.layers, outcome.units))
        table.add_row(outcome.name, *numbers, *timing, outcome.problem or "ok")
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    failed = sum(bool(outcome.problem) for outcome in outcomes)
    print(f"{len(outcomes) - failed} of {len(outcomes)} builders went through")


if __name__ == "__main__":
    sys.exit(main())
