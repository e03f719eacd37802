"""A step of each of the paper's presets on the whole input, beside its bare forward and backward pass, in turns."""

from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch
from torch import nn

from audit.ascent.canvas import canvas_of
from audit.ascent.loop import Ground, look_and_step
from audit.ascent.objective import Reading, activations_at, frozen
from audit.ascent.presets import BUILT_IN, Preset
from audit.ascent.rows import Job, Rows
from audit.model.outline import outline
from audit.model.precision import exact_arithmetic

LAYER = "features.5"
SHAPE = (3, 224, 224)

Row = dict[str, str | float | None]


def steps(network: nn.Module, batch: int, pairs: int, device: torch.device) -> list[Row]:
    """Ratio and seconds of every preset; `step/ratio` is that of the preset for which it is worst."""
    paper = {name: preset for name, preset in BUILT_IN.items() if name.startswith("yosinski")}
    each = {name: measured(network, preset, batch, pairs, device) for name, preset in paper.items()}
    worst = max(each, key=lambda name: ratio(each[name]))
    what = f"of {batch} images up to {LAYER}"
    rows: list[Row] = [{"name": "step/ratio", "value": ratio(each[worst]), "unit": f"ratio, worst preset: {worst}"}]
    for name, times in each.items():
        rows += [
            {"name": f"step/ratio/{name}", "value": ratio(times), "unit": "ratio"},
            {"name": f"step/seconds/{name}", "value": median(step for step, _ in times), "unit": f"s {what}"},
            {"name": f"step/bare/{name}", "value": median(bare for _, bare in times), "unit": f"s {what}"},
        ]
    return rows


def ratio(times: list[tuple[float, float]]) -> float:
    """The median of the ratios of neighbours."""
    return median(step / bare for step, bare in times)


def measured(
    network: nn.Module, preset: Preset, batch: int, pairs: int, device: torch.device
) -> list[tuple[float, float]]:
    """Pairs of seconds of a step and of its bare passes, each the mean of four in a row; one of the four blurs."""
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
        return [(seconds(period, device) / 4, seconds(four, device) / 4) for _ in range(pairs)]


def seconds(work: Callable[[], object], device: torch.device) -> float:
    begun = perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter() - begun
