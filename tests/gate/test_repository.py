"""A team's repository: its own tests, our plugin, two checkpoints, and the workflow whose gate turns red and green."""

import re
import shutil
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch

from tests.audits import environment
from tests.prefork import forked

EXAMPLES = Path(__file__).parents[2] / "examples"
LAYER, DEAD = "layer2.0.relu", (2, 3, 5, 7, 11, 13, 17, 19)

AUDIT = """
[audit]
name = "Release candidate"
device = "cpu"

[[models]]
name = "candidate"
factory = "resnet.py:resnet"
arguments = { depth = 20 }
checkpoint = "candidate.th"
input = [3, 32, 32]
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]

[data]
folder = "PICTURES"
limit = 100

[[layers]]
name = "layer*.relu*"

[[checks]]
check = "accuracy"
at_least = 50.0

[[checks]]
check = "dead-units"
at_most = 15.0

[[checks]]
check = "non-finite"
"""
TESTS = """
import torch

def test_the_weights_are_finite():
    state = torch.load("candidate.th", map_location="cpu", weights_only=True)["state_dict"]
    assert all(value.isfinite().all() for value in state.values())

def test_the_first_unit_fires(audit):
    assert audit.unit("layer1.0.relu", 0).fires > 0.01
"""
PYTEST = """
[tool.pytest.ini_options]
audit_files = ["audit.toml"]
addopts = ["--strict-markers"]
filterwarnings = ["error"]
"""
WORKFLOW = """
on: [pull_request]
jobs:
  gate:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: pytest --junitxml=junit.xml
"""
WAIVER = """
[[waivers]]
items = "candidate::LAYER::dead-units"
units = UNITS
reason = "Pruned on purpose; the next training run starts without them."
owner = "vision team"
expires = DAY
"""


class Repository:
    """A folder as a team keeps it; `candidate.th` is what a training run has left there."""

    def __init__(self, path: Path, real: Path):
        self.path = path
        self.healthy = real / "cifar10-resnet20-12fca82f.th"
        (path / ".github" / "workflows").mkdir(parents=True)
        for name, text in {
            "audit.toml": AUDIT.replace("PICTURES", str(real / "cifar10" / "test")),
            "test_candidate.py": TESTS,
            "pyproject.toml": PYTEST,
            ".github/workflows/gate.yml": WORKFLOW,
        }.items():
            (path / name).write_text(text)
        shutil.copy(EXAMPLES / "cifar_resnet.py", path / "resnet.py")
        shutil.copy(self.healthy, path / "candidate.th")

    def damage(self) -> None:
        """Units die: their normalisation makes them negative, as a learning rate that is too high does."""
        stored = torch.load(self.healthy, map_location="cpu", weights_only=True)
        state = stored["state_dict"]
        state["module.layer2.0.bn1.weight"][list(DEAD)] = 0.0
        state["module.layer2.0.bn1.bias"][list(DEAD)] = -1.0
        torch.save(stored, self.path / "candidate.th")

    def waive(self, days: int) -> None:
        """Until so many days from today."""
        day = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
        text = WAIVER.replace("LAYER", LAYER).replace("UNITS", str(list(DEAD))).replace("DAY", day)
        (self.path / "waivers.toml").write_text(text)

    def gate(self) -> tuple[CompletedProcess[str], set[str]]:
        """What the workflow's step does, and the ids that it refuses."""
        (command,) = re.findall(r"- run: (pytest .*)", (self.path / ".github/workflows/gate.yml").read_text())
        program, *arguments = command.split()
        result = forked(program, arguments, self.path, environment())
        cases = ET.parse(self.path / "junit.xml").iter("testcase")
        refused = {str(one.get("name")) for one in cases if one.find("failure") is not None}
        return result, refused


@pytest.fixture(scope="module")
def repository(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("repository"), real)


@pytest.mark.data
def test_the_gate_is_green_then_red_then_waived_then_red_again(repository: Repository) -> None:
    result, refused = repository.gate()
    assert (result.returncode, refused) == (0, set()), result.stdout

    repository.damage()
    result, refused = repository.gate()
    assert result.returncode == 1
    assert f"FAILED audit.toml::candidate::{LAYER}::dead-units" in result.stdout
    assert refused == {f"audit.toml::candidate::{LAYER}::dead-units"}
    assert "8 of 32 units never fire on 100 pictures: 2, 3, 5, 7, 11, 13, 17, 19" in result.stdout

    repository.waive(days=1)
    result, refused = repository.gate()
    assert (result.returncode, refused) == (0, set()), result.stdout
    assert "1 waived" in result.stdout

    repository.waive(days=-1)
    result, refused = repository.gate()
    assert result.returncode == 1
    assert refused == {f"audit.toml::candidate::{LAYER}::dead-units"}
    assert "mend it, or decide anew" in result.stdout
