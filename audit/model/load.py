"""A `[[models]]` section -> a network with its weights, its outline and its labels, ready to be looked at.

A checkpoint is read as data and never as a program: see checkpoint.py. The factory is the user's own code and is run.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from audit.config import ModelSection
from audit.errors import SectionError, nearest
from audit.model.checkpoint import State, read_checkpoint
from audit.model.directions import with_directions
from audit.model.factory import failed, made, neighbours
from audit.model.outline import outline
from audit.records import Outline
from audit.words import plural

SHOWN = 10  # names of each kind in an error


@dataclass(frozen=True, eq=False)
class Model:
    """A network in eval mode on `device`, none of its parameters requiring a gradient, and what is known of it.

    `mean` and `std` are those of pictures scaled to 0..1. `labels` name the outputs in order, or are empty. `digest` is
    the SHA-256 of what made the network: factory, arguments, the file of a `file.py` factory, every name, shape, type
    and number. `claimed_top1` is the accuracy in percent that the checkpoint says of itself. `file_digest` is the
    SHA-256 of the checkpoint's file, None where there is none.
    """

    section: ModelSection
    network: nn.Module
    outline: Outline
    labels: tuple[str, ...]
    digest: str
    device: torch.device
    mean: Float[Tensor, "channel 1 1"]
    std: Float[Tensor, "channel 1 1"]
    claimed_top1: float | None = None
    file_digest: str | None = None


def load(section: ModelSection, folder: Path, device: torch.device) -> Model:
    """Makes the network, loads its checkpoint and looks at it once; paths are relative to `folder`.

    Raises SectionError naming the option at fault. Numbers that are not finite are no error here: a check finds them.
    """
    mean, std = (_per_channel(numbers, section.input[0], device) for numbers in (section.mean, section.std))
    network = _network(section, folder).eval().requires_grad_(False)
    claimed = file_digest = None
    if section.checkpoint is not None:
        path = folder / section.checkpoint
        checkpoint = read_checkpoint(path, section.key)
        with path.open("rb") as file:
            file_digest = hashlib.file_digest(file, "sha256").hexdigest()
        _load_state(network, _without_prefix(checkpoint.state, section.prefix), path.name)
        claimed = checkpoint.claimed_top1
    try:
        network = network.to(device)
    except RuntimeError as error:
        raise SectionError("factory", f'"{section.factory}" cannot be moved to {device}: {error}') from error
    sketch = outline(network, section.input)
    if section.directions:
        sketch = outline(with_directions(network, sketch, section.directions), section.input)
    labels = _labels(section, folder, sketch)
    digest = _digest(section, folder, network)
    return Model(section, network, sketch, labels, digest, device, mean, std, claimed, file_digest)


def _per_channel(
    numbers: float | tuple[float, ...], channels: int, device: torch.device
) -> Float[Tensor, "channel 1 1"]:
    return torch.tensor(numbers, dtype=torch.float32).expand(channels).reshape(channels, 1, 1).contiguous().to(device)


# The factory: a name -> a network


def _network(section: ModelSection, folder: Path) -> nn.Module:
    """Calls the factory; weights that it draws at random are the same in every run."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        of_torchvision, arguments = section.factory.removeprefix("torchvision:"), section.arguments
        if of_torchvision != section.factory:
            network = _torchvision(of_torchvision, arguments)
        else:
            network = made(section.factory, arguments, folder)
    if not isinstance(network, nn.Module):
        raise SectionError("factory", f'"{section.factory}" made a {type(network).__name__}, not a torch.nn.Module')
    if any(map(is_lazy, (*network.parameters(), *network.buffers()))):
        raise SectionError(
            "factory", f'"{section.factory}" leaves sizes open; call its lazy modules before returning it'
        )
    return network


def _torchvision(name: str, arguments: dict[str, Any]) -> object:
    from torchvision.models import get_model, list_models

    if name not in list_models():
        raise SectionError("factory", f'torchvision has no model "{name}"{nearest(name, list_models())}')
    try:
        network: object = get_model(name, **({"weights": None} | arguments))
    except Exception as error:
        raise SectionError("arguments" if arguments else "factory", failed(f"torchvision:{name}", error)) from error
    return network


# The state: names -> the network's own numbers


