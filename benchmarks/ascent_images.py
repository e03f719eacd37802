"""Finished images a second, ours beside those of lucent and torch-dreams, in alternation; the same weights, size of the
input, number of steps and threads.

We run `ascend` as an audit does: preset yosinski-3, its default batch, the canvas of the receptive field for units of
features.3 (early) and features.9 (middle), the whole input for the class units (last). A peer renders the unit at the
centre of the map on 224 x 224 pixels, its images in batches of each size asked for, once as it comes and once without
the random transformations that we do not have; the best of these stands for it. Loading, imports and a warm-up are not
timed; what a call does before its first and after its last step is.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from ascent_steps import Row
from torch import nn

from audit.ascent.canvas import Mode, canvas_of, proven
from audit.ascent.loop import ascend, default_batch
from audit.ascent.presets import BUILT_IN
from audit.ascent.rows import Job
from audit.model.outline import outline

SHAPE = (3, 224, 224)
MEAN, STD = (123 / 255, 117 / 255, 104 / 255), (1 / 255, 1 / 255, 1 / 255)  # of the released weights
WARM_UP = 2  # steps
SCRIPTS = Path(__file__).parent / "peers"
PEERS = {"lucent": "lucent_images.py", "torch-dreams": "dreams_images.py"}


@dataclass(frozen=True)
class Place:
    """Units of a layer, and what we optimize them on."""

    name: str
    layer: str
    canvas: Mode


PLACES = (
    Place("early", "features.3", "field"),
    Place("middle", "features.9", "field"),
    Place("last", "classifier.3", "full"),
)


@dataclass(frozen=True)
class Measurement:
    """What is equal for all: steps of an image, threads, device, file of weights (None: random); and how often."""

    steps: int
    turns: int
    threads: int
    batches: tuple[int, ...]  # of the peers
    device: torch.device
    weights: Path | None


def compared(
    network: nn.Module, measurement: Measurement, places: Sequence[Place], pythons: Mapping[str, str | None]
) -> list[Row]:
    """The rows of the places; `pythons` are the peers' interpreters, None where a peer is not run."""
    run = {peer: python for peer, python in pythons.items() if python is not None}
    missing = [peer for peer in pythons if peer not in run]
    return [row for place in places for row in rows_of(place, turns(network, place, measurement, run), missing)]


Turn = Mapping[str, float]  # "ours", or a peer and its way of working -> images a second


def turns(network: nn.Module, place: Place, measurement: Measurement, pythons: Mapping[str, str]) -> list[Turn]:
    """Images a second of all, turn by turn."""
    made: list[Turn] = []
    for _ in range(measurement.turns):
        turn = {"ours": ours(network, place, measurement)}
        for peer, python in pythons.items():
            turn |= {f"{peer}, {way}": value for way, value in theirs(peer, python, place, measurement).items()}
        made.append(turn)
    return made


def ours(network: nn.Module, place: Place, measurement: Measurement) -> float:
    """One default batch of `ascend`; an image that ends before its last step does not count.

    Units are counted up, then seeds; a start without a gradient, as the warm-up finds, is left out.
    """
    layer = outline(network, SHAPE).layer(place.layer)
    mean, std = (torch.tensor(values, device=measurement.device).view(3, 1, 1) for values in (MEAN, STD))
    canvas = proven(canvas_of(layer, SHAPE, place.canvas), network, layer, SHAPE, std)
    size, preset = default_batch(canvas.size, measurement.device), BUILT_IN["yosinski-3"]

    def climbed(jobs: Sequence[Job], steps: int) -> list[Job]:
        jobs = [replace(job, preset=preset.model_copy(update={"steps": steps})) for job in jobs]
        images = ascend(network, layer, jobs, canvas, mean=mean, std=std)
        return [image.job for image in images if image.steps == steps]

    candidates = [Job(number % layer.units, preset, seed=number // layer.units) for number in range(2 * size)]
    jobs = climbed(candidates, WARM_UP)[:size]
    begun = perf_counter()
    finished = climbed(jobs, measurement.steps)
    return len(finished) / (perf_counter() - begun)


def theirs(peer: str, python: str, place: Place, measurement: Measurement) -> dict[str, float]:
    """What the peer's own process says: way of working -> images a second."""
    command = [python, str(SCRIPTS / PEERS[peer]), place.layer, f"--steps={measurement.steps}", f"--warm-up={WARM_UP}"]
    command += [f"--threads={measurement.threads}", f"--device={measurement.device}"]
    command += ["--batches", *map(str, measurement.batches)]
    command += [] if measurement.weights is None else [f"--weights={measurement.weights}"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(measurement.threads), "PYTHONWARNINGS": "ignore"}
    if measurement.device.type == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""  # lucent takes a GPU wherever it sees one
    answer = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE).stdout
    said: dict[str, float] = json.loads(answer)
    return said


def rows_of(place: Place, made: Sequence[Turn], missing: Sequence[str]) -> list[Row]:
    """Our speedup over the best way of all peers, unknown where one was not run, and images a second of each."""
    name, ways = f"{place.name}/speedup", [name for name in made[0] if name != "ours"]
    rows: list[Row] = []
    if missing:
        rows.append({"name": name, "value": None, "unit": f"not run: no --{' and no --'.join(missing)} PYTHON"})
        name = f"{name}, over those run"
    if ways:
        rows += speedup(name, made, ways)
        rows += speedup(f"{name}, as they come", made, [way for way in ways if "as it comes" in way])
    for way in made[0]:
        values = [turn[way] for turn in made]
        unit = f"images/s ({min(values):.4g} to {max(values):.4g})"
        rows.append({"name": f"{place.name}/{way}", "value": median(values), "unit": unit})
    return rows


def speedup(name: str, made: Sequence[Turn], ways: Sequence[str]) -> list[Row]:
    """The median over the turns of our images a second over those of the best way, and its spread."""
    best = max(ways, key=lambda way: median(turn[way] for turn in made))
    ratios = [turn["ours"] / turn[best] for turn in made]
    return [
        {"name": name, "value": median(ratios), "unit": f"ratio, over {best}"},
        {"name": f"{name}, lowest turn", "value": min(ratios), "unit": "ratio"},
        {"name": f"{name}, highest turn", "value": max(ratios), "unit": "ratio"},
    ]
