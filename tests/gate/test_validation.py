"""Wrong audit.toml files, tried as a user does: every mistake with its place, exit code 4, no traceback."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.audits import AUDIT, CHECKS, DATA, DEMO, FAST, LAYERS, PRESET, WEIGHTS, Folder, section

REST = DATA + PRESET + LAYERS + CHECKS


def model(**values: object) -> str:
    """An audit of one model, the demo's but for these values."""
    return AUDIT + section("[[models]]", **{**DEMO, "checkpoint": str(WEIGHTS), **values}) + REST


WRONG = {
    "syntax": (FAST + "seed == 1\n", ["28:7: is not TOML: "]),
    "key": (FAST.replace("device", "devise"), ['3:1: no key "devise" in [audit]; did you mean "device"?']),
    "section": (FAST + section("[model]", name="x"), ['28:1: no section [model]; did you mean "models"?']),
    "type": (FAST.replace("batch = 40", 'batch = "many"'), ['13:1: batch = "many": needs a whole number above 0']),
    "torchvision": (
        model(factory="torchvision:resnet19", checkpoint="x.pth"),
        ['6:1: model "demo": torchvision has no model "resnet19"; did you mean "resnet18"?'],
    ),
    "module": (
        model(factory="nowhere.networks:build"),
        ["6:1: model \"demo\": import nowhere.networks failed: ModuleNotFoundError: No module named 'nowhere'"],
    ),
    "function": (
        model(factory="network.py:built"),
        ['6:1: model "demo": no "built" in network.py; did you mean "build"?'],
    ),
    "checkpoint": (
        model(checkpoint="weight.safetensors"),
        ['10:1: model "demo": no file "weight.safetensors"; did you mean "weights.safetensors"?'],
    ),
    "misfit": (
        model(checkpoint="weights.safetensors"),
        [
            '10:1: model "demo": weights.safetensors does not fit Sequential (8 tensors)',
        ],
    ),
    "layer": (FAST.replace('"relu1"', '"relu11"'), ['18:18: no layer "relu11" in demo; did you mean "relu1"?']),
    "unit": (
        FAST.replace("units = [3, 5]", "units = [3, 32]"),
        [
            '19:1: no unit 32 in layer "conv1" of demo; it has the units 0 to 31',
            '19:1: no unit 32 in layer "relu1" of demo; it has the units 0 to 31',
        ],
    ),
    "check": (FAST.replace("dead-units", "dead-unit"), ['27:1: no check "dead-unit"; did you mean "dead-units"?']),
    "idle": (
        FAST.replace('["conv1", "relu1"]', '"conv1"'),
        ["26:1: dead-units looks at no layer: [[layers]] chooses no rectified layer; the rectified layers are: "],
    ),
    "preset": (FAST.replace('["quick"]', '["quickly"]'), ['21:12: no preset "quickly"; did you mean "quick"?']),
    "labels": (
        model(labels=["one", "two"]),
        ['11:1: model "demo": labels has 2 labels, but audit.demo.network:network has 12 outputs'],
    ),
    "variable": (
        model(checkpoint="${DEEPVIS_NOWHERE}/x.pth"),
        ['10:1: checkpoint = "${DEEPVIS_NOWHERE}/x.pth": the environment variable DEEPVIS_NOWHERE is not set'],
    ),
    "folder": (FAST.replace(DATA, section("[data]", folder="photos")), ["12:1: there is no folder "]),
    "empty": (FAST.replace(DATA, section("[data]", folder="nothing")), ["12:1: no pictures in "]),
    "data": (FAST.replace("pictures.py:make", "picture.py:make"), ['12:1: no file "picture.py"; did you mean']),
    "several": (
        model(checkpoint="nowhere.pth", labels=["one"])
        .replace("batch = 40", "batch = 0.5")
        .replace('"relu1"', '"relo1"')
        .replace("at_least", "at_most"),
        [
            '10:1: model "demo": no file "nowhere.pth"',
            '11:1: model "demo": labels has 1 label, but ',
            "14:1: batch = 0.5: needs a whole number above 0",
            '19:18: no layer "relo1" in demo; did you mean "relu1"?',
            '26:1: no key "at_most" in [[checks]] with check = "accuracy"; did you mean "at_least"?',
        ],
    ),
}
"""Name of the file -> its text, and how each of the lines begins that are to be said of it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Every wrong file, beside what they name."""
    folder = Folder.of(tmp_path_factory.mktemp("wrong"))
    for name, (text, _) in WRONG.items():
        (folder.path / f"{name}.toml").write_text(text)
    state = load_file(WEIGHTS)
    state["fc.offset"] = state.pop("fc.bias")
    state["conv1.weight"] = torch.zeros(32, 3, 7, 7)
    save_file(state, folder.path / "weights.safetensors")
    (folder.path / "nothing").mkdir()
    return folder


