"""Small audits of the demo model in folders of their own, run by the installed program as a user runs it."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import audit
from tests.prefork import forked

PROGRAM = Path(sys.executable).with_name("deepvis-audit")
WEIGHTS = Path(audit.__file__).parent / "demo" / "weights.safetensors"
PICTURES = 120

FILES = {
    "pictures.py": '''
"""Labelled pictures; every access is written down, and one of them can fail."""
from pathlib import Path
from audit.demo.generator import pictures

class Watched:
    def __init__(self, labels, bad):
        self.inner, self.labels, self.bad = pictures(count=120, seed=1, split="test"), labels, bad
    def __len__(self):
        return len(self.inner)
    def __getitem__(self, index):
        with open(Path(__file__).with_name("accesses.txt"), "a") as log:
            print(index, file=log)
        if index == self.bad:
            raise RuntimeError("the disc is on fire")
        picture, label = self.inner[index]
        return (picture, label) if self.labels else picture

def make(labels=True, bad=-1):
    return Watched(labels, bad)

def refuse():
    raise RuntimeError("nobody may open this")
''',
    "network.py": '''
"""The demo's network; it notes how many pictures each forward pass shows, and can wait for ever in its first ascent."""
import time
from collections import OrderedDict
from pathlib import Path
from torch import nn
from audit.demo.network import network

class Watched(nn.Sequential):
    def forward(self, images):
        here = Path(__file__).parent
        with open(here / "forwards.txt", "a") as log:
            print(len(images), file=log)
        if images.requires_grad and (here / "wait").exists() and any(here.glob("reports/.work/*.npz")):
            (here / "waiting").touch()
            while True:
                time.sleep(0.05)
        return super().forward(images)

def build():
    return Watched(OrderedDict(network(12).named_children()))
''',
}


def section(kind: str, **values: Any) -> str:
    """A table of TOML: JSON's values are TOML's, but for tables."""
    return "\n".join([kind, *(f"{name} = {_value(value)}" for name, value in values.items())]) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)


AUDIT = section("[audit]", name="Fast", device="cpu")
DEMO = {"name": "demo", "factory": "audit.demo.network:network", "input": [3, 64, 64], "mean": 0.5, "std": 0.25}
MODEL = section("[[models]]", **DEMO, checkpoint=str(WEIGHTS))
DATA = section("[data]", factory="pictures.py:make", batch=40)
PRESET = section("[presets.quick]", steps=3, learning_rate=1.0)
LAYERS = section(
    "[[layers]]",
    name=["conv1", "relu1"],
    units=[3, 5],
    analyses=["activations", "optimized", "max-patches"],
    presets=["quick"],
    images=2,
)
CHECKS = section("[[checks]]", check="accuracy", at_least=80.0) + section("[[checks]]", check="dead-units")
FAST = AUDIT + MODEL + DATA + PRESET + LAYERS + CHECKS
"""One model, two layers, two units each, two checks: a second of work."""

IDS = [
    "audit.toml::demo::accuracy",
    "audit.toml::demo::conv1::activations",
    "audit.toml::demo::relu1::activations",
    "audit.toml::demo::relu1::dead-units",
    "audit.toml::demo::conv1::optimized",
    "audit.toml::demo::conv1::max-patches",
    "audit.toml::demo::relu1::optimized",
    "audit.toml::demo::relu1::max-patches",
]
"""Of its items, in the order of their evaluation."""


INTERRUPTIBLE = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Runs a program; a shell's background jobs ignore the interrupt key, and so would their children."""


@dataclass(frozen=True)
class Folder:
    """A folder with an audit.toml and what it names."""

    path: Path

    @classmethod
    def of(cls, path: Path, text: str = FAST) -> "Folder":
        """A new folder that holds `text` as audit.toml, watched pictures and a network that can wait."""
        path.mkdir(parents=True, exist_ok=True)
        for name, content in {**FILES, "audit.toml": text}.items():
            (path / name).write_text(content, encoding="utf-8")
        return cls(path)

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """`deepvis-audit run ARGUMENTS`, here or in `cwd`; with `pdf` the report's PDF too."""
        cwd, pdf = options.pop("cwd", self.path), options.pop("pdf", False)
        return forked("deepvis-audit", ["run", *arguments], cwd, {**environment(pdf), **options})

    def pytest(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """`pytest ARGUMENTS`, here or in `cwd`; `fresh`: in a process that has imported nothing."""
        if options.pop("fresh", False):
            return ended([sys.executable, "-m", "pytest", *arguments], **{"cwd": self.path, **options})
        cwd, pdf = options.pop("cwd", self.path), options.pop("pdf", False)
        return forked("pytest", arguments, cwd, {**environment(pdf), **options})

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`deepvis-audit run ARGUMENTS`, not waited for."""
        with open(self.path / "output.txt", "w", encoding="utf-8") as output:
            return subprocess.Popen(
                [sys.executable, "-c", INTERRUPTIBLE, str(PROGRAM), "run", *arguments],
                cwd=self.path,
                env=environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def results(self, model: str = "demo", reports: str = "reports") -> dict[str, Any]:
        """What results.json says of the newest run."""
        loaded: dict[str, Any] = json.loads((self.path / reports / model / "latest" / "results.json").read_bytes())
        return loaded

    def outcomes(self, model: str = "demo") -> dict[str, str]:
        """Item id -> outcome, of the newest run."""
        return {item["id"]: item["outcome"] for item in self.results(model)["items"]}

    def messages(self, model: str = "demo") -> dict[str, str]:
        """Item id -> message, of the newest run."""
        return {item["id"]: item["message"] for item in self.results(model)["items"]}

    def log(self, name: str) -> list[int]:
        """What accesses.txt (indices of pictures) or forwards.txt (pictures shown) has got since the last call."""
        path = self.path / name
        numbers = [int(line) for line in path.read_text().split()] if path.exists() else []
        path.unlink(missing_ok=True)
        return numbers


def environment(pdf: bool = False) -> dict[str, str]:
    """Of a machine that is no CI; without `pdf` one that lacks what PDFs need, which saves their seconds."""
    ours = ("CI", "PYTEST_ADDOPTS", "COLUMNS", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    variables = {**kept, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    if not pdf:
        lacking = Path(tempfile.gettempdir()) / f"audits-lacking-{os.getpid()}"
        lacking.mkdir(exist_ok=True)
        (lacking / "weasyprint.py").write_text('raise OSError("there is no Pango here")\n')
        variables["PYTHONPATH"] = os.pathsep.join([str(lacking), *filter(None, [os.environ.get("PYTHONPATH")])])
    return variables


def ended(command: list[str], cwd: Path, pdf: bool = False, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command that has ended, whatever its exit code."""
    return subprocess.run(
        command,
        cwd=cwd,
        env={**environment(pdf), **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
