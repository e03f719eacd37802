"""A checkpoint file -> names and tensors, read as data: nothing in it is ever run.

Beyond torch.load(weights_only=True), the file is looked at first, so that a small file cannot ask for a large memory:
its archive must be stored plainly and its tensors must own the numbers they show.
"""

import io
import mmap
import pickle
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from audit.errors import SectionError, nearest
from audit.model.factory import neighbours

State = dict[str, Tensor]

ENDINGS = (".pth", ".pt", ".th", ".tar", ".bin", ".ckpt", ".safetensors")
CLAIMS = ("best_prec1", "best_acc1", "best_top1", "best_acc", "best_accuracy", "prec1", "acc1", "top1", "val_acc")
"""Names under which training scripts keep the accuracy reached on their validation pictures, the best ones first."""
USUAL_KEYS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params")
LEGACY_PICKLES = ("magic number", "protocol", "machine", "object", "names of its storages")
DEEPEST = 3  # dicts inside dicts that are looked into
ADVICE = "save model.state_dict() instead"
LARGEST_HEADER = 100_000_000  # of a safetensors file, its own bound
HARMLESS = ("torch._utils.", "torch._tensor.", "torch.storage.", "collections.OrderedDict", "collections.Counter")


@dataclass(frozen=True)
class Checkpoint:
    """A state dict, and the top-1 accuracy in percent that the file itself claims, if it does."""

    state: State
    claimed_top1: float | None


def read_checkpoint(path: Path, key: str | None = None) -> Checkpoint:
    """What a .pth, .pt, .th, .tar or .safetensors file holds, on the CPU; `key` names where the state dict is, dotted.

    Raises SectionError("checkpoint") for a file that is missing, damaged, unsafe or no state dict, and
    SectionError("key") if `key` is not there, or is needed to choose.
    """
    if not path.is_file():
        raise SectionError("checkpoint", f'no file "{path.name}"{neighbours(path, *ENDINGS)}')
    kind = _kind(path)
    content = _READERS[kind](path)
    state = _chosen(content, key, path.name)
    _refuse_odd_tensors(state, path.name)
    return Checkpoint(state, _claimed(content))


def _kind(path: Path) -> str:
    """By the first bytes: names of files lie."""
    with path.open("rb") as file:
        head = file.read(16)
    if head[:4] == b"PK\x03\x04":
        return "zip"
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= LARGEST_HEADER:
        return "safetensors"
    if head[:1] == b"\x80":
        return "legacy"
    shown = "empty" if not head else "no PyTorch or safetensors checkpoint: it begins with " + repr(head[:8])
    raise SectionError("checkpoint", f"{path.name} is {shown}")


def _read_safetensors(path: Path) -> Mapping[Any, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        content: dict[str, Tensor] = load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError, KeyError, AttributeError) as error:
        raise SectionError("checkpoint", f"{path.name} is no sound safetensors file: {error}") from error
    return content


def _read_zip(path: Path) -> Mapping[Any, Any]:
    asked = _Inventory()
    try:
        with zipfile.ZipFile(path) as archive:
            record = _refuse_odd_archive(archive.infolist(), path)
            asked.read(io.BytesIO(archive.read(record)))
    except SectionError:
        raise
    except Exception as error:  # whatever a damaged file makes of a parser
        raise _damaged(path, error) from error
    return _loaded(path, asked, mmap=True)


def _read_legacy(path: Path) -> Mapping[Any, Any]:
    asked = _Inventory()
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            written_by_torch = asked.read(content) == torch.serialization.MAGIC_NUMBER
            for _ in LEGACY_PICKLES[1:] if written_by_torch else ():
                asked.read(content)
    except Exception as error:  # whatever a damaged file makes of a parser
        raise _damaged(path, error) from error
    if not written_by_torch:
        raise SectionError("checkpoint", f"{path.name} is a pickle that torch.save did not write; {ADVICE}")
    if sum(asked.storages.values()) > path.stat().st_size:
        raise SectionError("checkpoint", f"{path.name} asks for more numbers than it has bytes; damaged or a trap")
    return _loaded(path, asked, mmap=False)


