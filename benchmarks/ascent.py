"""What the ascent costs, on SqueezeNet 1.0 at 224 x 224: a step beside its network, and finished images beside peers.

    python benchmarks/ascent.py [--lucent PYTHON] [--torch-dreams PYTHON] [--device cpu] [--threads 2] [--json FILE]
                                [--batch 16] [--pairs 9] [--steps 8] [--turns 5] [--peer-batches 1 4 16]
                                [--places early middle last]

`step/ratio` is a step on the whole input over its bare forward and backward pass (`ascent_steps.py`); `early/speedup`,
`middle/speedup` and `last/speedup` are our images a second over those of the best peer (`ascent_images.py`). Each peer
runs in a Python environment of its own: torch-lucent 0.1.8 with kornia<=0.4.1, and torch-dreams 4.0.0. The weights are
those of squeezenet1_0_imagenet.pth in DEEPVIS_DATA, or random.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from ascent_images import PEERS, PLACES, Measurement, compared
from ascent_steps import Row, steps
from rich.console import Console
from rich.table import Table
from torch import nn
from torchvision.models import squeezenet1_0


def main() -> None:
    """Prints the table, and writes it where --json says."""
    options = parsed()
    device = torch.device(options.device)
    torch.set_num_threads(options.threads)
    folder = os.environ.get("DEEPVIS_DATA")
    weights = Path(folder) / "squeezenet1_0_imagenet.pth" if folder else None
    network = squeezenet(weights).to(device)
    batches = tuple(options.peer_batches)
    measurement = Measurement(options.steps, options.turns, options.threads, batches, device, weights)
    rows = steps(network, options.batch, options.pairs, device)
    places = [place for place in PLACES if place.name in options.places]
    rows += compared(network, measurement, places, {peer: getattr(options, peer.replace("-", "_")) for peer in PEERS})
    show(rows, f"SqueezeNet 1.0, {weights.name if weights else 'random weights'}, {device}, {options.threads} threads")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU, in every process")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--batch", type=int, default=16, help="images of a step that is measured beside its network")
    parser.add_argument("--pairs", type=int, default=9, help="how often it is measured")
    parser.add_argument("--steps", type=int, default=8, help="of every finished image, ours and the peers'")
    parser.add_argument("--turns", type=int, default=5, help="how often we and the peers make images in alternation")
    parser.add_argument(
        "--peer-batches", type=int, nargs="+", default=[1, 4, 16], help="images of a peer's call; its best counts"
    )
    names = [place.name for place in PLACES]
    parser.add_argument("--places", nargs="+", choices=names, default=names, help="where images are made")
    for peer in PEERS:
        parser.add_argument(f"--{peer}", metavar="PYTHON", help=f"an interpreter that has {peer}")
    return parser.parse_args()


def squeezenet(weights: Path | None) -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = squeezenet1_0(weights=None).eval()
    if weights is not None:
        network.load_state_dict(torch.load(weights, "cpu", weights_only=True))
    return network


def show(rows: Sequence[Row], title: str) -> None:
    table = Table("what", "value", "unit", title=title)
    for row in rows:
        table.add_row(str(row["name"]), "-" if row["value"] is None else f"{row['value']:.4g}", str(row["unit"]))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    main()
