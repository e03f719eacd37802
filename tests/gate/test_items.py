"""audit.toml under pytest: ids, selection, exit codes, JUnit, and what is computed for the items that are selected."""

import json
import signal
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from junitparser.xunit2 import JUnitXml

from tests.audits import AUDIT, CHECKS, DATA, DEMO, FAST, IDS, LAYERS, MODEL, PRESET, WEIGHTS, Folder, section

OPTIMIZED = [name for name in IDS if name.endswith("optimized")]
STRICT = FAST.replace("at_least = 80.0", "at_least = 99.5")
"""The demo's accuracy on 120 pictures is 94.17 %."""
REFUSING = FAST.replace("pictures.py:make", "pictures.py:refuse")
WATCHED = section("[[models]]", **{**DEMO, "factory": "network.py:build"}, checkpoint=str(WEIGHTS))


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, CompletedProcess[str]]:
    """A run of everything, with -v and --junitxml, in which the accuracy fails."""
    folder = Folder.of(tmp_path_factory.mktemp("strict"), STRICT)
    return folder, folder.run("-v", "--junitxml=junit.xml")


def test_one_failed_item_fails_the_run(strict: tuple[Folder, CompletedProcess[str]]) -> None:
    folder, result = strict
    assert result.returncode == 1
    assert folder.outcomes() == {name: "failed" if name.endswith("accuracy") else "passed" for name in IDS}


def test_v_shows_every_id_as_it_is(strict: tuple[Folder, CompletedProcess[str]]) -> None:
    lines = strict[1].stdout.splitlines()
    shown = [line.split()[:2] for line in lines if line.startswith("audit.toml::")]
    assert shown == [[name, "FAILED" if name.endswith("accuracy") else "PASSED"] for name in IDS]


def test_a_failure_says_what_was_measured_and_needed(strict: tuple[Folder, CompletedProcess[str]]) -> None:
    output = strict[1].stdout
    assert "demo: accuracy ___" in output
    assert "top-1 accuracy 94.17 % on 120 labelled pictures\n  measured 94.17 %, needed at least 99.5 %\n" in output
    assert "FAILED audit.toml::demo::accuracy - top-1 accuracy 94.17 %" in output
    assert "demo: 1 failed, 7 passed; top-1 accuracy 94.17%" in output
    assert f"report {strict[0].path}/reports/demo/latest/report.html" in output


def test_without_pango_the_pdf_alone_is_missing(strict: tuple[Folder, CompletedProcess[str]]) -> None:
    latest = strict[0].path / "reports" / "demo" / "latest"
    assert "no PDF: no report.pdf, because WeasyPrint cannot load Pango" in strict[1].stdout
    assert (latest / "report.html").exists()
    assert not (latest / "report.pdf").exists()


def test_junit_has_unique_names_messages_and_numbers(strict: tuple[Folder, CompletedProcess[str]]) -> None:
    (suite,) = JUnitXml.fromfile(str(strict[0].path / "junit.xml"))
    cases = {case.name: case for case in suite}
    assert list(cases) == IDS
    assert len(suite) == suite.tests == len(IDS)
    assert {case.classname for case in suite} == {"audit.demo"}
    accuracy = cases["audit.toml::demo::accuracy"]
    (failure,) = accuracy.result
    assert failure.message == "top-1 accuracy 94.17 % on 120 labelled pictures"
    assert failure.text == f"{failure.message}\n  measured 94.17 %, needed at least 99.5 %"
    said = {entry.name: entry.value for entry in accuracy.properties()}
    line = (strict[0].path / "audit.toml").read_text().splitlines().index('check = "accuracy"')
    assert said["file"] == "audit.toml"
    assert said["line"] == str(line)  # of the [[checks]] above it, counted from 1
    assert float(said["limit"]) == 99.5
    assert float(said["measured"]) == pytest.approx(100 * 113 / 120)


def test_lf_runs_what_failed(strict: tuple[Folder, CompletedProcess[str]]) -> None:
    again = Folder.of(strict[0].path, STRICT)
    result = again.run("--lf", "--report", "elsewhere", "--tb=line")
    assert result.returncode == 1
    assert "FAILURES" in result.stdout
    assert "\ntop-1 accuracy 94.17 % on 120 labelled pictures\n===" in result.stdout
    assert "8 items / 7 deselected / 1 selected" in result.stdout
    assert [item["id"] for item in again.results(reports="elsewhere")["items"]] == ["audit.toml::demo::accuracy"]


def test_collecting_shows_the_ids_and_opens_no_data(tmp_path: Path) -> None:
    result = Folder.of(tmp_path, REFUSING).run("--collect-only", "-q")
    assert result.returncode == 0
    assert result.stdout.splitlines()[: len(IDS)] == IDS
    assert not (tmp_path / "reports").exists()


