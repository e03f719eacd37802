"""A `[[models]]` section -> a network with its weights, its outline and its labels, ready to be looked at.

A checkpoint is read as data and never as a program: see checkpoint.py. The factory is the user's own code and is run.
"""

import hashlib
import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from audit.config import ModelSection
from audit.errors import SectionError, nearest
from audit.model.checkpoint import State, read_checkpoint
from audit.model.outline import outline
from audit.records import Outline

SHOWN = 10  # names of each kind in an error


@dataclass(frozen=True, eq=False)
class Model:
    """A network in eval mode on `device`, none of its parameters requiring a gradient, and what is known of it.

    `mean` and `std` are those of pictures scaled to 0..1. `labels` name the outputs in order, or are empty. `digest` is
    the SHA-256 of what made the network: factory, arguments, the file of a `file.py` factory, every name, shape, type
    and number.
    """

    section: ModelSection
    network: nn.Module
    outline: Outline
    labels: tuple[str, ...]
    digest: str
    device: torch.device
    mean: Float[Tensor, "channel 1 1"]
    std: Float[Tensor, "channel 1 1"]


def load(section: ModelSection, folder: Path, device: torch.device) -> Model:
    """Makes the network, loads its checkpoint and looks at it once; paths are relative to `folder`.

    Raises SectionError naming the option at fault. Numbers that are not finite are no error here: a check finds them.
    """
    mean, std = (_per_channel(section, option, device) for option in ("mean", "std"))
    network = _made(section, folder).eval().requires_grad_(False)
    if section.checkpoint is not None:
        path = folder / section.checkpoint
        state = read_checkpoint(path, section.key)
        _load_state(network, _without_prefix(state, section.prefix), path.name)
    try:
        network = network.to(device)
    except RuntimeError as error:
        raise SectionError("factory", f'"{section.factory}" cannot be moved to {device}: {error}') from error
    sketch = outline(network, section.input)
    labels = _labels(section, folder, sketch)
    return Model(section, network, sketch, labels, _digest(section, folder, network), device, mean, std)


def _per_channel(section: ModelSection, option: str, device: torch.device) -> Float[Tensor, "channel 1 1"]:
    asked = getattr(section, option)
    channels = section.input[0]
    values = torch.tensor(asked, dtype=torch.float32).reshape(-1)
    if len(values) not in (1, channels):
        raise SectionError(
            option, f"{len(values)} numbers, but the input has {channels} channels; give 1 or {channels}"
        )
    if not values.isfinite().all():
        raise SectionError(option, f"{asked} has numbers that are not finite")
    if option == "std" and not (values > 0).all():
        raise SectionError(option, f"{asked}: a deviation must be above 0")
    return values.expand(channels).reshape(channels, 1, 1).contiguous().to(device)


# The factory: a name -> a network


def _made(section: ModelSection, folder: Path) -> nn.Module:
    """Calls the factory; weights that it draws at random are the same in every run."""
    where, _, name = section.factory.rpartition(":")
    if not where or not name:
        ways = "torchvision:NAME, package.module:function or file.py:function"
        raise SectionError("factory", f'"{section.factory}" names no function; write {ways}')
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if where == "torchvision":
            made = _torchvision(name, section.arguments)
        elif where.endswith(".py"):
            with _importable(folder / where):
                made = _called(section, _attribute(_file(folder / where), where, name))
        else:
            made = _called(section, _attribute(_module(where), where, name))
    if not isinstance(made, nn.Module):
        raise SectionError("factory", f'"{section.factory}" made a {type(made).__name__}, not a torch.nn.Module')
    if any(map(is_lazy, (*made.parameters(), *made.buffers()))):
        raise SectionError(
            "factory", f'"{section.factory}" leaves sizes open; call its lazy modules before returning it'
        )
    return made


def _torchvision(name: str, arguments: dict[str, Any]) -> object:
    from torchvision.models import get_model, list_models

    if name not in list_models():
        raise SectionError("factory", f'torchvision has no model "{name}"{nearest(name, list_models())}')
    try:
        made: object = get_model(name, **({"weights": None} | arguments))
    except Exception as error:
        raise SectionError("arguments" if arguments else "factory", _said(f"torchvision:{name}", error)) from error
    return made


def _called(section: ModelSection, factory: Callable[..., object]) -> object:
    if not callable(factory):
        raise SectionError("factory", f'"{section.factory}" is a {type(factory).__name__}, not a function')
    try:
        inspect.signature(factory).bind(**section.arguments)
    except ValueError:  # a builtin without a signature says it by itself
        pass
    except TypeError as error:
        takes = ", ".join(map(str, inspect.signature(factory).parameters.values())) or "none"
        raise SectionError("arguments", f'"{section.factory}": {error}; it takes: {takes}') from error
    try:
        return factory(**section.arguments)
    except Exception as error:
        raise SectionError("arguments" if section.arguments else "factory", _said(section.factory, error)) from error


def _attribute(module: ModuleType, where: str, name: str) -> Any:
    try:
        return reduce(getattr, name.split("."), module)
    except AttributeError as error:
        there_is = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise SectionError("factory", f'no "{name}" in {where}{nearest(name, there_is)}') from error


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise SectionError("factory", _said(f"import {name}", error)) from error


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise SectionError("factory", f'no file "{path.name}"{_nearby(path, ".py")}')
    name = f"audit_factory_{hashlib.sha256(bytes(path.resolve())).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SectionError("factory", _said(f"import {path.name}", error)) from error
    return module


@contextmanager
def _importable(path: Path) -> Iterator[None]:
    """The file's neighbours can be imported inside the `with`, and are forgotten after it: two models may have "blocks"."""
    folder = str(path.parent.resolve())
    before = set(sys.modules)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        for name in set(sys.modules) - before:
            if _lies_in(sys.modules.get(name.partition(".")[0]), folder):
                sys.modules.pop(name)
        importlib.invalidate_caches()


def _lies_in(package: ModuleType | None, folder: str) -> bool:
    file = getattr(package, "__file__", None)
    if file is None or getattr(package, "__name__", "").startswith("audit_factory_"):
        return False
    place = Path(file).resolve()
    return str(place.parent if place.name != "__init__.py" else place.parent.parent) == folder


def _said(what: str, error: Exception) -> str:
    return f"{what} failed: {type(error).__name__}: {' '.join(str(error).split())[:500] or 'no message'}"


def _nearby(path: Path, *endings: str) -> str:
    if not path.parent.is_dir():
        return f'; there is no folder "{path.parent.name}" either'
    return nearest(path.name, sorted(there.name for there in path.parent.iterdir() if there.suffix in endings))


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
        of = f"{file} does not fit {type(network).__name__} ({len(wanted)} tensors)"
        raise SectionError("checkpoint", "\n  ".join([of, *filter(None, problems), *_prefix_hint(wanted, state)]))
    try:
        network.load_state_dict(state, strict=False)
    except Exception as error:
        raise SectionError("checkpoint", _said(f"loading {file}", error)) from error


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
        labels, of = section.labels, "there are"
    outputs = sketch.layers[-1].units
    if len(labels) != outputs:
        raise SectionError("labels", f"{of} {len(labels)} labels, but {section.factory} has {outputs} outputs")
    return labels


def _lines(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise SectionError("labels", f'no file "{path.name}"{_nearby(path, ".txt", ".csv", ".names")}')
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
