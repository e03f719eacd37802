"""What networks make of the optimized images of their classes: the network itself, and a second one.

    python benchmarks/recognition.py classes [--count 50] [--presets yosinski-3 none] [--threads 2] [--json FILE]
    python benchmarks/recognition.py second [--seeds 10] [--presets none l2 yosinski-1 ...] [--threads 2] [--json FILE]

`classes`: class units of SqueezeNet 1.0 (evenly spaced over the 1,000; the mean over the map of classifier.1, a class's
output before its ReLU), one seed each: how many end with their class as the strongest output, and with 99.6 % of the
softmax, the certainty of the fooling images of Nguyen et al. 2015.
`second`: ten classes of CIFAR-10 and some seeds on resnet20, shown to resnet32. Both need DEEPVIS_DATA.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch
from jaxtyping import Float
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import Tensor

from audit.analyses.optimized import FIRST_GRADIENT
from audit.ascent.canvas import canvas_of
from audit.ascent.loop import ascend
from audit.ascent.objective import Everywhere
from audit.ascent.presets import BUILT_IN
from audit.ascent.rows import Job, Optimized
from audit.model.load import Model
from audit.plan import prepare

EXAMPLES = Path(__file__).parents[1] / "examples"
CERTAIN = 0.996


def main() -> None:
    """Prints a row per preset, and writes them where --json says."""
    options = parsed()
    torch.set_num_threads(options.threads)
    rows = {"classes": classes, "second": second}[options.what](options)
    table = Table(*rows[0], title=__doc__.splitlines()[0])
    for row in rows:
        table.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values()))
    Console().print(table)
    if options.json:
        named = [
            {"name": f"{options.what}/{row['preset']}/{key}", "value": value, "unit": ""}
            for row in rows
            for key, value in row.items()
            if key != "preset"
        ]
        options.json.write_text(json.dumps(named, indent=1) + "\n")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("classes", "second"))
    parser.add_argument("--count", type=int, default=50, help="class units of SqueezeNet")
    parser.add_argument("--seeds", type=int, default=10, help="images per class of CIFAR-10")
    parser.add_argument("--presets", nargs="+", choices=BUILT_IN, default=None)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def classes(options: argparse.Namespace) -> list[dict[str, object]]:
    """Of each preset: shares of the classes that lead, and that are certain, at the end."""
    model = prepare(EXAMPLES / "squeezenet.toml").subjects["squeezenet"].model
    units = np.linspace(0, 999, options.count).round().astype(int).tolist()
    rows = []
    for name in options.presets or ("yosinski-3", "none"):
        images = made(model, "classifier.1", units, [0], name, everywhere="mean")
        probability = probabilities(model, images)
        own = probability[torch.arange(len(units)), units]
        rows.append(
            {
                "preset": name,
                "classes": len(units),
                "top-1": float((probability.argmax(1) == torch.tensor(units)).double().mean()),
                "certain": float((own >= CERTAIN).double().mean()),
                "median probability": median(own.tolist()),
                "not leading": ", ".join(
                    str(unit) for unit, row in zip(units, probability, strict=True) if row.argmax() != unit
                ),
            }
        )
    return rows


def second(options: argparse.Namespace) -> list[dict[str, object]]:
    """Of each preset: shares of the images that the network itself and the second one take for their class."""
    subjects = prepare(EXAMPLES / "cifar.toml").subjects
    first, other = subjects["resnet20"].model, subjects["resnet32"].model
    units, seeds = list(range(10)), list(range(options.seeds))
    wanted = torch.tensor([unit for unit in units for _ in seeds])
    rows = []
    for name in options.presets or BUILT_IN:
        images = made(first, first.outline.layers[-1].name, units, seeds, name)
        own, others = probabilities(first, images), probabilities(other, images)
        rows.append(
            {
                "preset": name,
                "images": len(images),
                "resnet20": float((own.argmax(1) == wanted).double().mean()),
                "resnet32": float((others.argmax(1) == wanted).double().mean()),
                "resnet32 probability": float(others[torch.arange(len(wanted)), wanted].mean()),
            }
        )
    plain = next((row["resnet32"] for row in rows if row["preset"] == "none"), float("nan"))
    return [row | {"over none": row["resnet32"] / plain if plain else float("inf")} for row in rows]


def made(
    model: Model,
    layer: str,
    units: Sequence[int],
    seeds: Sequence[int],
    preset: str,
    *,
    everywhere: Everywhere | None = None,
) -> list[Optimized]:
    """An image per unit and seed on the whole input, at the rates that an audit uses."""
    chosen = model.outline.layer(layer)
    jobs = [Job(unit, BUILT_IN[preset], seed) for unit in units for seed in seeds]
    canvas = canvas_of(chosen, model.outline.input_shape, "full", everywhere)
    with Progress(console=Console(stderr=True)) as progress:
        return ascend(
            *(model.network, chosen, jobs, canvas),
            mean=model.mean,
            std=model.std,
            classes=model.outline.is_output(chosen),
            first_gradient=FIRST_GRADIENT,
            listener=Bars(progress),
        )


class Bars:
    """Shows how far an ascent is."""

    def __init__(self, progress: Progress):
        self.progress = progress

    def begin(self, work: str, total: int) -> None:
        self.bar = self.progress.add_task(work, total=total)

    def advance(self, work: str, steps: int) -> None:
        self.progress.advance(self.bar, steps)

    def end(self, work: str) -> None:
        self.progress.remove_task(self.bar)


@torch.inference_mode()
def probabilities(model: Model, images: Sequence[Optimized]) -> Float[Tensor, "image class"]:
    """Softmax of a network's outputs for the images as they would be stored: pixels rounded to 0..255."""
    pixels = torch.from_numpy(np.stack([result.image for result in images])) + 255 * model.mean
    shown = (pixels.round().clamp(0, 255) / 255 - model.mean) / model.std
    return torch.cat([model.network(part).double().softmax(1) for part in shown.float().split(25)])


if __name__ == "__main__":
    main()
