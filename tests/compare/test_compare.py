"""Two checkpoints of a small network, measured by the program: what was planted is what is said, and nothing else."""

import dataclasses
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from audit.checkpoints import measured
from audit.compare import Comparison, compare
from audit.compare.command import publish, stored
from audit.errors import AuditError, StoreError
from audit.events import Silence
from audit.records import Report, Scalars
from audit.store import write
from tests.audits import PROGRAM, ended

NETWORK = '''
"""A small network, and pictures that it was never trained on."""
import numpy as np
import torch
from torch import nn

def build(wider=0):
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(8)
    for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        tensor.copy_(torch.rand(8) + 0.5)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), norm, nn.ReLU(),
        nn.Conv2d(8, 10 + wider, 3, padding=1), nn.ReLU(), nn.Conv2d(10 + wider, 6, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4),
    )

class Pictures:
    def __init__(self, seed):
        self.random = np.random.default_rng(seed).integers(0, 256, (80, 5, 5, 3), dtype=np.uint8)
    def __len__(self):
        return len(self.random)
    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError(index)
        return np.kron(self.random[index], np.ones((3, 3, 1), np.uint8)), index % 4
'''
AUDIT = """
[audit]
device = "cpu"
[[models]]
name = "small"
factory = "network.py:build"
input = [3, 15, 15]
[[models]]
name = "wider"
factory = "network.py:build"
arguments = { wider = 3 }
input = [3, 15, 15]
[data]
factory = "network.py:Pictures"
arguments = { seed = 0 }
"""
State = dict[str, Tensor]


class Bench:
    """A folder with the audit; checkpoints of it are written, measured and compared."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "network.py").write_text(NETWORK)
        (folder / "audit.toml").write_text(AUDIT)
        scope: dict[str, Callable[..., torch.nn.Module]] = {}
        exec(NETWORK, scope)
        self.build = scope["build"]
        self.count = 0

    def state(self, **arguments: int) -> State:
        return {name: value.clone() for name, value in self.build(**arguments).state_dict().items()}

    def saved(self, state: State) -> Path:
        self.count += 1
        path = self.folder / f"{self.count}.pth"
        torch.save(state, path)
        return path

    def report(self, state: State, model: str = "small", audit: str = "audit.toml") -> Report:
        return measured(self.folder / audit, self.saved(state), model, Silence())


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def plain(bench: Bench) -> Report:
    return bench.report(bench.state())


def permuted(state: State, order: Tensor) -> State:
    """The first layer's units in that order, and what reads them too."""
    changed = dict(state)
    for name in ("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"):
        changed[name] = state[name][order]
    return changed | {"3.weight": state["3.weight"][:, order]}


def layers(comparison: Comparison, *statuses: str) -> list[str]:
    return [layer.name for layer in comparison.layers if layer.status in statuses]


def fates(comparison: Comparison, layer: str) -> list[tuple[str, str]]:
    found = next(one for one in comparison.layers if one.name == layer)
    return [(str(pair), pair.fate) for pair in found.pairs if pair.fate != "same"]


ORDER = torch.tensor([2, 0, 1, 4, 3, 5, 7, 6])


def test_a_network_and_itself_are_equal(plain: Report) -> None:
    found = compare(plain, plain)
    assert found.outcome == "equal"
    assert found.headline.startswith("Nothing changed: the weights of 5 layers are equal bit for bit, ")
    assert "answer alike to 80 pictures" in found.headline
    assert not found.changed
    assert set(found.fates) == {"same"}


def test_permuted_units_have_moved_and_nothing_drifted(bench: Bench, plain: Report) -> None:
    found = compare(plain, bench.report(permuted(bench.state(), ORDER)))
    assert found.outcome == "permuted"
    assert found.headline.startswith("Permuted, nothing drifted: 21 units of 3 layers")
    assert layers(found, "permuted") == ["0", "1", "3"]
    swapped = [("3 -> 4", "swapped"), ("4 -> 3", "swapped"), ("6 -> 7", "swapped"), ("7 -> 6", "swapped")]
    moved = [("0 -> 1", "moved"), ("1 -> 2", "moved"), ("2 -> 0", "moved")]
    for layer in ("0", "1", "2"):
        assert fates(found, layer) == [*moved, *swapped]
    assert fates(found, "3") == []