_READERS: dict[str, Callable[[Path], Mapping[Any, Any]]] = {
    "zip": _read_zip,
    "legacy": _read_legacy,
    "safetensors": _read_safetensors,
}


def _loaded(path: Path, asked: "_Inventory", *, mmap: bool) -> Mapping[Any, Any]:
    try:
        with path.open("rb") as file:  # torch goes by the ending ".safetensors" where it is told the path
            named = path if mmap and path.suffix != ".safetensors" else file
            content = torch.load(named, map_location="cpu", weights_only=True, mmap=named is path)
    except pickle.UnpicklingError as error:
        if asked.objects:
            what = f"{path.name} holds Python objects ({', '.join(asked.objects[:3])}), not only tensors; {ADVICE}"
            raise SectionError("checkpoint", what) from error
        raise _damaged(path, error) from error
    except Exception as error:  # whatever a damaged file makes of a parser
        raise _damaged(path, error) from error
    if not isinstance(content, Mapping):
        raise SectionError("checkpoint", f"{path.name} holds a {type(content).__name__}, not a state dict; {ADVICE}")
    return content


def _damaged(path: Path, error: Exception) -> SectionError:
    words = str(error).partition("\n")[0][:300]
    return SectionError("checkpoint", f"{path.name} is damaged or incomplete: {type(error).__name__}: {words}")


def _refuse_odd_archive(entries: list[zipfile.ZipInfo], path: Path) -> zipfile.ZipInfo:
    """The pickle of an archive that torch.save wrote; any other archive is refused before torch sees it."""
    names = [entry.filename for entry in entries]
    parts = [name.split("/") for name in names]
    if any(part[-1] == "constants.pkl" or "code" in part[1:-1] for part in parts):
        raise SectionError("checkpoint", f"{path.name} is a TorchScript program, not a state dict; {ADVICE}")
    if any(part[-1] in ("archive_format", "serialized_exported_program.json") for part in parts):
        raise SectionError("checkpoint", f"{path.name} is an exported program (.pt2), not a state dict; {ADVICE}")
    pickles = [entry for entry, part in zip(entries, parts, strict=True) if len(part) == 2 and part[1] == "data.pkl"]
    if len(pickles) != 1:
        raise SectionError("checkpoint", f"{path.name} is an archive that torch.save did not write; {ADVICE}")
    odd = _oddity(entries, path.stat().st_size)
    if odd:
        raise SectionError("checkpoint", f"{path.name} {odd}, which torch.save never writes; it is damaged or a trap")
    return pickles[0]


def _oddity(entries: list[zipfile.ZipInfo], size: int) -> str | None:
    names = [entry.filename for entry in entries]
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        return "has compressed entries"
    if sum(entry.file_size for entry in entries) > size:
        return "has entries that are together larger than the file"
    if len(set(names)) < len(names):
        return "has two entries of one name"
    if any(name.startswith("/") or ".." in name.split("/") for name in names):
        return "has entries that point outside it"
    return None


class _Inert:
    """Stands for whatever a pickle wants to make; does nothing."""

    def __new__(cls, *_: object, **__: object) -> "_Inert":
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...

    def __setitem__(self, *_: object) -> None: ...

    def append(self, _: object) -> None: ...

    def extend(self, _: object) -> None: ...

    def add(self, _: object) -> None: ...