@pytest.fixture(scope="module")
def said(folder: Folder) -> str:
    """What `deepvis-audit run` says of all of them in one go."""
    result = folder.run(*(f"{name}.toml" for name in WRONG))
    assert result.returncode == 4
    assert result.stdout == ""
    return result.stderr


@pytest.mark.parametrize("name", WRONG)
def test_every_mistake_is_said_with_its_place(said: str, name: str) -> None:
    head, expected = f"{name}.toml:", WRONG[name][1]
    lines = [line.removeprefix(head) for line in said.splitlines() if line.startswith(head)]
    assert len(lines) == len(expected)
    for line, beginning in zip(lines, expected, strict=True):
        assert line.startswith(beginning)


def test_a_checkpoint_that_does_not_fit_is_told_in_names(said: str) -> None:
    of_checkpoint = said[said.index("misfit.toml") : said.index("layer.toml")]
    assert "1 missing: fc.bias" in of_checkpoint
    assert "1 unexpected: fc.offset" in of_checkpoint
    assert "1 different: conv1.weight [32, 3, 7, 7], needed [32, 3, 11, 11]" in of_checkpoint


def test_nothing_else_is_said_and_no_traceback(said: str) -> None:
    assert "Traceback" not in said
    assert {line.partition(".toml:")[0] for line in said.replace("\n  ", " ").splitlines()} == set(WRONG)


@pytest.mark.parametrize("name", ["syntax", "layer"])
def test_one_wrong_file_is_a_usage_error(folder: Folder, name: str) -> None:
    result = folder.run(f"{name}.toml", "-v", "-k", "anything")
    assert result.returncode == 4
    assert result.stderr.startswith(f"{name}.toml:{WRONG[name][1][0]}")
    assert len(result.stderr.splitlines()) == 1


def test_plain_pytest_says_the_same_as_a_collection_error(folder: Folder, said: str) -> None:
    result = folder.pytest("several.toml", "layer.toml")
    assert result.returncode == 2
    several, layer = ([line for line in said.splitlines() if line.startswith(name)] for name in ("several", "layer"))
    assert [line for line in result.stdout.splitlines() if line in {*several, *layer}] == several + layer
    assert "Traceback" not in result.stdout + result.stderr
    assert not (folder.path / "reports").exists()


def test_a_file_that_is_not_there_is_said_in_a_sentence(folder: Folder, tmp_path: Path) -> None:
    result = folder.run("severel.toml")
    assert result.returncode == 4
    assert result.stderr.strip() == f'no file "severel.toml" in {folder.path}; did you mean "several.toml"?'
    result = folder.run(cwd=tmp_path)
    assert result.returncode == 4
    assert result.stderr.strip() == f'no file "audit.toml" in {tmp_path}; name the file to audit'


def test_a_device_that_is_not_there_is_said(tmp_path: Path) -> None:
    if torch.cuda.device_count() > 7:
        pytest.skip("this machine has eight CUDA devices")
    result = Folder.of(tmp_path, FAST.replace('"cpu"', '"cuda:7"')).run("--collect-only")
    assert result.returncode == 4
    assert result.stderr.startswith('audit.toml:3:1: device = "cuda:7": this machine has no such device')
