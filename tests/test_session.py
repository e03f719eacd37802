"""A run that is killed after the pass goes on where it was, and ends with the same bytes as one that was not."""

import time
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from tests.audits import AUDIT, CHECKS, DATA, DEMO, IDS, LAYERS, PRESET, WEIGHTS, Folder, section

WATCHED = section("[[models]]", **{**DEMO, "factory": "network.py:build"}, checkpoint=str(WEIGHTS))
TEXT = AUDIT + WATCHED + DATA + PRESET + LAYERS + CHECKS
BATCHES = [40, 40, 40]


def until_waiting(folder: Folder, process: Popen[str]) -> None:
    """Returns once the network has begun its first ascent."""
    deadline = time.monotonic() + 120
    while not (folder.path / "waiting").exists():
        assert process.poll() is None, (folder.path / "output.txt").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def passed_over(folder: Folder) -> list[int]:
    """The batches of the pass among the forward passes since the last call."""
    return [shown for shown in folder.log("forwards.txt") if shown in BATCHES]


def work(folder: Folder) -> dict[str, tuple[int, bytes]]:
    """The kept work: name -> time and contents."""
    files = (folder.path / "reports" / ".work").glob("*.npz")
    return {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


def stored(folder: Folder) -> dict[str, bytes]:
    """Units and sprites of the newest run, byte for byte."""
    latest = folder.path / "reports" / "demo" / "latest"
    return {
        file.relative_to(latest).as_posix(): file.read_bytes()
        for file in [latest / "units.parquet", latest / "pictures.parquet", *sorted((latest / "sprites").iterdir())]
    }


def lasting(folder: Folder) -> dict[str, Any]:
    """results.json without the times."""
    results = folder.results()
    for name in ("started", "seconds", "steps"):
        del results["provenance"][name]
    return results


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder.of(tmp_path_factory.mktemp("undisturbed"), TEXT)
    result = folder.run()
    assert result.returncode == 0, result.stdout
    assert passed_over(folder) == BATCHES
    return folder


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, dict[str, tuple[int, bytes]]]:
    """A folder whose run was killed in its first ascent and then run again, and the work that the first run left."""
    folder = Folder.of(tmp_path_factory.mktemp("killed"), TEXT)
    (folder.path / "wait").touch()
    process = folder.start()
    until_waiting(folder, process)
    process.kill()
    assert process.wait(timeout=60) == -9
    assert not (folder.path / "reports" / "demo").exists()
    assert passed_over(folder) == BATCHES
    left = work(folder)
    (folder.path / "wait").unlink()
    result = folder.run()
    assert result.returncode == 0, result.stdout
    return folder, left


def test_the_pass_is_not_repeated(killed: tuple[Folder, dict[str, tuple[int, bytes]]]) -> None:
    folder, left = killed
    assert len(left) == 4  # two layers, the answers, and which pictures are damaged
    assert passed_over(folder) == []
    assert {name: work(folder)[name] for name in left} == left


def test_the_results_are_those_of_a_run_that_was_not_killed(
    killed: tuple[Folder, dict[str, tuple[int, bytes]]], undisturbed: Folder
) -> None:
    assert lasting(killed[0]) == lasting(undisturbed)
    assert stored(killed[0]) == stored(undisturbed)
    assert len(stored(undisturbed)) > 1
    assert undisturbed.outcomes() == dict.fromkeys(IDS, "passed")


def test_nothing_is_computed_again_where_nothing_changed(killed: tuple[Folder, dict[str, tuple[int, bytes]]]) -> None:
    folder, _ = killed
    before, stored_before, first = work(folder), stored(folder), (folder.path / "reports/demo/latest").resolve()
    folder.log("forwards.txt")
    assert folder.run(".").returncode == 0
    assert set(folder.log("forwards.txt")) == {2}  # the outline alone
    assert work(folder) == before
    assert stored(folder) == stored_before
    latest = folder.path / "reports" / "demo" / "latest"
    assert sorted(run for run in latest.parent.iterdir() if not run.is_symlink()) == [first, latest.resolve()]


def test_changed_labels_judge_the_accuracy_again_and_nothing_else(tmp_path: Path) -> None:
    named = section(
        "[[models]]",
        **{**DEMO, "factory": "network.py:build"},
        checkpoint=str(WEIGHTS),
        labels=[f"class{number}" for number in range(12)],
    )
    data = section("[data]", factory="own.py:make", batch=40)
    layers = section("[[layers]]", name=["conv1", "relu1"])
    folder = Folder.of(tmp_path, AUDIT + named + data + layers + CHECKS)
    (tmp_path / "own.py").write_text(
        "from audit.demo.generator import pictures\n"
        "class Named:\n"
        "    inner = pictures(count=120, seed=1, split='test')\n"
        "    def __len__(self):\n"
        "        return 120\n"
        "    def __getitem__(self, index):\n"
        "        return self.inner[index][0], f'class{self.inner[index][1]}'\n"
        "def make():\n"
        "    return Named()\n"
    )
    assert folder.run().returncode == 0
    before = work(folder)
    right = folder.results()["numbers"]["top1"]
    text = (tmp_path / "audit.toml").read_text()
    (tmp_path / "audit.toml").write_text(text.replace('"class0", "class1"', '"class1", "class0"'))
    assert folder.run().returncode in (0, 1)
    assert len(work(folder).keys() - before.keys()) == 1
    assert folder.results()["numbers"]["top1"] < right
