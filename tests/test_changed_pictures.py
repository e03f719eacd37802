"""Attacks, transformed pictures and frames of a camera, from audit.toml to the report and from kept work."""

from pathlib import Path

import numpy as np
import pytest

from audit.plan import prepare
from audit.records import Report, Table
from audit.session import Session
from audit.store import read
from tests.audits import DEMO, WEIGHTS, section

AUDIT = "".join(
    (
        section("[audit]", device="cpu"),
        section("[[models]]", **{**DEMO, "checkpoint": str(WEIGHTS), "name": "demo"}),
        section("[data]", factory="audit.demo.generator:pictures", arguments={"count": 20, "split": "test", "seed": 1}),
        section("[[layers]]", name="fc", analyses=["adversarial"], images=2),
        section("[[layers]]", name="relu3", units=[3], analyses=["invariance"], images=2),
        section("[[checks]]", check="flicker"),
    )
)


def evaluated(folder: Path, text: str = AUDIT, *only: str) -> tuple[Session, dict[str, str]]:
    """The session, and what became of its items, of all tasks or of these."""
    (folder / "audit.toml").write_text(text)
    prepared = prepare(folder / "audit.toml")
    items = [item for item in prepared.items("audit.toml") if not only or item.task in only]
    session = Session(prepared, items, folder / "reports")
    return session, {item.task: f"{(found := session.evaluate(item)).outcome}: {found.message}" for item in items}


def tables(report: Report) -> dict[str, Table]:
    return {table.name: table for table in report.tables}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("changed")


@pytest.fixture(scope="module")
def first(folder: Path) -> tuple[Report, dict[str, str]]:
    session, messages = evaluated(folder)
    return read(session.publish("demo").folder), messages


def test_each_is_in_the_report(first: tuple[Report, dict[str, str]]) -> None:
    report, messages = first
    assert all(message.startswith("passed") for message in messages.values()), messages
    assert {"adversarial", "invariance", "flicker"} <= tables(report).keys()
    pictures = {record.kind: record for record in report.pictures}
    assert pictures["adversarial"].tiles.shape == (2, 3, 64, 64, 3)
    assert len(pictures["adversarial"].names) == 2
    assert pictures["invariance"].tiles.shape[:2] == (1, 45)
    relative = tables(report)["invariance"].columns["relative"]
    np.testing.assert_array_equal(relative, pictures["invariance"].numbers["relative"][0])
    columns = tables(report)["adversarial"].columns
    assert columns["top1"][columns["epsilon"] == 0].min() > 0.8
    assert columns["top1"][columns["attack"] == "PGD"][-1] < 0.5


def test_the_second_run_takes_all_of_it_from_the_first(folder: Path, first: tuple[Report, dict[str, str]]) -> None:
    before = {file.name for file in (folder / "reports" / ".work").glob("*.npz")}
    _, messages = evaluated(folder)
    assert {file.name for file in (folder / "reports" / ".work").glob("*.npz")} == before
    assert messages == first[1]


def test_a_layer_of_no_classes_is_not_attacked(folder: Path) -> None:
    _, messages = evaluated(folder, AUDIT.replace('name = "fc"', 'name = "relu3"'), "adversarial")
    assert messages["adversarial"] == "failed: unavailable: the units of relu3 are no classes; attack fc"