def test_an_id_selects_what_is_below_it_and_no_other_layer_is_measured(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, AUDIT + WATCHED + DATA + PRESET + LAYERS + CHECKS)
    result = folder.run("audit.toml::demo::relu1", "-k", "dead-units")
    assert result.returncode == 0
    assert folder.outcomes() == {"audit.toml::demo::relu1::dead-units": "passed"}
    kept = list((tmp_path / "reports" / ".work").glob("*.npz"))
    assert (
        len(kept) == 3
    )  # relu1's, the weights' fingerprints, and which pictures are damaged; neither conv1's nor the answers
    assert "top-1" not in result.stdout
    folder.log("forwards.txt")
    result = folder.run("audit.toml::demo::conv1", "audit.toml::demo::accuracy", "-x")
    assert result.returncode == 0
    assert set(folder.outcomes()) == {name for name in IDS if "conv1" in name or "accuracy" in name}
    assert sum(shown for shown in folder.log("forwards.txt") if shown == 40) == 120  # one pass, whatever is asked of it


def test_optimized_images_need_no_data(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, REFUSING)
    result = folder.run("-k", "optimized")
    assert result.returncode == 0
    assert folder.outcomes() == dict.fromkeys(OPTIMIZED, "passed")
    assert folder.results()["provenance"]["data digest"] == "no pass over the pictures was made"


def test_nothing_selected_is_5_and_leaves_no_report(tmp_path: Path) -> None:
    result = Folder.of(tmp_path).run("-k", "nothing_of_this_name")
    assert result.returncode == 5
    assert not (tmp_path / "reports").exists()


def test_an_id_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    result = Folder.of(tmp_path).run("audit.toml::demo::conv9")
    assert result.returncode == 4
    assert "conv9" in result.stderr


def test_without_data_what_needs_it_fails_and_says_so(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, AUDIT + MODEL + PRESET + LAYERS + CHECKS)
    result = folder.run()
    assert result.returncode == 1
    assert folder.outcomes() == {name: "passed" if name in OPTIMIZED else "failed" for name in IDS}
    reason = "unavailable: there is no [data] section; say there where the pictures come from"
    assert {message for name, message in folder.messages().items() if name not in OPTIMIZED} == {reason}
    assert reason in result.stdout


def test_without_data_what_looks_at_weights_alone_is_judged(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, AUDIT + MODEL + section("[[checks]]", check="noisy-filters"))
    assert folder.run().returncode == 0
    assert folder.outcomes() == {"audit.toml::demo::conv1::noisy-filters": "passed"}


def test_without_labels_the_accuracy_alone_is_unavailable(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, FAST + "")
    (tmp_path / "audit.toml").write_text(FAST.replace("batch = 40", "batch = 40\narguments = { labels = false }"))
    result = folder.run()
    assert result.returncode == 1
    assert folder.outcomes() == {name: "failed" if name.endswith("accuracy") else "passed" for name in IDS}
    assert folder.messages()["audit.toml::demo::accuracy"].startswith("unavailable: no picture has a label")


def test_labels_that_are_no_outputs_are_the_accuracys_error_alone(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, AUDIT + MODEL + section("[data]", factory="own.py:make") + PRESET + LAYERS + CHECKS)
    (tmp_path / "own.py").write_text(
        "import numpy as np\n"
        "def make():\n"
        "    return [(np.full((64, 64, 3), 2 * index, np.uint8), 40 + index) for index in range(120)]\n"
    )
    folder.run("-k", "accuracy or activations")
    assert folder.outcomes() == {
        "audit.toml::demo::accuracy": "error",
        "audit.toml::demo::conv1::activations": "passed",
        "audit.toml::demo::relu1::activations": "passed",
    }
    assert "the model has 12 outputs" in folder.messages()["audit.toml::demo::accuracy"]


def test_data_that_fails_in_the_middle_is_an_error_of_what_needs_it_and_tried_once(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, FAST.replace("batch = 40", "batch = 40\ndamaged = 0.0\narguments = { bad = 67 }"))
    result = folder.run()
    assert result.returncode == 1
    assert folder.outcomes() == {name: "passed" if name in OPTIMIZED else "error" for name in IDS}
    (message,) = {message for name, message in folder.messages().items() if name not in OPTIMIZED}
    assert "1 damaged pictures so far; of 120 no more than 0 may be" in message
    assert "RuntimeError: the disc is on fire" in message
    assert folder.log("accesses.txt").count(67) == 1
    assert (tmp_path / "reports" / "demo" / "latest" / "report.html").exists()


def test_x_stops_and_what_was_not_evaluated_is_no_pass(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, STRICT)
    result = folder.run("-x")
    assert result.returncode == 1
    assert folder.outcomes() == {name: "failed" if name.endswith("accuracy") else "error" for name in IDS}
    assert set(folder.messages().values()) - {folder.messages()[IDS[0]]} == {"not evaluated: the run stopped before it"}
    assert "demo: 1 failed, 7 not evaluated" in result.stdout


