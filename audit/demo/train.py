"""Trains the demo's network on generated pictures: `python -m audit.demo.train` writes weights.safetensors."""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from safetensors.torch import save_file
from torch import Tensor, nn

from audit.demo.generator import DemoPictures, pictures
from audit.demo.network import MEAN, STD, WEIGHTS, network
from audit.events import Listener, Silence, work
from audit.model.filters import describe


@dataclass(frozen=True)
class Recipe:
    """How the network is trained: stochastic gradient descent with momentum, one cosine of the learning rate.

    No picture is seen twice. conv1 starts small and decays more than the rest, so that what is left in its filters
    is what the pictures put there, not the noise that they started from.
    """

    steps: int = 2000
    batch: int = 64
    rate: float = 0.03
    momentum: float = 0.9
    decay: float = 5e-4
    conv1_decay: float = 5e-3
    conv1_start: float = 0.005  # standard deviation of conv1's first weights
    warmup: int = 100


def train(recipe: Recipe, seed: int, listener: Listener | None = None) -> tuple[nn.Module, list[float]]:
    """The trained network, in evaluation mode, and the loss of every step; the same for the same seed and machine.

    FloatingPointError if the loss stops being finite.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = network()
        nn.init.normal_(model.get_parameter("conv1.weight"), std=recipe.conv1_start)
    optimizer = torch.optim.SGD(_groups(model, recipe), lr=recipe.rate, momentum=recipe.momentum)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, recipe))
    seen = pictures(recipe.steps * recipe.batch, seed, "train")
    losses = []
    with work(listener or Silence(), "train", recipe.steps) as done:
        for images, labels in batches(seen, recipe.batch):
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise FloatingPointError(f"the loss is {losses[-1]} at step {len(losses)}; lower Recipe.rate")
            done(1)
    return model.eval(), losses


def batches(data: DemoPictures, size: int) -> Iterator[tuple[Float[Tensor, "image 3 64 64"], Int[Tensor, " image"]]]:
    """Normalised pictures and labels, `size` at a time, the rest last."""
    for start, end in pairwise([*range(0, len(data), size), len(data)]):
        images, labels = zip(*(data[i] for i in range(start, end)), strict=True)
        stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
        yield (stacked / 255 - MEAN) / STD, torch.tensor(labels)


def accuracy(model: nn.Module, data: DemoPictures) -> float:
    """Share of pictures whose highest score is that of their label."""
    with torch.inference_mode():
        right = sum(int((model(images).argmax(1) == labels).sum()) for images, labels in batches(data, 100))
    return right / len(data)


def smooth_share(model: nn.Module) -> float:
    """Share of conv1's filters that are smoother than 99 % of their shuffled nulls."""
    weight = model.get_parameter("conv1.weight").detach().cpu().numpy()
    return float((describe(weight)["smoother_than_null"] > 0.99).mean())


def silent_channels(model: nn.Module, data: DemoPictures) -> dict[str, int]:
    """How many channels of each ReLU never fire on any picture."""
    strongest: dict[str, Tensor] = {}
    with torch.inference_mode():
        for maps, _ in batches(data, 100):
            for name, layer in model.named_children():
                maps = layer(maps)  # noqa: PLW2901 - a Sequential is exactly this loop
                if isinstance(layer, nn.ReLU):
                    peaks = maps.amax(dim=(0, 2, 3))
                    strongest[name] = torch.maximum(strongest.get(name, peaks), peaks)
    return {name: int((peaks <= 0).sum()) for name, peaks in strongest.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains and ships; SystemExit, with the reason, if the weights are not good enough."""
    options = _options(arguments)
    model, losses = train(Recipe(steps=options.steps), options.seed, _Lines())
    print(f"loss at the end: {np.mean(losses[-100:]):.3f}")
    ship(model, options.out, seed=options.seed, steps=options.steps)


def ship(model: nn.Module, out: Path, **origin: int) -> None:
    """Writes weights with what was measured of them and where they are from; SystemExit if they learned too little."""
    test = pictures()
    right, smooth = accuracy(model, test), smooth_share(model)
    print(f"test accuracy {right:.1%}, smooth filters {smooth:.0%}, silent channels {silent_channels(model, test)}")
    if not (right > 0.9 and smooth >= 0.5):
        raise SystemExit(
            "not written: shipped weights need a test accuracy over 90 % and half of conv1's filters smooth"
        )
    facts = {"accuracy": right, "smooth_share": smooth, **origin}
    save_file(model.state_dict(), out, {name: str(fact) for name, fact in facts.items()})
    print(f"wrote {out}")


class _Lines:
    """Prints a line for every tenth of the work."""

    def begin(self, work: str, total: int) -> None:
        self.total, self.done = total, 0

    def advance(self, work: str, steps: int) -> None:
        self.done += steps
        if self.done * 10 // self.total > (self.done - steps) * 10 // self.total:
            print(f"{work}: {self.done} of {self.total} steps", flush=True)

    def end(self, work: str) -> None: ...


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m audit.demo.train", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    return parser.parse_args(arguments)


def _groups(model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Parameters and their decay; biases do not decay."""
    weights = {name: value for name, value in model.named_parameters() if name.endswith("weight")}
    conv1 = weights.pop("conv1.weight")
    biases = [value for name, value in model.named_parameters() if name.endswith("bias")]
    return [
        {"params": [conv1], "weight_decay": recipe.conv1_decay},
        {"params": list(weights.values()), "weight_decay": recipe.decay},
        {"params": biases, "weight_decay": 0.0},
    ]


def _rate(step: int, recipe: Recipe) -> float:
    """Of the learning rate at that step: rises during the warm-up, falls to 0 along a cosine."""
    return min(1, (step + 1) / recipe.warmup) * (1 + math.cos(math.pi * step / recipe.steps)) / 2


if __name__ == "__main__":
    main()
