"""The fixture `audit` in a project's own tests, the marks of items, and one process."""

from pathlib import Path

from audit.gate.marks import marks
from audit.plan import prepare
from tests.audits import AUDIT, CHECKS, DATA, FAST, MODEL, Folder, section

TESTS = """
import pytest

def test_numbers(audit):
    assert 0 < audit.unit("relu1", 3).fires <= 1
    assert audit.unit("relu1", 3).mean == audit.columns("relu1")["mean"][3]
    assert round(audit.numbers["top1"] * 120) == 113
    assert audit.model("demo").verdict("relu1::dead-units").outcome == "passed"

@pytest.mark.parametrize("layer, unit, said", [
    ("relu9", 0, 'no layer "relu9".*did you mean "relu1"'),
    ("relu1", 99, "has the units 0 to 31, and no unit 99"),
])
def test_no_unit(audit, layer, unit, said):
    with pytest.raises(LookupError, match=said):
        audit.unit(layer, unit)

def test_no_number_item_or_model(audit):
    with pytest.raises(AttributeError, match='no number .fire.; did you mean "fires"'):
        audit.unit("relu1", 3).fire
    with pytest.raises(LookupError, match='no item "relu1::dead"; did you mean "relu1::dead-units"'):
        audit.verdict("relu1::dead")
    with pytest.raises(LookupError, match='no model "dem".*did you mean "demo"'):
        audit.model("dem")
"""
TWO = AUDIT + MODEL + MODEL.replace('"demo"', '"other"', 1) + DATA + CHECKS


def test_tests_of_a_project_read_numbers_and_verdicts_in_one_pass(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path)
    (tmp_path / "test_numbers.py").write_text(TESTS)
    result = folder.pytest("test_numbers.py", "--strict-markers", "-W", "error")
    assert result.returncode == 0, result.stdout
    assert "4 passed" in result.stdout
    assert sorted(set(folder.log("accesses.txt"))) == list(range(120))
    assert not (tmp_path / "reports" / "demo").exists()


def test_the_fixture_says_what_it_lacks(tmp_path: Path) -> None:
    Folder.of(tmp_path, TWO)
    (tmp_path / "test_two.py").write_text("def test_two(audit):\n    audit.numbers\n")
    result = Folder(tmp_path).pytest("test_two.py")
    assert 'has 2 models: say which, as in audit.model("demo").numbers' in result.stdout
    (tmp_path / "pytest.ini").write_text("[pytest]\naudit_file = audits.toml\n")
    result = Folder(tmp_path).pytest("test_two.py")
    assert 'no file "audits.toml" in' in result.stdout
    assert 'did you mean "audit.toml"?' in result.stdout


def test_marks_say_what_of_which_layer_and_model_and_whether_it_takes_long(tmp_path: Path) -> None:
    text = FAST + section("[[checks]]", check="non-finite", name="skip")
    prepared = prepare(Folder.of(tmp_path, text).path / "audit.toml")
    found = {item.name: set(marks(item, prepared)) for item in prepared.items("audit.toml")}
    assert found["demo::accuracy"] == {"accuracy", "check", "model_demo"}
    assert found["demo::relu1::dead-units"] == {"dead_units", "check", "model_demo", "layer_relu1"}
    assert found["demo::conv1::activations"] == {"activations", "analysis", "model_demo", "layer_conv1"}
    assert found["demo::conv1::optimized"] == {"optimized", "analysis", "slow", "model_demo", "layer_conv1"}
    assert found["demo::skip"] == {"skip_", "check", "model_demo"}


def test_marks_select_and_a_check_called_skip_is_not_skipped(tmp_path: Path) -> None:
    text = FAST + section("[[checks]]", check="non-finite", name="skip")
    result = Folder.of(tmp_path, text).run("-m", "skip_ and not slow", "-q", "--strict-markers")
    assert result.returncode == 0, result.stdout
    assert "1 passed, 8 deselected" in result.stdout


def test_several_processes_are_refused_with_the_reason(tmp_path: Path) -> None:
    result = Folder.of(tmp_path).run("-n", "2")
    assert result.returncode == 4
    assert "audit.toml is audited in one process, which uses all cores: run it without -n, or -n 0" in result.stderr


def test_what_may_be_allowed_is_named(tmp_path: Path) -> None:
    result = Folder.of(tmp_path).run("--audit-allow=everything")
    assert result.returncode == 4
    assert "--audit-allow=everything: say all-skipped or all-waived" in result.stderr