def _without_prefix(state: State, prefix: str | None) -> State:
    if prefix is None:
        for usual in ("module.", "_orig_mod.") * 2:
            if state and all(name.startswith(usual) for name in state):
                state = {name.removeprefix(usual): value for name, value in state.items()}
        return state
    if not any(name.startswith(prefix) for name in state):
        raise SectionError("prefix", f'no name begins with "{prefix}"; the first is "{next(iter(state))}"')
    return {name.removeprefix(prefix): value for name, value in state.items()}


def _load_state(network: nn.Module, state: State, file: str) -> None:
    """Copies every number into the network; floating point types are converted.

    Raises SectionError naming what is missing, unexpected or of another shape, the first ten of each.
    """
    wanted = {name: value for name, value in network.state_dict().items() if isinstance(value, Tensor)}
    missing = [name for name in wanted if name not in state and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in wanted]
    different = [text for name in wanted if name in state and (text := _difference(name, state[name], wanted[name]))]
    problems = [
        _listed("missing", [name + _nearest_of(name, unexpected) for name in missing]),
        _listed("unexpected", [name + _nearest_of(name, missing) for name in unexpected]),
        _listed("different", different),
    ]
    if any(problems):
        of = f"{file} does not fit {type(network).__name__} ({plural(len(wanted), 'tensor')})"
        raise SectionError("checkpoint", "\n  ".join([of, *filter(None, problems), *_prefix_hint(wanted, state)]))
    try:
        network.load_state_dict(state, strict=False)
    except Exception as error:
        raise SectionError("checkpoint", failed(f"loading {file}", error)) from error


def _difference(name: str, value: Tensor, wanted: Tensor) -> str | None:
    if value.shape != wanted.shape:
        return f"{name} {list(value.shape)}, needed {list(wanted.shape)}"
    kinds = [(t.is_floating_point(), t.is_complex(), t.dtype == torch.bool) for t in (value, wanted)]
    if kinds[0] != kinds[1]:
        return f"{name} {_dtype(value)}, needed {_dtype(wanted)}"
    return None


def _listed(kind: str, names: list[str]) -> str | None:
    more = f", ... ({len(names) - SHOWN} more)" if len(names) > SHOWN else ""
    return f"{len(names)} {kind}: {', '.join(names[:SHOWN])}{more}" if names else None


def _nearest_of(name: str, there_is: list[str]) -> str:
    hint = nearest(name, there_is) if len(there_is) < 2000 else ""
    return f" (nearest: {hint.split(chr(34))[1]})" if "did you mean" in hint else ""


def _prefix_hint(wanted: State, state: State) -> list[str]:
    """The prefix that would make names fit, if one would."""
    for name in state:
        for known in wanted:
            prefix = name.removesuffix(known)
            if prefix and prefix != name and all(prefix + other in state for other in wanted):
                return [f'prefix = "{prefix}" would make the names fit']
        break
    return []


def _dtype(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


# Labels and digest


def _labels(section: ModelSection, folder: Path, sketch: Outline) -> tuple[str, ...]:
    if section.labels is None:
        return ()
    if isinstance(section.labels, str):
        labels, of = _lines(folder / section.labels), f"{Path(section.labels).name} has"
    else:
        labels, of = section.labels, "labels has"
    outputs = sketch.layers[-1].units
    if len(labels) != outputs:
        raise SectionError(
            "labels", f"{of} {plural(len(labels), 'label')}, but {section.factory} has {plural(outputs, 'output')}"
        )
    return labels


def _lines(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise SectionError("labels", f'no file "{path.name}"{neighbours(path, ".txt", ".csv", ".names")}')
    try:
        return tuple(line.strip() for line in path.read_text(encoding="utf-8-sig").rstrip().splitlines())
    except UnicodeDecodeError as error:
        raise SectionError("labels", f"{path.name} is no UTF-8 text: {error}") from error


def _digest(section: ModelSection, folder: Path, network: nn.Module) -> str:
    digest = hashlib.sha256()
    made_by = [section.factory, section.arguments, type(network).__qualname__]
    digest.update(json.dumps(made_by, sort_keys=True, default=str).encode())
    file = section.factory.rpartition(":")[0]
    if file.endswith(".py"):
        digest.update((folder / file).read_bytes())
    for name, value in (*network.named_parameters(), *network.named_buffers()):
        digest.update(json.dumps([name, list(value.shape), _dtype(value)]).encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
