"""Optimized images beside pictures and before a second model, from audit.toml to the stored report."""

from pathlib import Path

import numpy as np
import pytest

from audit.errors import ConfigError
from audit.plan import prepare
from audit.records import Pictures, Report
from audit.session import Session
from audit.store import read
from tests.audits import DEMO, WEIGHTS, section

AUDIT = section("[audit]", device="cpu")
DATA = section("[data]", factory="audit.demo.generator:pictures", arguments={"count": 40, "split": "test", "seed": 1})
BROKEN = section("[data]", factory="pictures.py:made")
PRESET = section("[presets.quick]", steps=3, learning_rate=10.0)


def model(name: str, **changed: object) -> str:
    return section("[[models]]", **{**DEMO, "checkpoint": str(WEIGHTS), **changed, "name": name})


def layers(name: str, *analyses: str, **more: object) -> str:
    return section(
        "[[layers]]",
        name=name,
        models="demo",
        units=[1, 4],
        analyses=list(analyses),
        presets=["quick"],
        images=2,
        **more,
    )


TASKS = ("activations", "optimized")


def ran(folder: Path, text: str, only: tuple[str, ...] = TASKS) -> tuple[Report, dict[str, str]]:
    """The stored report of the model "demo", and the outcomes of its items of these tasks."""
    (folder / "audit.toml").write_text(text)
    prepared = prepare(folder / "audit.toml")
    items = [item for item in prepared.items("audit.toml") if item.model == "demo" and item.task in only]
    session = Session(prepared, items, folder / "reports")
    outcomes = {item.id.removeprefix("audit.toml::demo::"): session.evaluate(item).outcome for item in items}
    return read(session.publish("demo").folder), outcomes


def optimized(report: Report) -> Pictures:
    (found,) = (record for record in report.pictures if record.kind == "optimized")
    return found


def kept(folder: Path) -> set[str]:
    return {file.name for file in (folder / "reports" / ".work").glob("*.npz")}


def test_the_strongest_picture_stands_beside_where_the_pass_measures_the_layer(tmp_path: Path) -> None:
    text = AUDIT + model("demo") + DATA + PRESET + layers("conv2", "activations", "optimized")
    report, outcomes = ran(tmp_path, text)
    numbers, columns = optimized(report).numbers, {record.layer: record.columns for record in report.scalars}["conv2"]
    for row, unit in enumerate((1, 4)):
        assert columns["max"][unit] > 0
        np.testing.assert_allclose(
            numbers["of_strongest"][row], numbers["activation"][row] / columns["max"][unit], rtol=1e-5
        )
    assert -4 < numbers["natural_slope"][0, 0] < -1
    assert set(outcomes.values()) == {"passed"}
    (table,) = (table for table in report.tables if table.name == "optimized")
    assert table.columns["unit"].tolist() == [1, 4]


def test_images_alone_ask_for_no_pass_and_are_kept_for_a_run_that_has_one(tmp_path: Path) -> None:
    text = AUDIT + model("demo") + DATA + PRESET + layers("conv2", "activations", "optimized")
    alone, _ = ran(tmp_path, text, only=("optimized",))
    assert not {"of_strongest", "natural_slope"} & set(optimized(alone).numbers)
    assert not alone.scalars
    before = kept(tmp_path)
    assert len(before) == 2  # the images, and the fingerprints of the weights
    whole, _ = ran(tmp_path, text)
    assert before < kept(tmp_path)
    assert "of_strongest" in optimized(whole).numbers
    for name, column in optimized(alone).numbers.items():
        np.testing.assert_array_equal(optimized(whole).numbers[name], column)


def test_without_pictures_images_have_the_numbers_that_need_none(tmp_path: Path) -> None:
    report, outcomes = ran(tmp_path, AUDIT + model("demo") + PRESET + layers("fc", "activations", "optimized"))
    assert outcomes == {"fc::activations": "failed", "fc::optimized": "passed"}
    numbers = optimized(report).numbers
    assert "of_strongest" not in numbers
    assert ((numbers["confidence"] > 0) & (numbers["confidence"] < 1)).all()


def test_pictures_that_cannot_be_read_fail_what_needs_them_and_no_optimized_image(tmp_path: Path) -> None:
    (tmp_path / "pictures.py").write_text("def made():\n    raise RuntimeError('no disc')\n")
    _, outcomes = ran(tmp_path, AUDIT + model("demo") + BROKEN + PRESET + layers("conv2", "activations", "optimized"))
    assert outcomes == {"conv2::activations": "error", "conv2::optimized": "passed"}


def test_a_copy_of_the_model_recognises_what_the_model_does(tmp_path: Path) -> None:
    text = AUDIT + model("demo") + model("copy") + PRESET + layers("fc", "optimized", recognised_by="copy")
    numbers = optimized(ran(tmp_path, text)[0]).numbers
    np.testing.assert_array_equal(numbers["recognised"], numbers["rank"] == 1)
    np.testing.assert_allclose(numbers["recognised_probability"], numbers["confidence"], rtol=1e-4)
    before = kept(tmp_path)
    ran(tmp_path, text.replace(model("copy"), model("copy", mean=0.3)))
    assert len(kept(tmp_path) - before) == 1


OTHERS = {
    "the model itself": ("demo", "fc", {}, "it would only ask itself"),
    "an inner layer": (
        "other",
        "conv*",
        {},
        "none of these layers is an output, so their units are no classes; the output is fc",
    ),
    "other classes": (
        "other",
        "fc",
        {"arguments": {"classes": 7}, "checkpoint": None},
        "it has 7 outputs and demo has 12; name a model of the same classes",
    ),
    "another size": (
        "other",
        "fc",
        {"input": [3, 48, 64]},
        "its input is 3 x 48 x 64 and that of demo is 3 x 64 x 64; name a model of the same input",
    ),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_model_that_cannot_recognise_is_a_mistake_at_its_line(case: str, tmp_path: Path) -> None:
    second, layer, changed, words = OTHERS[case]
    values = {
        name: value for name, value in {**DEMO, "checkpoint": str(WEIGHTS), **changed}.items() if value is not None
    }
    other = section("[[models]]", **{**values, "name": "other"})
    text = AUDIT + model("demo") + other + PRESET + layers(layer, "optimized", recognised_by=second)
    (tmp_path / "audit.toml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        prepare(tmp_path / "audit.toml")
    (problem,) = raised.value.problems
    assert words in problem.message
    assert problem.line == 1 + text.splitlines().index(f'recognised_by = "{second}"')
