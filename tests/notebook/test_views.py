"""Layers, units, kinds and tables of a run by their names: arrays that are read late, errors that say what there is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.errors import AuditError, StoreError
from audit.notebook import Run, open_run
from audit.records import Report
from audit.store import tiles


def test_tiles_are_arrays_of_the_unit(run: Run, report: Report) -> None:
    (record,) = [made for made in report.pictures if (made.layer, made.kind) == ("conv1", "optimized")]
    found = run["conv1"][11].tiles("optimized")
    assert (found.dtype, found.shape) == (np.uint8, (36, 9, 9, 3))
    np.testing.assert_array_equal(found, record.tiles[2])
    np.testing.assert_array_equal(run["conv1"].tiles("optimized")[1:3], record.tiles[1:3])
    assert run["conv1"].pictured == (0, 3, 11, 17)
    assert run["conv1"][11].captions("optimized") == record.captions[2] == run["conv1"].captions("optimized")[2]


def test_no_picture_is_read_before_it_is_looked_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    picture = tiles._picture

    def noted(file: Path, digest: str, scale: int) -> Image.Image:
        read.append(file.name)
        return picture(file, digest, scale)

    monkeypatch.setattr(tiles, "_picture", noted)
    run = open_run(folder)
    assert run.pictures is not None
    assert run["conv1"].tiles("deconv").shape == (4, 9, 9, 9, 3)
    assert repr(run["conv1"][11])
    assert read == []
    run["conv1"][11].tiles("deconv")
    assert len(read) == 1


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda run: run["conv2d"], 'no layer "conv2d" in squeeze <b>net</b>; did you mean "conv2"?'),
        (lambda run: run["conv1"][24], "no unit 24 in conv1; there is: 0 to 23"),
        (lambda run: run["conv1"][-1], "no unit -1 in conv1; there is: 0 to 23"),
        (lambda run: run["conv1"].unit("a"), 'no unit "a" in conv1; there is: 0 to 23'),
        (
            lambda run: run["conv1"][3].tiles("optimised"),
            'no kind of pictures "optimised" in conv1, unit 3; did you mean "optimized"?',
        ),
        (
            lambda run: run["conv1"][4].captions("deconv"),
            'no kind of pictures "deconv" in conv1, unit 4; there is none',
        ),
        (lambda run: run["conv2"].tiles("deconv"), 'no kind of pictures "deconv" in conv2; there is none'),
        (lambda run: run.tables["prediction"], 'no table "prediction" in this run; did you mean "predictions"?'),
    ],
)
def test_what_is_not_there_is_an_error_that_says_what_is(run: Run, ask: Callable[[Run], object], said: str) -> None:
    with pytest.raises(KeyError) as caught:
        ask(run)
    assert isinstance(caught.value, AuditError)
    assert str(caught.value) == said


def test_a_folder_without_a_report_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no report in"):
        open_run(tmp_path)


def test_names_behave_as_those_of_a_dict_and_complete(run: Run) -> None:
    assert "conv1" in run
    assert "conv9" not in run
    assert run.get("conv9") is None
    assert run.get("conv1").name == "conv1"  # type: ignore[union-attr]
    assert 23 in run["conv1"]
    assert np.int64(23) in run["conv1"]
    assert True not in run["conv1"]
    assert run["conv1"].get(24) is None
    assert run["conv1"][np.int64(3)].number == 3
    assert run._ipython_key_completions_() == list(run)
    assert run["fc"]._ipython_key_completions_() == list(range(10))
    assert "predictions" in run.tables._ipython_key_completions_()
    assert "nothing" not in run.tables
    assert run.tables.get("nothing") is None


def test_it_stays_the_run_that_was_opened(folder: Path, tmp_path: Path) -> None:
    latest = tmp_path / "latest"
    latest.symlink_to(folder)
    run = open_run(str(latest))
    latest.unlink()
    assert run["conv1"][11].tiles("deconv").any()
