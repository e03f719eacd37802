"""What a step of the ascent costs beside its network: a full-canvas step of each preset against the bare forward and
backward pass up to the same layer (features.5 of SqueezeNet 1.0, random weights), in turns, in one run.

    python benchmarks/ascent.py [--batch 16] [--pairs 9] [--device cpu] [--threads 2] [--json FILE]
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from rich.console import Console
from rich.table import Table
from torchvision.models import squeezenet1_0

from audit.ascent.canvas import canvas_of
from audit.ascent.loop import Ground, look_and_step
from audit.ascent.objective import Reading, activations_at, frozen
from audit.ascent.presets import BUILT_IN, Preset
from audit.ascent.rows import Job, Rows
from audit.model.outline import outline
from audit.model.precision import exact_arithmetic

LAYER = "features.5"
SHAPE = (3, 224, 224)


def main() -> None:
    """Prints the table, and writes it where --json says."""
    options = parsed()
    device = torch.device(options.device)
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    rows = [
        row for name, preset in BUILT_IN.items() for row in measured(name, preset, options.batch, options.pairs, device)
    ]
    show(rows, options.batch, device)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def measured(name: str, preset: Preset, batch: int, pairs: int, device: torch.device) -> list[dict[str, object]]:
    """Median seconds of a step and of the bare passes, and of the ratios of neighbours; four steps, one blurs."""
    network = squeezenet1_0(weights=None).eval().to(device)
    layer = outline(network, SHAPE).layer(LAYER)
    position = canvas_of(layer, SHAPE, "full").position
    mean = torch.full((3, 1, 1), 0.45, device=device)
    jobs = [Job(unit, preset, seed=unit) for unit in range(batch)]
    truncated = network.features[: int(LAYER.rpartition(".")[2]) + 1]
    with (
        frozen(network),
        exact_arithmetic(),
        torch.no_grad(),
        activations_at(network, Reading(layer, position)) as activations,
    ):
        ground = Ground.of(activations, layer.units, mean, mean / 2)
        rows = Rows.of(jobs, layer.units, SHAPE[1:], mean)
        shown = (rows.point * ground.scale).contiguous(memory_format=torch.channels_last)

        def bare() -> None:
            with torch.enable_grad():
                image = shown.detach().requires_grad_()
                reached = truncated(image)[:, :, position[0], position[1]].gather(1, rows.unit[:, None])
                torch.autograd.grad(reached.sum(), image)

        def four() -> None:
            for _ in range(4):
                bare()

        def period() -> None:
            for step in range(4):
                look_and_step(ground, rows, [(slice(0, batch), preset)], step)

        seconds(period, device), seconds(bare, device)
        times = [(seconds(period, device) / 4, seconds(four, device) / 4) for _ in range(pairs)]
    ratio = median(step / passes for step, passes in times)
    return [
        {"name": f"ascent step, {name}", "value": median(step for step, _ in times), "unit": "s"},
        {"name": f"bare passes beside {name}", "value": median(passes for _, passes in times), "unit": "s"},
        {"name": f"ascent step / bare passes, {name}", "value": ratio, "unit": "ratio"},
    ]


def seconds(work: Callable[[], None], device: torch.device) -> float:
    begun = perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter() - begun


def show(rows: list[dict[str, object]], batch: int, device: torch.device) -> None:
    table = Table("what", "value", "unit", title=f"{LAYER} of SqueezeNet 1.0, {batch} images of 224 x 224, {device}")
    for row in rows:
        table.add_row(str(row["name"]), f"{row['value']:.4g}", str(row["unit"]))
    Console().print(table)


if __name__ == "__main__":
    main()