def test_inputs_in_another_order_alone_are_permuted_weights_and_drifted_units(bench: Bench, plain: Report) -> None:
    state = bench.state()
    found = compare(plain, bench.report(state | {"3.weight": state["3.weight"][:, ORDER]}))
    assert layers(found, "permuted") == ["3"]
    assert layers(found, "re-trained") == []
    assert found.changed
    assert "drifted" in {fate for _, fate in fates(found, "3")}
    assert fates(found, "2") == []


def test_one_unit_that_was_trained_is_named_with_its_layer_alone(bench: Bench, plain: Report) -> None:
    state = bench.state()
    state["3.weight"][4] = -state["3.weight"][4]
    found = compare(plain, bench.report(state))
    assert layers(found, "re-trained") == ["3"]
    assert layers(found, "equal") == ["0", "1", "5", "9"]
    assert next(layer for layer in found.layers if layer.name == "3").new == 1
    assert fates(found, "3") == [("4", "drifted")]


def test_a_unit_that_was_killed_has_died_and_that_is_a_change_of_items_too(bench: Bench, plain: Report) -> None:
    state = bench.state()
    state["3.weight"][6], state["3.bias"][6] = 0.0, -1.0
    found = compare(plain, bench.report(state))
    assert ("6", "died") in fates(found, "4")
    assert ("degenerate-weights", "passed", "failed") in [(item.name, item.a, item.b) for item in found.items]
    dead = {number.name: (number.a, number.b) for number in found.numbers}["dead_units"]
    assert dead[1] > dead[0]


def test_a_layer_that_has_grown_is_resized_and_its_old_units_are_found_again(bench: Bench, plain: Report) -> None:
    state, wide = bench.state(), bench.state(wider=3)
    places = [0, 1, 3, 4, 5, 7, 8, 9, 10, 12]
    for name in wide:
        if name not in ("3.weight", "3.bias", "5.weight"):
            wide[name] = state[name]
    wide["3.weight"] = torch.randn(wide["3.weight"].shape, generator=torch.Generator().manual_seed(7)) / 8
    wide["3.weight"][places], wide["3.bias"][places] = state["3.weight"], state["3.bias"]
    wide["5.weight"] *= 0.01
    wide["5.weight"][:, places] = state["5.weight"]
    found = compare(plain, bench.report(wide, "wider"))
    assert layers(found, "resized") == ["3"]
    grown = next(layer for layer in found.layers if layer.name == "3")
    assert [pair.b for pair in grown.pairs if pair.a is not None] == places
    assert [pair.b for pair in grown.pairs if pair.fate == "appeared"] == [2, 6, 11]
    back = compare(bench.report(wide, "wider"), plain)
    assert [pair.a for pair in _layer(back, "3").pairs if pair.fate == "gone"] == [2, 6, 11]


def _layer(comparison: Comparison, name: str):
    return next(layer for layer in comparison.layers if layer.name == name)


def test_other_pictures_are_refused_with_a_reason_and_weights_tell_what_they_can(bench: Bench, plain: Report) -> None:
    (bench.folder / "other.toml").write_text(AUDIT.replace("seed = 0", "seed = 1"))
    found = compare(plain, bench.report(permuted(bench.state(), ORDER), audit="other.toml"))
    assert "saw other pictures" in found.other_pictures
    assert (found.pictures, found.answered) == (0, 0)
    assert {layer.evidence for layer in found.layers} == {"weights"}
    assert fates(found, "0")[0] == ("0 -> 1", "moved")
    # nothing shows that the readers of the permuted units were permuted with them
    assert [layer.name for layer in found.layers if layer.unconfirmed] == ["0", "1", "3"]
    assert found.changed


def test_a_run_without_fingerprints_is_refused(plain: Report) -> None:
    older = dataclasses.replace(plain, tables=tuple(t for t in plain.tables if t.name != "fingerprints"))
    with pytest.raises(StoreError, match=r"the run in old holds no fingerprints .* run the audit again"):
        compare(older, plain, ("old", "new"))


