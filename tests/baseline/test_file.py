"""baseline.json: the same values give the same bytes, and a file that is wrong is said so with its line."""

import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.baseline import Accepted, Baseline, Entry, Noise, read_baseline, write_baseline
from audit.baseline.positions import JsonPositions
from audit.errors import ConfigError, StoreError

NOISY = Entry("noise-sensitivity", 31.25, "%", "at most", {"sigma": 0.02, "names": ["a", "b"]}, Noise(5, 30.0, 1.5))
DEAD = Entry("dead-units", 0.0, "%", "at most", {"max_share_of_images": 0.0, "csv": None})
ONE = Accepted(
    run="2026-01-17T09:30:00+00:00",
    weights="41" * 32,
    configuration="c0" * 32,
    code="d0" * 32,
    data="da" * 32,
    items={"noise-sensitivity": NOISY, "layer3.0.relu::dead-units": DEAD},
    numbers={"top1": 0.954, "images": 1000.0},
    pictures={"conv1::deconv": ("ab" * 32, "cd" * 32)},
)
BOTH = Baseline({"resnet20": ONE, "bare": Accepted("then", "w", "c", "d")})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "baseline.json"
    write_baseline(BOTH, path)
    return path


def problem(path: Path) -> tuple[int, int, str]:
    """The one mistake of a file."""
    with pytest.raises(ConfigError) as caught:
        read_baseline(path)
    (found,) = caught.value.problems
    assert found.file == str(path)
    return found.line, found.column, found.message


def test_what_was_written_is_read(file: Path) -> None:
    assert read_baseline(file) == BOTH
    first = file.read_bytes()
    write_baseline(read_baseline(file), file)
    assert file.read_bytes() == first
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(file.parent.iterdir()) == [file]


def test_the_order_in_which_it_was_made_does_not_show(tmp_path: Path) -> None:
    def backwards(value: dict[str, object]) -> dict[str, object]:
        return dict(reversed(value.items()))

    turned = {
        name: Accepted(**{**vars(model), "items": backwards(model.items), "numbers": backwards(model.numbers)})
        for name, model in backwards(BOTH.models).items()
    }
    for name, baseline in (("a", BOTH), ("b", Baseline(turned))):
        write_baseline(baseline, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_number_that_changed_is_one_line_of_the_file(file: Path, tmp_path: Path) -> None:
    items = {**ONE.items, "layer3.0.relu::dead-units": Entry("dead-units", 1.5, "%", "at most", DEAD.options)}
    write_baseline(Baseline({**BOTH.models, "resnet20": Accepted(**{**vars(ONE), "items": items})}), tmp_path / "other")
    before, after = file.read_text().splitlines(), (tmp_path / "other").read_text().splitlines()
    (other,) = [new for old, new in zip(before, after, strict=True) if old != new]
    assert other.strip().startswith('"layer3.0.relu::dead-units": {')


def test_no_file_is_a_baseline_of_nothing(tmp_path: Path) -> None:
    assert read_baseline(tmp_path / "baseline.json") == Baseline()


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (lambda text: text.replace('"run": "then",', '"run": "then"'), 11, "is not JSON: Expecting ',' delimiter"),
        (lambda text: text[: len(text) // 2], 18, "is not JSON"),
        (
            lambda text: text.replace('    "bare"', '<<<<<<< mine\n    "bare"'),
            4,
            "is not JSON: Expecting property name",
        ),
        (lambda text: text.replace("31.25", '"31.25"'), 19, "measured should be a valid number"),
        (lambda text: text.replace("31.25", "1e999"), 19, "measured should be a finite number"),
        (lambda text: text.replace('"runs": 5', '"runs": 2'), 19, "runs should be greater than or equal to 3"),
        (
            lambda text: text.replace('"deviation": 1.5', '"deviation": -1'),
            19,
            "deviation should be greater than or equal to 0",
        ),
        (lambda text: text.replace('"good": "at most", "m', '"good": "most", "m'), 18, "good should be 'at most' or"),
        (
            lambda text: text.replace('"run": "then"', '"ran": "then"'),
            10,
            "models.bare.ran is a key that nothing reads",
        ),
        (lambda text: text.replace('    "bare": {', '    "resnet20": {'), 13, '"resnet20" stands there twice'),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), 32, "has schema 2, and this version reads 1"),
        (lambda text: text.replace('"schema": 1', '"schema": true'), 32, "has schema True"),
        (lambda text: text.replace('"run": "then",', ""), 4, "models.bare.run is missing"),
        (lambda text: text.replace("31.25", "NaN"), 1, "is not JSON: NaN is no number"),
        (lambda text: text.replace("deepvis-audit baseline", "coverage"), 1, "is no baseline of deepvis-audit"),
        (lambda text: "[1, 2]", 1, "is no baseline of deepvis-audit"),
        (lambda text: "", 1, "is not JSON"),
        (lambda text: "[" * 100_000, 1, "too many lists or objects inside each other"),
    ],
)
def test_a_damaged_file_is_said_so_with_its_line(
    change: Callable[[str], str], line: int, said: str, file: Path
) -> None:
    changed = change(file.read_text())
    assert changed != file.read_text()
    file.write_text(changed)
    with pytest.raises(ConfigError) as caught:
        read_baseline(file)
    problems = caught.value.problems
    assert any(said in one.message for one in problems), problems
    assert line in [one.line for one in problems], problems
    assert all("deepvis-audit" in one.message or "use the version" in one.message for one in problems)


def test_bytes_that_are_no_text_are_said_so(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    assert problem(file)[2].startswith("is not UTF-8 text")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert problem(tmp_path)[2].startswith("cannot be read: ")
    with pytest.raises(StoreError, match="cannot write the baseline"):
        write_baseline(BOTH, tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(value=st.dictionaries(st.text(), JSON, max_size=4), indent=st.sampled_from([None, 1, 3]))
def test_every_key_of_any_json_has_its_position(value: dict[str, object], indent: int | None) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    positions = JsonPositions(text)
    lines = text.split("\n")

    def walk(inner: object, place: tuple[str | int, ...]) -> None:
        for key, part in inner.items() if isinstance(inner, dict) else ():
            line, column = positions.of((*place, key))
            assert lines[line - 1][column - 1 :].startswith(json.dumps(key, ensure_ascii=False))
            walk(part, (*place, key))

    walk(value, ())
    assert positions.twice == []


@given(cut=st.integers(0, 400), put=st.text(max_size=4), length=st.integers(0, 40))
def test_no_damage_gives_anything_but_a_baseline_or_its_mistakes(cut: int, put: str, length: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "baseline.json"
        write_baseline(BOTH, path)
        text = path.read_text()
        path.write_text(text[: 3 * cut] + put + text[3 * cut + length :], encoding="utf-8")
        with suppress(ConfigError):  # every other error is a fault of the program
            assert isinstance(read_baseline(path), Baseline)
