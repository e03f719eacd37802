"""Deconvnet, guided backpropagation and gradient on every classification builder of torchvision, beside a reference.

    python benchmarks/rules.py [--only GLOB] [--peers PYTHON --peer-networks resnet18 googlenet ...] [--json FILE]

The reference runs the same network with every rectifier written out as an autograd function with the rule; ours is what
an audit computes. In float64, from the strongest class of a picture of noise; each figure is the largest difference,
over the reference's largest value. Each builder runs in a process of its own. Fails where one is beyond 1e-5. PYTHON is
an interpreter that has captum and zennit: what they say of the named networks is held against the reference, too.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.autograd import Function
from torchvision import models

from audit.analyses.passed_back import Rules, passing_back
from audit.config import ModelSection
from audit.model import rules
from audit.model.hooks import Observer
from audit.model.load import Model
from audit.model.operators import Functions
from audit.model.outline import outline

WAYS: dict[str, Rules | None] = {"gradient": None, "guided": rules.guided, "deconv": rules.deconvnet}
NETWORKS = ["resnet18", "squeezenet1_0", "googlenet", "inception_v3", "densenet121"]
RECTIFIERS = {
    *("relu", "relu6", "hardtanh", "leaky_relu", "prelu", "elu", "selu", "celu"),
    *("softplus", "silu", "gelu", "mish", "hardswish"),
}
LIMIT = 1e-5
SCRIPT = Path(__file__).parent / "peers" / "attribution_times.py"


class WrittenOut(Function):
    """A rectifier of which the rule is part: what arrives and is positive, and for guided only where its slope is."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, rectifier: Callable[[Tensor], Tensor], way: str) -> Tensor:
        with torch.enable_grad():
            inside = value.detach().clone().requires_grad_()
            ctx.made, ctx.inside, ctx.way = rectifier(inside.clone()), inside, way
        return ctx.made.detach()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        if ctx.way == "deconv":
            return torch.where(gradient > 0, gradient, 0), None, None
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(ctx.made.sum(), ctx.inside)
        return torch.where((gradient > 0) & (slope > 0), gradient * slope, 0), None, None


def written_out(way: str) -> Functions:
    """Every rectifier that Python calls is `WrittenOut`."""

    def called(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if getattr(function, "__name__", "").strip("_") not in RECTIFIERS or not args:
            return function(*args, **kwargs)
        value, *others = args
        return WrittenOut.apply(value, lambda shown: function(shown, *others, **kwargs), way)

    return Functions(called)


def reference(model: Model, pictures: Tensor, unit: int, way: str) -> Tensor:
    """From the class back to the picture, by plain autograd; outputs begin before a last ReLU, as ours do."""
    shown, seen = pictures.clone().requires_grad_(), []
    layer = model.outline.layers[-1]
    observer = Observer(model.network, [layer.name], lambda _, out: seen.append(out), before_rectifier=True)
    with observer, nullcontext() if way == "gradient" else written_out(way):
        observer.run(shown)
    (gradient,) = torch.autograd.grad(seen[0][:, unit].sum(), shown)
    return gradient


def measured(name: str, peers: str | None) -> dict[str, float]:
    """What was computed -> how far it is from the reference."""
    model = model_of(name)
    layer = model.outline.layers[-1]
    pictures = (
        torch.rand(1, *model.section.input, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) - 0.5
    )
    with torch.no_grad():
        unit = int(model.network(pictures)[0].argmax())
    expected = {way: reference(model, pictures, unit, way).numpy() for way in WAYS}
    found: dict[str, np.ndarray] = {}
    for way, rule in WAYS.items():
        with passing_back(model, layer, rule) as back:
            found[way] = back(pictures, [unit], [(0, 0)]).gradient.numpy()
    if peers:
        found |= of_peers(peers, model, pictures, unit)
    result = {what: off(made, expected[what.partition(",")[0]]) for what, made in found.items()}
    plainly = {f"{what}, from the gradient": off(found[what], expected["gradient"]) for what in found if "," in what}
    return result | {what: value for what, value in plainly.items() if not what.startswith("gradient")}


def off(found: np.ndarray, expected: np.ndarray) -> float:
    """NaN, which is no small number, where the reference is nothing but zeros."""
    largest = np.abs(expected).max()
    return float(np.abs(found - expected).max() / largest) if largest > 0 else float("nan")


def of_peers(peers: str, model: Model, pictures: Tensor, unit: int) -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.save(model.network.state_dict(), folder / "state.pt")
        torch.save({"pictures": pictures, "unit": unit, "units": 1000}, folder / "job.pt")
        command = [peers, str(SCRIPT), "image", name, f"--network={model.section.name}", "--turns=1"]
        subprocess.run(command, check=True, stdout=subprocess.PIPE)
        return {path.stem: np.load(path) for path in folder.glob("*.npy")}


def model_of(name: str) -> Model:
    """In float64; weights that a builder leaves at zero are random, since nothing would come back."""
    torch.manual_seed(0)
    network: nn.Module = models.get_model(name, weights=None).double().eval().requires_grad_(False)
    for weight in network.parameters():
        if weight.dim() > 1 and not weight.any():
            weight.normal_(0, 0.02)
    for side in (96, 224):
        section = ModelSection(name=name, factory=f"torchvision.models:{name}", input=(3, side, side))
        try:
            sketch = outline(network, section.input)
        except Exception:  # transformers take one size only
            if side == 224:
                raise
        else:
            break
    zeros, ones = torch.zeros(3, 1, 1).double(), torch.ones(3, 1, 1).double()
    return Model(section, network, sketch, (), "", torch.device("cpu"), zeros, ones)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="*", help="builders whose names match")
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter with captum and zennit")
    parser.add_argument("--peer-networks", nargs="*", default=NETWORKS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.one, options.peers)))
        return 0
    names = [name for name in models.list_models(module=models) if fnmatchcase(name, options.only)]
    found: dict[str, dict[str, float]] = {}
    for name in names:
        command = [sys.executable, __file__, "--one", name]
        command += ["--peers", options.peers] if options.peers and name in options.peer_networks else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found[name] = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"failed": float("nan")}
        print(
            f"{len(found)}/{len(names)} {name}: {found[name]} {done.stderr[-300:] if done.returncode else ''}",
            file=sys.stderr,
        )
    good = [name for name in names if all(found[name].get(way, 1) <= LIMIT for way in WAYS)]
    show(found)
    print(f"{len(good)} of {len(names)} builders: all three within {LIMIT:g} of the reference")
    if options.json:
        rows = [
            {"name": f"{name}/{what}", "value": value, "unit": "ratio"}
            for name in found
            for what, value in found[name].items()
        ]
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return int(len(good) < len(names) or not names)


def show(found: Mapping[str, Mapping[str, float]]) -> None:
    table = Table("builder", *WAYS, "others")
    for name, differences in found.items():
        others = "; ".join(f"{what} {value:.3g}" for what, value in differences.items() if what not in WAYS)
        table.add_row(name, *(f"{differences.get(way, float('nan')):.1e}" for way in WAYS), others)
    Console(width=None if sys.stdout.isatty() else 200).print(table)


if __name__ == "__main__":
    sys.exit(main())