def test_what_became_not_a_number_is_no_silent_pass(bench: Bench, plain: Report) -> None:
    state = bench.state()
    state["3.bias"][2] = torch.nan
    found = compare(plain, bench.report(state))
    assert found.changed
    assert fates(found, "3")[0] == ("2", "unclear")
    assert layers(found, "re-trained") == ["3"]


def test_stored_runs_say_the_same_as_those_in_memory(bench: Bench, plain: Report, tmp_path: Path) -> None:
    other = dataclasses.replace(bench.report(permuted(bench.state(), ORDER)), verdicts=())
    plain = dataclasses.replace(plain, verdicts=())
    write(plain, tmp_path / "a")
    write(other, tmp_path / "b")
    found = compare(stored(tmp_path / "a"), stored(tmp_path / "b"))
    assert repr(found) == repr(compare(plain, other))  # NaN equals no NaN
    assert found.outcome == "permuted"


def test_the_page_loads_nothing_and_escapes_what_strangers_wrote(plain: Report, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\u202e"
    scalars = tuple(Scalars(evil if s.layer == "3" else s.layer, s.columns) for s in plain.scalars)
    tables = tuple(
        dataclasses.replace(
            table,
            columns={k: np.where(c == "3", evil, c) if c.dtype.kind == "U" else c for k, c in table.columns.items()},
        )
        for table in plain.tables
    )
    other = dataclasses.replace(plain, model=evil, audit=evil, scalars=scalars, tables=tables)
    found = compare(plain, other, (evil, evil))
    html, document = publish(found, plain, other, tmp_path)
    text = html.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "\u202e" not in text
    assert "&lt;script&gt;" in text
    assert "default-src 'none'" in text
    assert json.loads(document.read_text())["outcome"] == "changed"


def cli(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return ended([str(PROGRAM), "compare", *arguments], cwd, pdf=True)


def test_the_command_compares_checkpoints_and_its_exit_codes_say_what_it_found(bench: Bench) -> None:
    state = bench.state()
    changed = bench.state()
    changed["9.weight"][1] += 1
    names = [bench.saved(one).name for one in (state, permuted(state, ORDER), changed)]
    asked = ("--audit", "audit.toml", "--model", "small", "--fail-on-change")
    harmless = cli(names[0], names[1], *asked, cwd=bench.folder)
    assert harmless.returncode == 0, harmless.stderr
    assert "Permuted, nothing drifted" in harmless.stdout
    worse = cli(names[0], names[2], *asked, "--output", "out", cwd=bench.folder)
    assert worse.returncode == 1, worse.stderr
    assert "1 layer re-trained (9)" in worse.stdout.replace("\n", " ")
    assert {path.name for path in (bench.folder / "out").iterdir()} == {"comparison.html", "comparison.json"}
    document = json.loads((bench.folder / "out" / "comparison.json").read_text())
    assert [layer["layer"] for layer in document["layers"] if layer["weights"] != "equal" and layer["weights"]] == ["9"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("1.pth", "1.pth"), "is a file: name the folder of a run"),
        (("nowhere", "nowhere"), "no folder nowhere"),
        ((".", "."), "no report in ."),
        (("nowhere.pth", "1.pth", "--audit", "audit.toml", "--model", "small"), "no file nowhere.pth"),
        (("1.pth", "1.pth", "--audit", "audit.toml"), "has the models small, wider; name one of them with --model"),
        (("1.pth", "1.pth", "--audit", "audit.toml", "--model", "smal"), 'no model "smal" in audit.toml; did you'),
        (("1.pth", "1.pth", "--audit", "nowhere.toml"), "nowhere.toml:1:1: cannot be read"),
        (("1.pth", "1.pth", "--model", "small"), "name the audit, --audit"),
        (("audit.toml", "1.pth", "--audit", "audit.toml", "--model", "small"), "audit.toml"),
    ],
)
def test_wrong_arguments_end_with_4_and_the_reason(bench: Bench, arguments: tuple[str, ...], said: str) -> None:
    torch.save(bench.state(), bench.folder / "1.pth")
    result = cli(*arguments, cwd=bench.folder)
    assert result.returncode == 4, result.stdout
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_checkpoint_of_another_network_is_refused(bench: Bench) -> None:
    with pytest.raises(AuditError, match="does not fit"):
        bench.report(bench.state(wider=3))
