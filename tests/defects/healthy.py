"""The healthy checkpoints, as the product's own audits name them: weights, pictures, activity of units."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from audit.config import ModelSection
from audit.data.preprocess import fit, normalized, unit_range
from audit.model.load import Model, load
from tests.defects.definitions import Place, Subject, definitions
from tests.defects.pictures import Labelled, pictures
from tests.defects.planting import State

ROOT = Path(__file__).parents[2]
AUDITS = {"demo": ROOT / "audit.toml", "squeezenet": ROOT / "examples" / "squeezenet.toml"}
CIFAR = ROOT / "examples" / "cifar.toml"
LIVING = 0.1
"""A unit that fires on this share of the pictures can be broken."""

Activity = tuple[Float[Tensor, "picture unit"], Float[Tensor, " unit"]]


@dataclass(frozen=True, eq=False)
class Healthy:
    """A healthy checkpoint: its table of [[models]] with absolute paths, and where its pictures are from."""

    subject: Subject
    table: Mapping[str, Any]
    source: str
    known: dict[str, Activity] = field(default_factory=dict, repr=False)

    @cached_property
    def section(self) -> ModelSection:
        """The table as the product reads it."""
        tuples = {name: tuple(value) if isinstance(value, list) else value for name, value in self.table.items()}
        return ModelSection.model_validate(tuples)

    @cached_property
    def model(self) -> Model:
        """Loaded by the product."""
        return load(self.section, ROOT, torch.device("cpu"))

    @property
    def state(self) -> State:
        """Its numbers by name."""
        return dict(self.model.network.state_dict())

    @cached_property
    def fresh(self) -> State:
        """What the factory makes without a checkpoint: the same every time."""
        without = self.section.model_copy(update=dict.fromkeys(("checkpoint", "key", "prefix")))
        return dict(load(without, ROOT, torch.device("cpu")).network.state_dict())

    @cached_property
    def pictures(self) -> Labelled:
        """Those that an audit shows."""
        return pictures(self.source, self.subject.pictures)

    @torch.inference_mode()
    def activity(self, place: Place) -> Activity:
        """Of each unit before its rectifier: the largest output on each picture, and the smallest on any."""
        if place.layer not in self.known:
            peaks, lowest = zip(*self._extremes(place.holder), strict=True)
            self.known[place.layer] = torch.cat(peaks), torch.stack(lowest).amin(0)
        return self.known[place.layer]

    def living(self, place: Place) -> list[int]:
        """The units that fire on some of the pictures, and are off somewhere."""
        peaks, lowest = self.activity(place)
        return torch.nonzero(((peaks > 0).float().mean(0) >= LIVING) & (lowest < 0)).flatten().tolist()

    def save(self, state: State, folder: Path) -> Path:
        """A checkpoint of that state beside which is all that the healthy file says besides: its claims stay."""
        original = Path(self.table["checkpoint"])
        if original.suffix == ".safetensors":
            with safe_open(original, framework="pt") as file:
                said = file.metadata()
            path = folder / "planted.safetensors"
            save_file(dict(state), path, said)
            return path
        content = torch.load(original, map_location="cpu", weights_only=True)
        key = self.table.get("key", "state_dict")
        path = folder / "planted.pth"
        torch.save({**content, key: dict(state)} if key in content else dict(state), path)
        return path

    def _extremes(self, module: str) -> list[Activity]:
        """Of what a module puts out, batch by batch."""
        found: list[Activity] = []
        hooked: nn.Module = self.model.network.get_submodule(module)
        handle = hooked.register_forward_hook(
            lambda _module, _inputs, maps: found.append((maps.amax((2, 3)), maps.amin((0, 2, 3))))
        )
        try:
            for start in range(0, len(self.pictures), self.subject.batch):
                chosen = range(start, min(start + self.subject.batch, len(self.pictures)))
                shown = torch.stack([unit_range(fit(self.pictures[index][0], self.section)) for index in chosen])
                self.model.network(normalized(shown, self.model.mean, self.model.std))
        finally:
            handle.remove()
        return found


@cache
def healthy(name: str) -> Healthy:
    """The healthy checkpoint of that name; KeyError without DEEPVIS_DATA where it is needed."""
    file = AUDITS.get(name, CIFAR)
    text = file.read_text(encoding="utf-8")
    if name != "demo":
        text = text.replace("${DEEPVIS_DATA}", str(Path(os.environ["DEEPVIS_DATA"]).absolute()))
    raw = tomllib.loads(text)
    table = next(table for table in raw["models"] if table["name"] == name)
    source = "demo" if name == "demo" else raw["data"]["folder"]
    return Healthy(definitions().subjects[name], _absolute(table, file.parent), source)


def _absolute(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Paths that start at the audit's file -> paths that hold anywhere."""
    checkpoint = str((folder / table["checkpoint"]).resolve())
    where, _, function = table["factory"].rpartition(":")
    factory = f"{(folder / where).resolve()}:{function}" if where.endswith(".py") else table["factory"]
    return {**table, "checkpoint": checkpoint, "factory": factory}