class _Inventory:
    """What pickles ask for, found without making any of it: names of classes and functions, sizes of storages."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.storages: dict[object, int] = {}

    @property
    def objects(self) -> list[str]:
        """The names that have no business in a state dict."""
        return [name for name in dict.fromkeys(self.names) if not name.startswith(HARMLESS) and not _is_type(name)]

    def read(self, file: "io.BytesIO | mmap.mmap") -> object:
        """One pickle, from where the file stands."""
        return _Counting(file, self).load()


class _Counting(pickle._Unpickler):  # the one in Python: the memo of the one in C can be made to fill the memory
    def __init__(self, file: Any, inventory: _Inventory):
        super().__init__(file)
        self._inventory = inventory

    def find_class(self, module: str, name: str, /) -> type[_Inert]:
        self._inventory.names.append(f"{module}.{name}")
        return _Inert

    def persistent_load(self, pid: Any, /) -> object:
        if pid[0] == "module":  # a whole network: the class, and its source
            return pid[1]
        self._inventory.storages[pid[2]] = int(pid[4])
        return _Inert()


def _is_type(name: str) -> bool:
    """Storages and dtypes: torch.FloatStorage, torch.float16."""
    module, _, last = name.rpartition(".")
    return module == "torch" and (last.endswith("Storage") or isinstance(getattr(torch, last, None), torch.dtype))


def _chosen(content: Mapping[Any, Any], key: str | None, file: str) -> State:
    """The state dict among the nested dicts: the one at `key`, else the file itself, a usual name, the only one."""
    there_is = dict(_states(content, ()))
    if key is not None:
        found = there_is.get(key, _at(content, key))
        if not isinstance(found, Mapping):
            keys = [name for name in there_is if name]
            raise SectionError("key", f'{file} has no dict at "{key}"{nearest(key, keys)}')
        return _tensors_only(found, file, key)
    if "" in there_is:
        return there_is[""]
    usual = [there_is[name] for name in USUAL_KEYS if name in there_is]
    if usual or len(there_is) == 1:
        return [*usual, *there_is.values()][0]
    if there_is:
        raise SectionError("key", f"{file} has several state dicts: {', '.join(there_is)}; choose one by key")
    return _tensors_only(content, file, None)


def _claimed(content: Mapping[Any, Any]) -> float | None:
    """The accuracy that a training script left beside the weights, in percent; up to 1 it is taken for a share."""
    for name in CLAIMS:
        value = content.get(name)
        if isinstance(value, Tensor) and value.numel() == 1:
            value = value.item()
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 100:
            return float(value) if value > 1 else 100 * float(value)
    return None


def _states(content: Mapping[Any, Any], path: tuple[str, ...]) -> Iterator[tuple[str, State]]:
    """Every dict of nothing but named tensors, by its dotted path."""
    if content and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()):
        yield ".".join(path), dict(content)
        return
    for name, value in content.items():
        if isinstance(name, str) and isinstance(value, Mapping) and len(path) < DEEPEST:
            yield from _states(value, (*path, name))


def _at(content: object, key: str) -> object:
    """What is at a dotted key; the parts of the key may have dots themselves."""
    if not isinstance(content, Mapping):
        return None
    if key in content:
        return content[key]
    dots = [i for i, character in enumerate(key) if character == "."]
    found = (_at(content[key[:i]], key[i + 1 :]) for i in dots if key[:i] in content)
    return next((value for value in found if value is not None), None)


def _tensors_only(content: Mapping[Any, Any], file: str, key: str | None) -> State:
    others = [f"{name} ({type(value).__name__})" for name, value in content.items() if not isinstance(value, Tensor)]
    if others or not content:
        where = f' at "{key}"' if key else ""
        what = f"among others {', '.join(others[:3])}" if others else "nothing at all"
        raise SectionError("key" if key else "checkpoint", f"{file} has no state dict{where}, but {what}")
    return {str(name): value for name, value in content.items()}


def _refuse_odd_tensors(state: State, file: str) -> None:
    odd = [f"{name} ({why})" for name, value in state.items() if (why := _oddness(value))]
    if odd:
        raise SectionError("checkpoint", f"{file} has tensors that no network stores: {', '.join(odd[:10])}")


def _oddness(value: Tensor) -> str | None:
    if value.layout is not torch.strided:
        return str(value.layout).removeprefix("torch.")
    if value.is_quantized:
        return "quantized"
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return "shows more numbers than it has"
    return None
