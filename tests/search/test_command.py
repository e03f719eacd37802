"""The commands as a user runs them, on the demo's network: files, sheets, presets, mistakes, an interruption."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from audit.cli import app
from audit.config import read
from audit.search.settings import COLUMNS, options
from audit.search.sweep import EFFECTS
from tests.audits import AUDIT, DEMO, MODEL, section

NETWORK = '''
"""The demo's network with 12 or fewer classes; it writes down what it is shown, and is interrupted if told so."""
from collections import OrderedDict
from pathlib import Path
from torch import nn
from audit.demo.network import trained

HERE = Path(__file__).parent

class Watched(nn.Sequential):
    def forward(self, images):
        if images.requires_grad:
            with open(HERE / "forwards.txt", "a") as log:
                print(len(images), file=log)
            if (HERE / "interrupt").exists() and any(HERE.glob("reports/.work/*.npz")):
                raise KeyboardInterrupt
        return super().forward(images)

def build(classes=12):
    layers = OrderedDict(trained().named_children())
    layers["fc"] = layers["fc"] if classes == 12 else nn.Linear(64, classes)
    return Watched(layers)
'''

DATA = section("[data]", factory="audit.demo.generator:pictures", arguments={"count": 30, "seed": 1, "split": "test"})
SECOND = section("[[models]]", **{**DEMO, "name": "second", "factory": "network.py:build"})
FEWER = section("[[models]]", **{**DEMO, "name": "fewer", "factory": "network.py:build", "arguments": {"classes": 3}})
LAYERS = section("[[layers]]", name="relu1", units=[3, 5], analyses=["optimized"]) + section(
    "[[layers]]", name=["conv2", "conv3"], units="flagged", analyses=["activations"]
)
ONE = AUDIT + MODEL.replace("audit.demo.network:network", "network.py:build") + DATA + LAYERS
QUICK = ("--draws", "8", "--steps", "3")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Writes an audit file, and the network beside it."""

    def written(text: str) -> Path:
        (tmp_path / "network.py").write_text(NETWORK)
        (tmp_path / "audit.toml").write_text(text)
        return tmp_path / "audit.toml"

    return written


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A search that wrote into its file."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "network.py").write_text(NETWORK)
    (folder / "audit.toml").write_text(ONE)
    return folder, run("search", str(folder / "audit.toml"), *QUICK, "--write")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "120"})


def rows(folder: Path) -> list[dict[str, str]]:
    text = (folder / "settings.csv").read_text()
    return list(csv.DictReader(io.StringIO(text)))


def test_every_setting_is_logged_with_seed_options_scores_and_rank(searched: tuple[Path, Result]) -> None:
    folder, result = searched
    assert result.exit_code == 0, result.output
    logged = rows(folder / "reports" / "demo" / "search")
    assert list(logged[0]) == list(COLUMNS)
    assert [row["rank"] for row in logged] == [str(rank) for rank in range(1, 9)]
    assert sorted(int(row["draw"]) for row in logged) == list(range(8))
    assert {row["seed"] for row in logged} == {"0"}
    scores = [float(row["score"]) for row in logged]
    assert scores == sorted(scores, reverse=True)
    assert all(float(row["reached"]) <= 1 and row["probability"] == "" for row in logged)
    assert {row["steps"] for row in logged} == {"3"}


def test_the_four_are_printed_and_written_into_the_file_which_stays_valid(searched: tuple[Path, Result]) -> None:
    folder, result = searched
    text = (folder / "audit.toml").read_text()
    assert text.startswith(ONE)
    assert text[len(ONE) :].strip() in result.output
    presets = read(folder / "audit.toml").presets
    logged = {row["name"]: row for row in rows(folder / "reports" / "demo" / "search") if row["name"]}
    assert list(logged) == ["found-1", "found-2", "found-3", "found-4"]
    for name, row in logged.items():
        assert {option: float(row[option]) for option in options(presets[name])} == options(presets[name])


def test_the_same_search_finds_the_same_from_kept_work_and_from_nothing(
    searched: tuple[Path, Result], write: Callable[[str], Path], tmp_path: Path
) -> None:
    folder, _ = searched
    (folder / "forwards.txt").unlink()
    again = run("search", str(folder / "audit.toml"), *QUICK, "--output", str(tmp_path / "again"))
    assert again.exit_code == 0
    assert not (folder / "forwards.txt").exists()
    assert run("search", str(write(ONE)), *QUICK).exit_code == 0
    assert (tmp_path / "forwards.txt").exists()
    files = ("settings.csv", "sheet.png", "sheet.html")
    ours, kept, fresh = (folder / "reports/demo/search", tmp_path / "again", tmp_path / "reports/demo/search")
    for name in files:
        assert (ours / name).read_bytes() == (kept / name).read_bytes() == (fresh / name).read_bytes()
    assert (tmp_path / "audit.toml").read_text() == ONE  # no --write


def test_the_sheet_shows_all_that_was_chosen_and_the_best_and_worst_of_the_others(
    searched: tuple[Path, Result],
) -> None:
    folder = searched[0] / "reports" / "demo" / "search"
    page = (folder / "sheet.html").read_text()
    logged = rows(folder)
    rest = [f"setting {row['draw']}" for row in logged if not row["name"]]
    titles = re.findall(r"<strong>(.+?)</strong>", page)
    assert titles == [row["name"] for row in logged if row["name"]] + rest
    assert page.count("<img ") == len(titles) * 2 * 2
    assert [name in page for name in ("relu1, unit 3", "relu1, unit 5")] == [True, True]
    assert not re.search(r'(src|href)="(?!data:)', page)
    with Image.open(folder / "sheet.png") as picture:
        picture.load()
        assert picture.width > 4 * 100
        assert picture.height > 8 * 100


def test_an_interrupted_search_goes_on_where_it_stopped(write: Callable[[str], Path], tmp_path: Path) -> None:
    file = write(ONE)
    asked = ("search", str(file), "--layer", "conv1", "--units", "all", "--seeds", "8", "--draws", "4", "--steps", "2")
    (tmp_path / "interrupt").touch()
    stopped = run(*asked)
    assert stopped.exit_code == 2
    assert "the same command goes on" in stopped.output
    assert not (tmp_path / "reports" / "demo").exists()
    kept = list((tmp_path / "reports" / ".work").glob("*.npz"))
    assert 0 < len(kept) < 4
    (tmp_path / "interrupt").unlink()
    (tmp_path / "forwards.txt").unlink()
    assert run(*asked).exit_code == 0
    shown = sum(map(int, (tmp_path / "forwards.txt").read_text().split()))
    measuring = 1  # image, once per setting: whether a batch fits into memory
    assert shown == (4 - len(kept)) * (32 * 8 * 2 + measuring)
    assert len(rows(tmp_path / "reports" / "demo" / "search")) == 4


def test_a_second_model_says_whether_it_recognises_the_classes(write: Callable[[str], Path], tmp_path: Path) -> None:
    file = write(ONE.replace(DATA, SECOND + FEWER + DATA))
    fc = ("--model", "demo", "--layer", "fc", "--units", "0,7")
    result = run("search", str(file), *fc, "--draws", "4", "--steps", "30", "--seeds", "1", "--second", "second")
    assert result.exit_code == 0, result.output
    assert "recognised" in result.output
    logged = rows(tmp_path / "reports" / "demo" / "search")
    assert all(float(row["agreement"]) in (0, 0.5, 1) and 0 <= float(row["probability"]) <= 1 for row in logged)
    refused = run("search", str(file), *fc, "--second", "fewer")
    assert refused.exit_code == 4
    assert '--second "fewer" has 3 outputs, demo has 12' in refused.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--layer", "conv4", "--units", "1"), 'no layer "conv4" in demo; did you mean "conv'),
        (("--layer", "relu1", "--units", "1,32"), 'no unit 32 in layer "relu1" of demo; it has the units 0 to 31'),
        (("--layer", "relu1", "--units", "1,1"), "names a unit twice"),
        (("--layer", "relu1", "--units", "some"), '--units "some": '),
        (("--layer", "relu1", "--units", "flagged"), "known only after an audit"),
        (("--layer", "conv1",), 'which units of "conv1"? '),
        (("--model", "dmeo",), '--model: no model "dmeo"; did you mean "demo"?'),
        (("--second", "demo",), "is the model itself"),
        (("--second", "third",), '--second: no model "third"'),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_said_before_anything_is_made(
    write: Callable[[str], Path], tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = run("search", str(write(ONE)), *arguments, *QUICK)
    assert result.exit_code == 4
    assert said in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "reports").exists()


def test_wrong_files_and_numbers_are_said(write: Callable[[str], Path], tmp_path: Path) -> None:
    assert run("search", str(tmp_path / "none.toml")).exit_code == 4
    broken = run("search", str(write(ONE + "[audit]\n")))
    assert broken.exit_code == 4
    assert "audit.toml:" in broken.output
    assert run("search", str(write(ONE)), "--draws", "3").exit_code == 2
    several = run("search", str(write(ONE.replace(DATA, SECOND + DATA))))
    assert several.exit_code == 4
    assert "the file has the models demo, second; name one of them with --model" in several.output


def test_a_folder_that_cannot_be_written_is_said(write: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    result = run("search", str(write(ONE)), *QUICK, "--output", str(tmp_path / "taken"))
    assert result.exit_code == 1
    assert "cannot make the folder" in result.output


def test_without_pictures_the_search_goes_on(write: Callable[[str], Path], tmp_path: Path) -> None:
    result = run("search", str(write(ONE.replace(DATA, ""))), *QUICK, "--layer", "conv2", "--units", "0-1")
    assert result.exit_code == 0, result.output
    for row in rows(tmp_path / "reports" / "demo" / "search"):
        assert float(row["distance"]) >= abs(float(row["slope"]) + 2) - 1e-9


def test_the_sweep_shows_every_strength_and_each_does_what_it_is_for(
    write: Callable[[str], Path], tmp_path: Path
) -> None:
    result = run("sweep", str(write(ONE)), "--layer", "conv2", "--units", "3", "--steps", "40")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "reports" / "demo" / "sweep" / "sheet.html").read_text()
    assert re.findall(r"<strong>(.+?)</strong>", page) == [effect.name for effect in EFFECTS]
    cells = re.findall(r"<figcaption><span>(.+?)</span><span>reached (.+?)</span><span>(.+?)</span>", page)
    count = 1 + len(EFFECTS[0].strengths)
    assert len(cells) == 4 * count
    for number, effect in enumerate(EFFECTS):
        row = cells[number * count : (number + 1) * count]
        assert [said for said, _, _ in row] == ["none", *(f"{strength:g}" for strength, _ in effect.strengths)]
        shown = [float(re.sub(r"[^0-9.]", "", text)) for _, _, text in row]
        assert shown == sorted(shown, reverse=effect.shows != "sparsity"), effect.name
        reached = [float(text.replace("\N{MINUS SIGN}", "-")) for _, text, _ in row]
        assert reached[0] > reached[-1]


def test_the_sheet_of_a_sweep_has_both_forms(write: Callable[[str], Path], tmp_path: Path) -> None:
    result = run("sweep", str(write(ONE)), "--steps", "2", "--output", str(tmp_path / "there"))
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["sheet.html", "sheet.png"]
    with Image.open(tmp_path / "there" / "sheet.png") as picture:
        assert np.asarray(picture).std() > 10
