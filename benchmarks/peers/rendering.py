"""What the scripts of lucent and torch-dreams share: command line, network, clock; ways to render -> images a second.

    python SCRIPT LAYER [--weights FILE] [--steps 8] [--warm-up 2] [--threads 1] [--batches 1 4 16] [--device cpu]

prints a JSON object: way of rendering and size of the batch -> finished images a second of one call, after a warm-up.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from time import perf_counter

import torch
from torch import nn
from torchvision.models import squeezenet1_0

SIZE = 224

Render = Callable[[int, int], object]  # images (of units 0, 1, ...), steps -> the finished images


def report(ways_of: Callable[[nn.Module, str, str], Mapping[str, Render]]) -> None:
    """Measures what `ways_of(network, layer, device)` offers, one after another."""
    options = parsed()
    torch.set_num_threads(options.threads)
    network = squeezenet(options.weights).to(options.device)
    ways = ways_of(network, options.layer, options.device)
    print(
        json.dumps(
            {
                f"{way}, batch {batch}": batch / seconds(render, batch, options)
                for way, render in ways.items()
                for batch in options.batches
            }
        )
    )


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layer")
    parser.add_argument("--weights", help="a state dict; random weights without")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--warm-up", type=int, default=2, help="steps that are not timed")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def squeezenet(weights: str | None) -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = squeezenet1_0(weights=None).eval()
    if weights:
        network.load_state_dict(torch.load(weights, "cpu", weights_only=True))
    return network


def seconds(render: Render, batch: int, options: argparse.Namespace) -> float:
    """Of a whole call, from its first line to the finished images in the host's memory."""
    render(batch, options.warm_up)
    begun = perf_counter()
    render(batch, options.steps)
    return perf_counter() - begun
