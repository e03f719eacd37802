"""What backward views and occlusion cost beside captum and zennit, in float32, with equal threads, in turns.

    python benchmarks/attribution.py --peers PYTHON [--threads 1] [--turns 3] [--rounds 3] [--json FILE]
                                     [--jobs image patches occlusion] [--networks resnet18 squeezenet1_0]

PYTHON is an interpreter that has captum 0.9.0, zennit 0.5.1 and the same torch and torchvision. Weights are random, the
same for all. `image/WAY/NETWORK`: gradient, guided backpropagation and deconvnet of the strongest class on a picture of
224 x 224. `patches/WAY/NETWORK`: of a unit of a middle layer, from where it is strongest in each of nine pictures, in
our case from the receptive fields. `occlusion/NETWORK`: a class under 784 windows of 15 pixels, 8 apart (ours: the last
of each axis ends with the picture, theirs is cut off). Each figure is the best peer's seconds over ours, the median
over the rounds; beside it stands how far ours is from captum's, over its largest value. In float32 a ReLU whose input
is all but zero may be on in one way of computing and off in another, which moves single pixels by up to a hundredth.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from ascent import show
from ascent_steps import Row
from torch import Tensor, nn
from torchvision import models

from audit.analyses.crops import canvas_for, crop_for
from audit.analyses.occlusion import covers, heat_map
from audit.analyses.passed_back import PassBack, Rules, passing_back
from audit.analyses.reading import Place, reading_of
from audit.ascent.canvas import Canvas
from audit.config import ModelSection
from audit.model import rules
from audit.model.hooks import Observer
from audit.model.load import Model
from audit.model.outline import maps, outline
from audit.records import Layer

SHAPE = (3, 224, 224)
WAYS: dict[str, Rules | None] = {"gradient": None, "guided": rules.guided, "deconv": rules.deconvnet}
MIDDLE = {"resnet18": "layer2", "squeezenet1_0": "features.9"}
SCRIPT = Path(__file__).parent / "peers" / "attribution_times.py"
SIDE, STRIDE = 15, 8

Found = dict[str, tuple[list[float], np.ndarray]]  # way -> seconds of every turn, and the last result


def image(model: Model, asked: dict[str, Any], turns: int) -> Found:
    return of_each_way(model, model.outline.layers[-1], turns, lambda back: class_of(back, asked))


def class_of(back: PassBack, asked: dict[str, Any]) -> Tensor:
    return back(asked["pictures"], [asked["unit"]], [(0, 0)]).gradient


def patches(model: Model, asked: dict[str, Any], turns: int) -> Found:
    layer = model.outline.layer(asked["layer"])
    canvas = canvas_for(model, layer)  # proven once for a layer and all its units
    return of_each_way(model, layer, turns, lambda back: nine_of(back, layer, canvas, asked))


def nine_of(back: PassBack, layer: Layer, canvas: Canvas, asked: dict[str, Any]) -> Tensor:
    pictures, groups = asked["pictures"], {}
    crops = [crop_for(layer, canvas, SHAPE[1:], place) for place in asked["places"]]
    for number, crop in enumerate(crops):
        groups.setdefault((crop.size, crop.seen), []).append(number)
    found = torch.zeros_like(pictures)
    for (_, seen), members in groups.items():
        boxes = [crops[number].box for number in members]
        shown = [pictures[n, :, box[0] : box[2], box[1] : box[3]] for n, box in zip(members, boxes, strict=True)]
        positions = [crops[number].position for number in members]
        made = back(torch.stack(shown), [asked["unit"]] * len(members), positions, seen)
        for number, box, gradient in zip(members, boxes, made.gradient, strict=True):
            found[number, :, box[0] : box[2], box[1] : box[3]] = gradient
    return found


def of_each_way(model: Model, layer: Layer, turns: int, run: Callable[[PassBack], Tensor]) -> Found:
    """What an audit does once for a layer, as what peers do once for a network, is not timed."""
    found: Found = {}
    for name, rule in WAYS.items():
        with passing_back(model, layer, rule) as back:
            found[name] = timed(partial(run, back), turns)
    return found


def occlusion(model: Model, asked: dict[str, Any], turns: int) -> Found:
    layer, picture = model.outline.layers[-1], asked["pictures"][0].numpy()
    places = covers(SHAPE[1:], SIDE, STRIDE, (0, 0, *SHAPE[1:]))

    place = Place(asked["unit"], (0, 0))
    with reading_of(model, layer, "activation") as reading:

        def run() -> Tensor:
            whole, values = reading.with_and_without(picture, np.zeros_like(picture), places, place)
            return torch.from_numpy(heat_map(whole - values, places, SHAPE[1:]))

        return {"occlusion": timed(run, turns)}


JOBS = {"image": image, "patches": patches, "occlusion": occlusion}


def timed(run: Callable[[], Tensor], turns: int) -> tuple[list[float], np.ndarray]:
    run()
    seconds = []
    for _ in range(turns):
        begun = perf_counter()
        found = run()
        seconds.append(perf_counter() - begun)
    return seconds, found.numpy()


def job_of(job: str, model: Model) -> dict[str, Any]:
    """What all are asked for; `units` are those of the output."""
    generator = torch.Generator().manual_seed(1)
    pictures = torch.rand(9 if job == "patches" else 1, *SHAPE, generator=generator) - 0.5
    name = MIDDLE[model.section.name] if job == "patches" else model.outline.layers[-1].name
    layer, made = model.outline.layer(name), []
    with torch.no_grad(), Observer(model.network, [name], lambda _, output: made.append(output.clone())) as observer:
        observer.run(pictures)
    values = maps(made[0], layer.layout).flatten(2)
    unit = int(values[0].amax(1).argmax())
    places = [divmod(int(at), layer.map_size[1]) for at in values[:, unit].argmax(1)]
    asked = {"pictures": pictures, "unit": unit, "units": layer.units, "layer": name, "places": places}
    return asked | {"side": SIDE, "stride": STRIDE, "batches": [1, 16]}


def model_of(name: str) -> Model:
    """With random weights; normalisations as of a trained network, so that folding or skipping them shows."""
    torch.manual_seed(0)
    network: nn.Module = getattr(models, name)(weights=None).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    section = ModelSection(name=name, factory=f"torchvision.models:{name}", input=SHAPE)
    zeros, ones = torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
    return Model(section, network, outline(network, SHAPE), (), "", torch.device("cpu"), zeros, ones)


def compared(job: str, model: Model, options: argparse.Namespace) -> list[Row]:
    """Ours and the peers' in turns; each row is the best peer over us."""
    asked = job_of(job, model)
    ours: list[Found] = []
    theirs: list[dict[str, list[float]]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.save(model.network.state_dict(), folder / "state.pt")
        torch.save(asked, folder / "job.pt")
        command = [options.peers, str(SCRIPT), job, name, f"--network={model.section.name}"]
        command += [f"--turns={options.turns}", f"--threads={options.threads}"]
        for _ in range(options.rounds):
            ours.append(JOBS[job](model, asked, options.turns))
            theirs.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
        results = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    rows: list[Row] = []
    for way in ours[0]:
        name = f"{job}/{model.section.name}" if way == job else f"{job}/{way}/{model.section.name}"
        own = [min(found[way][0]) for found in ours]
        peers = {peer: [min(their[peer]) for their in theirs] for peer in theirs[0] if peer.startswith(f"{way},")}
        rows += rows_of(name, own, peers)
        reference = next(result for peer, result in results.items() if peer.startswith(f"{way}, captum"))
        rows.append({"name": f"{name}/difference", "value": difference(ours[0][way][1], reference), "unit": "ratio"})
    return rows


def rows_of(name: str, own: Sequence[float], peers: Mapping[str, Sequence[float]]) -> list[Row]:
    """The best peer over us, and seconds of all; the fastest turn of every round counts."""
    best = min(peers, key=lambda peer: median(peers[peer]))
    ratios = [their / ours for ours, their in zip(own, peers[best], strict=True)]
    spread = f"{min(ratios):.3g} to {max(ratios):.3g}"
    rows: list[Row] = [
        {"name": name, "value": median(ratios), "unit": f"ratio ({spread}), over {best}"},
        {"name": f"{name}/ours", "value": median(own), "unit": "s"},
    ]
    return rows + [{"name": f"{name}/{peer}", "value": median(times), "unit": "s"} for peer, times in peers.items()]


def difference(found: np.ndarray, reference: np.ndarray) -> float:
    """The largest, over captum's largest value; of occlusion where all windows are the same."""
    if found.ndim == 2:
        found, reference = found[:200, :200], reference[0, 0, :200, :200]
    return float(np.abs(found - reference).max() / np.abs(reference).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True, metavar="PYTHON", help="an interpreter with captum and zennit")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--turns", type=int, default=3, help="of every way in a round; the fastest counts")
    parser.add_argument("--rounds", type=int, default=3, help="how often we and the peers take turns")
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--networks", nargs="+", choices=MIDDLE, default=list(MIDDLE))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows: list[Row] = []
    for job in options.jobs:
        for name in options.networks if job != "occlusion" else ["resnet18"]:
            rows += compared(job, model_of(name), options)
    show(rows, f"attribution, float32, {options.threads} threads")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
