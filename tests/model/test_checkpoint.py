"""Checkpoints as people have them, and files that only look like one."""

import os
import pickle
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from audit.errors import SectionError
from audit.model.checkpoint import read_checkpoint

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([float("nan"), 1.0])}


def refused(path: Path, key: str | None = None) -> str:
    with pytest.raises(SectionError) as caught:
        read_checkpoint(path, key)
    assert caught.value.option == ("key" if key else "checkpoint")
    assert path.name in str(caught.value)
    return str(caught.value)


def legacy(content: object, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("save", [torch.save, legacy, save_file])
@pytest.mark.parametrize("ending", ["pth", "pt", "th", "tar", "safetensors"])
def test_a_state_dict_comes_back_whatever_its_file_is_called(
    tmp_path: Path, ending: str, save: Callable[[Any, Path], None]
) -> None:
    path = tmp_path / f"weights.{ending}"
    save(STATE, path)
    state = read_checkpoint(path).state
    assert list(state) == (sorted(STATE) if save is save_file else list(STATE))
    for name, value in STATE.items():
        torch.testing.assert_close(state[name], value, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"state_dict": STATE, "epoch": 3}, None),
        ({"state_dict": STATE, "ema": STATE, "best": torch.tensor(0.5)}, None),
        ({"weird": OrderedDict(STATE), "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}}}, None),
        ({"model": {"ema": STATE, "raw": {}}}, "model.ema"),
        ({"model.ema": STATE, "model": {"raw": {}}}, "model.ema"),
        ({"a.b": {"c.d": STATE}}, "a.b.c.d"),
        ({"model": STATE}, "model"),
    ],
)
def test_a_nested_state_dict_is_found(tmp_path: Path, content: dict[str, Any], key: str | None) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    assert list(read_checkpoint(path, key).state) == list(STATE)


def test_several_state_dicts_need_a_key(tmp_path: Path) -> None:
    path = tmp_path / "gan.pth"
    torch.save({"generator": STATE, "critic": STATE}, path)
    with pytest.raises(SectionError, match="several state dicts: generator, critic; choose one by key") as caught:
        read_checkpoint(path)
    assert caught.value.option == "key"
    assert 'no dict at "critik"; did you mean "critic"?' in refused(path, "critik")


def test_a_key_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"state_dict": STATE, "args": {"lr": 0.1, "name": "x"}}, path)
    assert 'no state dict at "args", but among others lr (float), name (str)' in refused(path, "args")


