"""What a step of the ascent costs with a lighter network: its normalisations folded, in bfloat16, and both, over a step
with a plain copy of it (random weights, one thread, processor time), in turns, in one run.

    python benchmarks/lighter.py [--layers resnet18:layer3.0.conv2 ...] [--batch 8] [--rounds 7] [--json FILE]
"""

import argparse
import json
from copy import deepcopy
from pathlib import Path
from statistics import median
from time import process_time

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torchvision.models import get_model

from audit.ascent.canvas import Canvas, canvas_of
from audit.ascent.lighter import lighter, rounded
from audit.ascent.loop import Ground, look_and_step
from audit.ascent.objective import Reading, activations_at, frozen
from audit.ascent.presets import BUILT_IN
from audit.ascent.rows import Job, Rows
from audit.model.memory import fast_order, in_order
from audit.model.outline import outline
from audit.model.precision import exact_arithmetic
from audit.records import Layer

SHAPE = (3, 224, 224)
LAYERS = ["resnet18:layer3.0.conv2", "resnet18:fc", "mobilenet_v3_small:features.6", "mobilenet_v3_small:classifier.3"]
PRESET, STEPS = BUILT_IN["yosinski-3"], 2


def main() -> None:
    """Prints the table, and writes it where --json says."""
    options = parsed()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rows = [row for place in options.layers for row in measured(place, options.batch, options.rounds)]
    table = Table("what", "ratio", title=f"a step of {options.batch} images, over that of the network as it is")
    for row in rows:
        table.add_row(str(row["name"]), f"{row['value']:.3f}")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", nargs="+", default=LAYERS, metavar="NETWORK:LAYER")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def measured(place: str, batch: int, rounds: int) -> list[dict[str, object]]:
    """The median ratio of each version; "again" is the network itself, and shows what the machine does."""
    builder, _, name = place.partition(":")
    network = get_model(builder, weights=None).eval()
    layer = outline(network, SHAPE).layer(name)
    folded = lighter(network, SHAPE, [name])
    versions = {"as it is": deepcopy(network), "again": deepcopy(network), "folded": folded}
    versions |= {"bf16": rounded(network), "folded, bf16": rounded(folded)}
    canvas = canvas_of(layer, SHAPE)
    times: dict[str, list[float]] = {version: [] for version in versions}
    for turn in range(rounds):
        for version in list(versions)[:: 1 if turn % 2 else -1]:
            times[version].append(seconds(versions[version], layer, canvas, batch))
    base = times.pop("as it is")
    return [
        {"name": f"{place}, {version}", "value": median(t / b for t, b in zip(own, base, strict=True)), "unit": "ratio"}
        for version, own in times.items()
    ]


def seconds(network: nn.Module, layer: Layer, canvas: Canvas, batch: int) -> float:
    """Of a step, after one that warms up."""
    mean = torch.full((3, 1, 1), 0.45)
    rows = Rows.of([Job(seed % layer.units, PRESET, seed) for seed in range(batch)], layer.units, canvas.size, mean)
    with (
        frozen(network),
        in_order(network, fast_order(network)),
        exact_arithmetic(),
        torch.no_grad(),
        activations_at(network, Reading(layer, canvas.position)) as activations,
    ):
        ground = Ground.of(activations, layer.units, mean, mean / 2)
        look_and_step(ground, rows, [(slice(0, batch), PRESET)], 0)
        begun = process_time()
        for step in range(1, 1 + STEPS):
            look_and_step(ground, rows, [(slice(0, batch), PRESET)], step)
        return (process_time() - begun) / STEPS


if __name__ == "__main__":
    main()
