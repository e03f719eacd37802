"""What the shell completes: files, ids, models, layers, checks; and that nothing heavy is loaded for it."""

import json
import sys
from pathlib import Path

import pytest

from audit import registry
from audit.advice import completion
from tests.audits import FAST, IDS, PROGRAM, ended

RESULTS = {"items": [{"id": name} for name in IDS], "outline": {"layers": [{"name": "conv1"}, {"name": "pool1"}]}}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an audit.toml and the results of its latest run."""
    latest = tmp_path / "reports" / "demo" / "latest"
    latest.mkdir(parents=True)
    (latest / "results.json").write_text(json.dumps(RESULTS))
    (tmp_path / "audit.toml").write_text(FAST)
    (tmp_path / "other.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("here")
def test_names_come_from_the_file_and_the_latest_run() -> None:
    assert sorted(completion.files("")) == ["audit.toml", "other.toml"]
    assert completion.files("au") == ["audit.toml"]
    assert completion.items("ot") == ["other.toml"]
    assert completion.items("audit.toml::demo::relu1::d") == ["audit.toml::demo::relu1::dead-units"]
    assert completion.items("audit.toml::d")[0] == "audit.toml::demo"
    assert completion.models("") == ["demo"]
    assert completion.layers("") == ["conv1", "relu1", "pool1"]
    assert completion.layers("p") == ["pool1"]
    assert set(registry.names("check")) <= set(completion.components(""))


@pytest.mark.parametrize("text", ["[audit\n", "models = 1\n", 'audit = "x"\nlayers = [1, {name = 3}]\n', "\x00"])
def test_a_wrong_file_completes_to_nothing(here: Path, text: str) -> None:
    (here / "audit.toml").write_text(text)
    (here / "reports" / "demo" / "latest" / "results.json").write_text("{")
    assert completion.models("") == completion.layers("") == completion.items("audit.toml::") == []


@pytest.mark.usefixtures("here")
def test_no_results_that_are_too_large_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "LARGEST", 10)
    assert completion.layers("p") == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("run audit.toml::demo::c", "audit.toml::demo::conv1\n"),
        ("search --model d", "demo\n"),
        ("explain dead", "dead-units\n"),
        ("do", "doctor\n"),
    ],
)
def test_the_shell_is_answered(here: Path, words: str, expected: str) -> None:
    asked = {"_DEEPVIS_AUDIT_COMPLETE": "complete_bash", "COMP_WORDS": f"deepvis-audit {words}"}
    result = ended([str(PROGRAM)], cwd=here, COMP_CWORD=str(len(words.split())), **asked)
    assert expected in result.stdout
    assert result.stderr == ""


def test_completion_loads_nothing_heavy(here: Path) -> None:
    script = "import sys; import audit.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = set(ended([sys.executable, "-c", script], cwd=here).stdout.split())
    assert "audit" in loaded
    assert not {"torch", "numpy", "pydantic", "pytest", "rich", "scipy"} & loaded
