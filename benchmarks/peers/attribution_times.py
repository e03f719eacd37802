"""What captum and zennit need: `python attribution_times.py JOB FOLDER --network resnet18 --turns 3 --threads 1`.

JOB is image, patches or occlusion. FOLDER holds state.pt, the network's weights, and job.pt, what is asked for. Prints
a JSON object, way of working -> seconds of each turn, and writes what came of it to FOLDER/WAY.npy. Needs captum,
zennit and torchvision, and nothing of the audited program.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import captum.attr as captum
import numpy as np
import torch
from torch import Tensor, nn
from torchvision import models
from zennit.attribution import Gradient
from zennit.attribution import Occlusion as ZennitOcclusion
from zennit.composites import DeconvNet, GuidedBackprop

Way = Callable[[], Tensor]
COMPOSITES = {"gradient": lambda: None, "guided": GuidedBackprop, "deconv": DeconvNet}


def image(network: nn.Module, asked: dict[str, Any]) -> Iterator[tuple[str, Way]]:
    """The data gradient, guided backpropagation and deconvnet of a class on one picture."""
    shown, unit = asked["pictures"], asked["unit"]
    methods = {"gradient": captum.Saliency, "guided": captum.GuidedBackprop, "deconv": captum.Deconvolution}
    for name, method in methods.items():
        options = {"abs": False} if name == "gradient" else {}
        made = method(network)
        yield f"{name}, captum", lambda made=made, options=options: made.attribute(shown, target=unit, **options)
    output = torch.zeros(len(shown), asked["units"], dtype=shown.dtype)
    output[:, unit] = 1
    for name, composite in COMPOSITES.items():

        def run(composite: Callable[[], Any] = composite) -> Tensor:
            with Gradient(network, composite()) as attributor:
                found: Tensor = attributor(shown, output)[1]
                return found

        yield f"{name}, zennit", run


def patches(network: nn.Module, asked: dict[str, Any]) -> Iterator[tuple[str, Way]]:
    """The same of a unit of a layer, each picture at its own position; one by one, and in one batch."""
    shown, unit, places = asked["pictures"], asked["unit"], asked["places"]
    layer = network.get_submodule(asked["layer"])
    methods = {
        "gradient": captum.NeuronGradient,
        "guided": captum.NeuronGuidedBackprop,
        "deconv": captum.NeuronDeconvolution,
    }
    y, x = torch.tensor(places).T
    for name, method in methods.items():
        made = method(network, layer)

        def together(made: Any = made) -> Tensor:
            found: Tensor = made.attribute(shown, lambda maps: maps[torch.arange(len(shown)), unit, y, x])
            return found

        def single(made: Any = made) -> Tensor:
            return torch.cat(
                [made.attribute(one[None], (unit, *place)) for one, place in zip(shown, places, strict=True)]
            )

        yield f"{name}, captum in a batch", together
        yield f"{name}, captum one by one", single
    kept: list[Tensor] = []

    class UpTo(nn.Module):
        """The network that ends with the layer, as flat as zennit wants it."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pictures: Tensor) -> Tensor:
            handle = layer.register_forward_hook(lambda _, __, output: kept.append(output))
            try:
                self.network(pictures)
            finally:
                handle.remove()
            return kept.pop()[torch.arange(len(pictures)), unit, y, x][:, None]

    for name, composite in COMPOSITES.items():

        def run(composite: Callable[[], Any] = composite) -> Tensor:
            with Gradient(UpTo(), composite()) as attributor:
                found: Tensor = attributor(shown, torch.ones(len(shown), 1))[1]
                return found

        yield f"{name}, zennit in a batch", run


def occlusion(network: nn.Module, asked: dict[str, Any]) -> Iterator[tuple[str, Way]]:
    """The mean change of a class on each pixel, over the windows of zeros that lie on it."""
    shown, unit, side, stride = asked["pictures"], asked["unit"], asked["side"], asked["stride"]
    made = captum.Occlusion(network)
    for count in asked["batches"]:

        def run(count: int = count) -> Tensor:
            with torch.no_grad():
                found: Tensor = made.attribute(
                    shown, (3, side, side), (3, stride, stride), 0, target=unit, perturbations_per_eval=count
                )
                return found

        yield f"occlusion, captum {count} at once", run

    def zennit() -> Tensor:
        output = torch.zeros(1, asked["units"])
        output[:, unit] = 1
        with (
            torch.no_grad(),
            ZennitOcclusion(network, window=(3, side, side), stride=(3, stride, stride)) as attributor,
        ):
            found: Tensor = attributor(shown, output)[1]
            return found

    yield "occlusion, zennit", zennit


JOBS = {"image": image, "patches": patches, "occlusion": occlusion}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--network", required=True)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    network = getattr(models, options.network)(weights=None).eval()
    network.load_state_dict(torch.load(options.folder / "state.pt", weights_only=True))
    asked = torch.load(options.folder / "job.pt", weights_only=True)
    network.to(asked["pictures"].dtype)
    times: dict[str, list[float]] = {}
    for way, run in JOBS[options.job](network, asked):
        times[way] = []
        if options.job != "occlusion":
            run()
        for _ in range(options.turns):
            begun = perf_counter()
            found = run()
            times[way].append(perf_counter() - begun)
        np.save(options.folder / f"{way}.npy", found.detach().numpy())
    print(json.dumps(times))


if __name__ == "__main__":
    main()
