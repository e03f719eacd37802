"""What the pass costs beside its network: all statistics of every convolution and activation against the fastest bare
forward pass to the same last layer, in turns, in one run. Random weights, noise of 224 x 224 pixels. "tier 1" is what
every audit measures: moments, extremes, firing, the 9 strongest and weakest images; "all" adds histograms,
saturation and correlations. The bare forward takes the batch at once; the pass cuts it into parts that stay in the
cache, so that it can be faster. "in the same parts" is the ratio to a bare forward that does so too.

    python benchmarks/pass.py [--batch 32] [--pairs 7] [--device cpu] [--threads 2] [--models a b] [--json FILE]
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torchvision import models

from audit.model.hooks import Observer
from audit.model.memory import in_order
from audit.model.outline import outline
from audit.model.precision import exact_arithmetic
from audit.records import NONLINEAR
from audit.stream.correlation import Correlation
from audit.stream.firing import Firing
from audit.stream.histogram import Distribution
from audit.stream.moments import Moments
from audit.stream.reducer import Reducer
from audit.stream.saturation import Saturation
from audit.stream.strongest import Strongest, Weakest
from audit.stream.sweep import images_at_once, measuring

MODELS = ("squeezenet1_0", "resnet18", "mobilenet_v3_small", "vit_b_16")
SHAPE = (3, 224, 224)
TIER_1: tuple[Callable[[], Reducer], ...] = (Moments, Firing, Strongest, Weakest)
TIERS: dict[str, tuple[Callable[[], Reducer], ...]] = {
    "": TIER_1,
    "/all": (*TIER_1, Distribution, Saturation, Correlation),
}
ORDERS = (torch.channels_last, torch.contiguous_format)

Row = dict[str, object]


def main() -> None:
    """Prints the table, and writes it where --json says."""
    options = parsed()
    device = torch.device(options.device)
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    rows: list[Row] = []
    for name in options.models:
        network = models.get_model(name, weights=None).eval().to(device)
        pixels = torch.randn(options.batch, *SHAPE, device=device)
        for tier, reducers in TIERS.items():
            rows += measured(name + tier, network, pixels, reducers, options.pairs)
    show(rows, f"{options.batch} images of 224 x 224, {device}, {options.threads} threads, {options.pairs} pairs")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def measured(
    name: str, network: nn.Module, pixels: torch.Tensor, reducers: Sequence[Callable[[], Reducer]], pairs: int
) -> list[Row]:
    """Median seconds of the pass and of the bare forward, and the median and quartiles of the ratios of neighbours."""
    every = outline(network, SHAPE).layers
    layers = [layer for layer in every if layer.kind == "Conv2d" or layer.function in NONLINEAR]
    states = {layer.name: [reducer() for reducer in reducers] for layer in layers}
    order = fastest(network, pixels, layers[-1].name)
    images = torch.arange(len(pixels))

    def whole() -> float:
        with measuring(network, every, states) as show:
            return seconds(lambda: show(pixels, images), pixels.device)

    def without(parts: int) -> float:
        return bare(network, pixels, layers[-1].name, order, parts)

    parts = images_at_once(every, pixels.device)
    whole(), whole()
    times = [(whole(), without(len(pixels)), without(parts)) for _ in range(pairs)]
    ratios = sorted(one / other for one, other, _ in times)
    return [
        {"name": f"{name}/ratio", "value": median(ratios), "unit": "ratio"},
        {"name": f"{name}/ratio, lower quartile", "value": ratios[len(ratios) // 4], "unit": "ratio"},
        {"name": f"{name}/ratio, upper quartile", "value": ratios[-1 - len(ratios) // 4], "unit": "ratio"},
        {
            "name": f"{name}/ratio, in the same parts",
            "value": median(one / small for one, _, small in times),
            "unit": "ratio",
        },
        {"name": f"{name}/pass", "value": median(one for one, _, _ in times), "unit": "s"},
        {"name": f"{name}/bare", "value": median(other for _, other, _ in times), "unit": "s"},
        {"name": f"{name}/layers", "value": len(layers), "unit": "layers"},
    ]


def fastest(network: nn.Module, pixels: torch.Tensor, last: str) -> torch.memory_format:
    """The order in memory in which the bare forward pass is faster."""
    times = {order: [bare(network, pixels, last, order, len(pixels)) for _ in range(4)][1:] for order in ORDERS}
    return min(ORDERS, key=lambda order: min(times[order]))


def bare(network: nn.Module, pixels: torch.Tensor, last: str, order: torch.memory_format, parts: int) -> float:
    """Seconds of forward passes of `parts` images each that end at the layer `last` and measure nothing."""
    shown = [part.contiguous(memory_format=order) for part in torch.split(pixels, parts)]
    with (
        in_order(network, order),
        torch.inference_mode(),
        exact_arithmetic(),
        Observer(network, [last], lambda *_: None) as observer,
    ):
        return seconds(lambda: [observer.run(part) for part in shown], pixels.device)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    begun = perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter() - begun


def show(rows: list[Row], title: str) -> None:
    table = Table("what", "value", "unit", title=title)
    for row in rows:
        table.add_row(str(row["name"]), f"{row['value']:.4g}", str(row["unit"]))
    Console().print(table)


if __name__ == "__main__":
    main()