def test_a_tensor_or_a_list_is_no_state_dict(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save(torch.zeros(3), path)
    assert "holds a Tensor, not a state dict" in refused(path)
    torch.save({}, path)
    assert "nothing at all" in refused(path)
    torch.save({"epoch": 3}, path)
    assert "among others epoch (int)" in refused(path)


class Payload:
    """Runs a command when unpickled the ordinary way."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.mark.parametrize("save", [torch.save, legacy])
def test_nothing_in_a_checkpoint_is_ever_run(tmp_path: Path, save: Callable[[Any, Path], None]) -> None:
    path, trace = tmp_path / "evil.pth", tmp_path / "trace"
    save({"state_dict": STATE, "x": Payload(f"touch {trace}")}, path)
    assert "Python objects (posix.system)" in refused(path)
    path.write_bytes(pickle.dumps(Payload(f"touch {trace}")))
    assert "a pickle that torch.save did not write" in refused(path)
    assert not trace.exists()


@pytest.mark.parametrize("save", [torch.save, legacy])
def test_a_whole_module_is_refused_with_advice(tmp_path: Path, save: Callable[[Any, Path], None]) -> None:
    path = tmp_path / "model.pth"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that sources cannot be kept
        save(nn.Sequential(nn.Conv2d(1, 1, 1)), path)
    text = refused(path)
    assert "torch.nn.modules.container.Sequential" in text
    assert "save model.state_dict() instead" in text


def test_numpy_numbers_beside_the_state_are_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save({"state_dict": STATE, "accuracy": np.float64(0.5)}, path)
    assert "multiarray.scalar" in refused(path)


def test_programs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated
        torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)).save(str(path))
    assert "TorchScript" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/archive_format", "pt2")
        archive.writestr("model/models/model.json", "{}")
    assert ".pt2" in refused(path)


def rewritten(path: Path, change: Callable[[zipfile.ZipFile, zipfile.ZipFile], None]) -> None:
    before = path.with_suffix(".before")
    path.rename(before)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of the double names that are wanted here
        with zipfile.ZipFile(before) as old, zipfile.ZipFile(path, "w") as new:
            change(old, new)


def test_a_zip_bomb_is_refused_before_torch_sees_it(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    torch.save({"w": torch.zeros(1 << 20)}, path)

    def deflate(old: zipfile.ZipFile, new: zipfile.ZipFile) -> None:
        for name in old.namelist():
            new.writestr(name, old.read(name), zipfile.ZIP_DEFLATED)

    rewritten(path, deflate)
    assert path.stat().st_size < 20_000
    assert "compressed entries" in refused(path)


def test_entries_that_are_larger_than_the_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    torch.save({"w": torch.zeros(1000)}, path)
    content = path.read_bytes()
    position = content.rindex(b"bomb/data/0")
    size = position - 46 + 24  # where the central directory has the entry's size
    path.write_bytes(content[:size] + (1 << 30).to_bytes(4, "little") + content[size + 4 :])
    assert "together larger than the file" in refused(path)


@pytest.mark.parametrize(("name", "text"), [("data.pkl", "did not write"), ("data/0", "two entries of one name")])
def test_doubled_entries_are_refused(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / "twice.pth"
    torch.save({"w": torch.zeros(1000)}, path)

    def double(old: zipfile.ZipFile, new: zipfile.ZipFile) -> None:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry))
        new.writestr(f"twice/{name}", b"")

    rewritten(path, double)
    with path.open("ab") as file:
        file.write(bytes(0))
    assert text in refused(path)


def test_a_legacy_file_that_asks_for_more_than_it_has_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    legacy({"w": torch.zeros(1 << 20)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    assert "more numbers than it has bytes" in refused(path)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: torch.zeros(1).expand(1 << 20, 1 << 20), "shows more numbers than it has"),
        (lambda: torch.zeros(4).as_strided((4, 4), (1, 0)), "shows more numbers than it has"),
        (lambda: torch.eye(3).to_sparse(), "sparse_coo"),
        (lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8), "quantized"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # torch deprecates quantized tensors and says so
def test_tensors_that_no_network_stores_are_refused(tmp_path: Path, made: Callable[[], torch.Tensor], why: str) -> None:
    path = tmp_path / "odd.pth"
    torch.save({"w": made(), "b": torch.zeros(2)}, path)
    assert f"w ({why})" in refused(path)


def test_views_and_shared_tensors_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "shared.pth"
    whole = torch.arange(12.0).reshape(3, 4)
    torch.save({"a": whole, "b": whole, "row": whole[1], "turned": whole.T}, path)
    state = read_checkpoint(path).state
    assert torch.equal(state["turned"], whole.T)
    assert torch.equal(state["row"], whole[1])


@pytest.mark.parametrize("save", [torch.save, legacy, save_file])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.97])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, save: Callable[[Any, Path], None], part: float) -> None:
    path = tmp_path / "cut.pth"
    save({f"layer{i}.weight": torch.zeros(50, 50) for i in range(20)}, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    refused(path)


@pytest.mark.parametrize(
    "content", [b"", b"<html>404</html>", b"\x80\x02garbage", b"PK\x03\x04garbage", b"\x89HDF\r\n"]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    refused(path)


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "resnet20.pth")
    assert 'did you mean "resnet20.pth"' in refused(tmp_path / "resnet_20.pth")
    assert 'no folder "weights" either' in refused(tmp_path / "weights" / "x.pth")


@pytest.mark.parametrize(
    ("beside", "claimed"),
    [
        ({"best_prec1": 91.78}, 91.78),
        ({"best_acc1": torch.tensor(76.1)}, pytest.approx(76.1)),
        ({"val_acc": 0.5, "best_acc": 0.75}, 75.0),
        ({"best_prec1": float("nan")}, None),
        ({"best_prec1": True}, None),
        ({"epoch": 90}, None),
    ],
)
def test_the_accuracy_that_a_checkpoint_claims_is_read(
    beside: dict[str, object], claimed: object, tmp_path: Path
) -> None:
    path = tmp_path / "claims.pth"
    torch.save({"state_dict": STATE, **beside}, path)
    assert read_checkpoint(path).claimed_top1 == claimed