def test_an_interrupted_run_is_2_and_reports_what_it_knows(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, AUDIT + WATCHED + DATA + PRESET + LAYERS + CHECKS)
    (tmp_path / "wait").touch()
    process = folder.start()
    until_waiting(folder, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 2
    assert list(folder.outcomes().values()) == ["passed"] * 4 + ["error"] * 4
    assert "KeyboardInterrupt" in (tmp_path / "output.txt").read_text()
    assert "4 passed, 4 not evaluated" in (tmp_path / "output.txt").read_text()


def until_waiting(folder: Folder, process: object) -> None:
    """Returns once the network has begun its first ascent."""
    deadline = time.monotonic() + 120
    while not (folder.path / "waiting").exists():
        assert process.poll() is None, (folder.path / "output.txt").read_text()  # type: ignore[attr-defined]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_all_skipped_is_no_pass(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path)
    (tmp_path / "conftest.py").write_text(
        "import pytest\n"
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items:\n"
        "        item.add_marker(pytest.mark.skip(reason='not today'))\n"
    )
    result = folder.run("-rs")
    assert result.returncode == 1
    assert folder.outcomes() == dict.fromkeys(IDS, "skipped")
    assert set(folder.messages().values()) == {"not today"}
    assert "nothing was evaluated, so nothing has passed" in result.stdout
    assert folder.log("accesses.txt") == []


def test_one_item_skipped_by_a_mark_does_not_fail_the_others(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, STRICT)
    (tmp_path / "conftest.py").write_text(
        "import pytest\n"
        "def pytest_collection_modifyitems(items):\n"
        "    items[0].add_marker(pytest.mark.skip(reason='known'))\n"
    )
    result = folder.run("-k", "accuracy or dead-units")
    assert result.returncode == 0
    assert folder.outcomes() == {IDS[0]: "skipped", "audit.toml::demo::relu1::dead-units": "passed"}


def test_flagged_units_are_unknown_where_the_check_cannot_judge(tmp_path: Path) -> None:
    flagged = LAYERS.replace("[3, 5]", '"flagged"')
    folder = Folder.of(tmp_path, AUDIT + MODEL + PRESET + flagged + CHECKS)
    result = folder.run("-k", "optimized and relu1")
    assert result.returncode == 1
    (message,) = folder.messages().values()
    assert message.startswith("unavailable: dead-units flags the units, and has not judged: unavailable: there is no")


def test_text_of_strangers_does_not_reach_the_terminal_raw(tmp_path: Path) -> None:
    escape = "\x1b]0;owned\x07"
    data = section("[data]", factory="own.py:make")
    model = section("[[models]]", **{**DEMO, "factory": "own.py:build"}, labels=[f"{escape}{n}" for n in range(12)])
    layers = section("[[layers]]", name="conv*", analyses=["activations"])
    checks = section("[[checks]]", check="accuracy", at_least=1.0)
    folder = Folder.of(tmp_path, AUDIT + model + data + layers + checks)
    (tmp_path / "own.py").write_text(
        "from collections import OrderedDict\n"
        "import numpy as np\n"
        "from torch import nn\n"
        f"ESCAPE = {escape!r}\n"
        "def make():\n"
        "    return [(np.full((64, 64, 3), 9, np.uint8), 'class' + ESCAPE)] * 3\n"
        "def build():\n"
        "    head = [('pool', nn.AdaptiveAvgPool2d(1)), ('flat', nn.Flatten())]\n"
        "    return nn.Sequential(OrderedDict([('conv' + ESCAPE, nn.Conv2d(3, 12, 1)), *head]))\n"
    )
    result = folder.run("-v", "--junitxml=junit.xml", pdf=True)
    assert result.returncode == 1
    assert (tmp_path / "reports" / "demo" / "latest" / "report.pdf").exists()
    assert "no label starts with the class folder" in result.stdout
    assert "\\x1b]0;owned\\x07" in result.stdout
    assert not {"\x1b", "\x07"} & set(result.stdout + result.stderr)
    names = [str(case.get("name")) for case in ET.parse(tmp_path / "junit.xml").iter("testcase")]
    assert [name.rpartition("::")[2] for name in names] == ["accuracy", "activations"]
    (tmp_path / "audit.toml").write_text(AUDIT + model + data + layers.replace("conv*", "conx") + checks)
    result = folder.run()
    assert result.returncode == 4
    assert 'no layer "conx" in demo; ' in result.stderr
    assert not {"\x1b", "\x07"} & set(result.stderr)


def test_results_are_json_of_the_published_form(strict: tuple[Folder, CompletedProcess[str]]) -> None:
    items = {item["id"]: item for item in strict[0].results()["items"]}
    assert items["audit.toml::demo::accuracy"]["limit"] == 99.5
    assert json.dumps(items["audit.toml::demo::accuracy"]["measured"]).startswith("94.1666")
