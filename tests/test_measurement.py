"""What an audit asks for -> what is measured of its model, in this process and on real pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from audit.analyses.tsne import Tsne
from audit.data.images import open_images
from audit.data.preprocess import batches, normalized
from audit.errors import ConfigError
from audit.measurement import Measurement
from audit.plan import prepare
from audit.records import Verdict
from audit.session import Session
from audit.store import read
from audit.stream.codes import open_codes
from tests.audits import DEMO, WEIGHTS, section

MODEL = section("[audit]", device="cpu") + section("[[models]]", **DEMO, checkpoint=str(WEIGHTS))
NON_FINITE = section("[[checks]]", check="non-finite")
NORMALISED = """
from torch import nn

def network():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""
BLOCKS = """
from torch import nn

def network():
    block = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    return nn.Sequential(block, nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


def session_of(folder: Path, text: str) -> Session:
    (folder / "audit.toml").write_text(text)
    prepared = prepare(folder / "audit.toml")
    return Session(prepared, prepared.items("audit.toml"), folder / "reports")


def verdicts(session: Session, *, only: str = "") -> dict[str, Verdict]:
    (examination,) = session._examinations.values()
    items = [item for item in examination.items if only in item.id]
    return {item.id.removeprefix("audit.toml::demo::"): session.evaluate(item) for item in items}


def measured(session: Session) -> Measurement:
    (examination,) = session._examinations.values()
    return examination.measured


def photographs(folder: Path, count: int = 12) -> Path:
    random = np.random.default_rng(0)
    for number in range(count):
        (folder / "pictures").mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 255, (64, 64, 3), np.uint8)).save(folder / "pictures" / f"{number:02}.png")
    return folder / "pictures"


def data(**values: Any) -> str:
    return section("[data]", batch=5, **values)


def test_codes_are_what_a_plain_forward_gives_and_lie_in_the_report(tmp_path: Path) -> None:
    photographs(tmp_path)
    layers = section("[[layers]]", name=["fc", "relu2"], analyses=["codes"])
    session = session_of(tmp_path, MODEL + data(folder="pictures") + layers + NON_FINITE)
    assert {verdict.outcome for verdict in verdicts(session, only="codes").values()} == {"passed"}
    published = session.publish("demo")
    model = measured(session).model
    images = open_images(session.config.data, tmp_path)  # type: ignore[arg-type]
    with torch.inference_mode():
        pixels = torch.cat([part for part, _ in batches(images, range(12), model.section, 5)])
        output = model.network(normalized(pixels, model.mean, model.std))
    (file,) = (published.folder / "codes").glob("fc-*.npy")
    np.testing.assert_allclose(open_codes(file)[range(12)], output, rtol=1e-4, atol=1e-4)
    assert len(list((published.folder / "codes").iterdir())) == 2


def test_each_layer_whose_correlations_were_measured_has_a_row_of_its_directions(tmp_path: Path) -> None:
    photographs(tmp_path)
    layers = section("[[layers]]", name=["relu1", "relu2"], analyses=["correlations"])
    for _ in range(2):  # the second time from kept work
        session = session_of(tmp_path, MODEL + data(folder="pictures") + layers + NON_FINITE)
        assert {verdict.outcome for verdict in verdicts(session).values()} == {"passed"}
        (table,) = [table for table in measured(session).made() if table.name == "correlations"]
        units = [measured(session).model.outline.layer(name).units for name in table.columns["layer"]]
        assert table.columns["layer"].tolist() == ["relu1", "relu2"]
        assert table.columns["units"].tolist() == units
        assert all(1 <= found <= there for found, there in zip(table.columns["effective_units"], units, strict=True))


CONCEPTS = section("[[layers]]", name=["relu1", "fc"], analyses=["detectors"])


def bright(folder: Path) -> Path:
    """40 pictures of noise, every second one brighter by half."""
    random = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for number in range(40):
        pixels = random.integers(0, 100, (64, 64, 3), np.uint8) + 100 * (number % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "pictures" / f"{number:02}.png")
    rows = (f"{number:02}.png,{number % 2}\n" for number in range(40))
    (folder / "concepts.csv").write_text("picture,bright\n" + "".join(rows))
    return folder


def test_concepts_need_no_labels_and_are_named_in_the_report(tmp_path: Path) -> None:
    bright(tmp_path)
    for _ in range(2):  # the second time from kept work
        text = MODEL + data(folder="pictures", concepts="concepts.csv") + CONCEPTS + NON_FINITE
        session = session_of(tmp_path, text)
        assert {verdict.outcome for verdict in verdicts(session).values()} == {"passed"}
        tables = {table.name: table.columns for table in measured(session).made()}
        assert tables["concepts"]["name"].tolist() == ["bright"]
        assert tables["detectors"]["layer"].tolist() == ["relu1", "fc"]
        assert tables["detectors"]["of"].tolist() == ["concept", "concept"]
        columns = measured(session).columns(measured(session).model.outline.layer("relu1"))
        assert (columns["detected_concept"] == 0).sum() == tables["detectors"]["detectors"][0] > 0
        assert "detected_class" not in columns


def test_concepts_that_changed_are_looked_for_anew(tmp_path: Path) -> None:
    text = MODEL + data(folder="pictures", concepts="concepts.csv") + CONCEPTS + NON_FINITE
    assert verdicts(session_of(bright(tmp_path), text))["relu1::detectors"].outcome == "passed"
    (tmp_path / "concepts.csv").write_text("picture,bright\n00.png,1\n01.png,0\n")
    verdict = verdicts(session_of(tmp_path, text))["relu1::detectors"]
    assert verdict.outcome == "failed"
    assert "no concept has enough of the 40 pictures" in verdict.message


def test_a_mistake_in_concepts_is_the_fault_of_detectors_alone(tmp_path: Path) -> None:
    text = (
        MODEL + data(folder="pictures", concepts="concepts.csv") + CONCEPTS + section("[[checks]]", check="dead-units")
    )
    (bright(tmp_path) / "concepts.csv").write_text("picture,bright\n00.png,1\n00.png,0\n")
    found = verdicts(session_of(tmp_path, text))
    assert found["relu1::detectors"].outcome == "error"
    assert found["relu1::detectors"].message == 'concepts.csv:3: "00.png" has a row already'
    assert found["relu1::dead-units"].measured is not None


def test_detectors_without_labels_and_concepts_are_unavailable(tmp_path: Path) -> None:
    found = verdicts(session_of(bright(tmp_path), MODEL + data(folder="pictures") + CONCEPTS + NON_FINITE))
    assert found["relu1::detectors"].outcome == "failed"
    assert "no picture has a label" in found["relu1::detectors"].message


def test_concepts_that_are_not_there_are_said_at_once(tmp_path: Path) -> None:
    (bright(tmp_path) / "audit.toml").write_text(MODEL + data(folder="pictures", concepts="concept.csv"))
    with pytest.raises(ConfigError, match=r'no file "concept\.csv"; did you mean "concepts\.csv"'):
        prepare(tmp_path / "audit.toml")


def test_a_damaged_picture_is_left_out_listed_and_remembered(tmp_path: Path) -> None:
    photographs(tmp_path)
    (tmp_path / "pictures" / "03.png").write_bytes(b"no picture")
    text = MODEL + data(folder="pictures") + section("[[layers]]", name="relu1") + NON_FINITE
    for _ in range(2):  # the second time nothing is shown to the network again
        session = session_of(tmp_path, text)
        assert {verdict.outcome for verdict in verdicts(session).values()} == {"passed"}
        assert measured(session).images == 11
    report = read(session.publish("demo").folder)
    (damaged,) = (table for table in report.tables if table.name == "damaged")
    assert damaged.columns["name"].tolist() == ["03.png"]


def test_too_many_damaged_pictures_fail_what_needs_pictures_and_nothing_else(tmp_path: Path) -> None:
    photographs(tmp_path)
    for number in (1, 5, 8):
        (tmp_path / "pictures" / f"{number:02}.png").write_bytes(b"no picture")
    checks = section("[[checks]]", check="dead-units") + section("[[checks]]", check="degenerate-weights")
    found = verdicts(
        session_of(tmp_path, MODEL + data(folder="pictures") + section("[[layers]]", name="relu1") + checks)
    )
    assert found["relu1::dead-units"].outcome == "error"
    assert "damaged" in found["relu1::dead-units"].message
    assert found["degenerate-weights"].outcome == "passed"


def test_a_check_of_normalisations_has_them_measured_though_nobody_chose_them(tmp_path: Path) -> None:
    photographs(tmp_path)
    (tmp_path / "network.py").write_text(NORMALISED)
    model = section("[audit]", device="cpu") + section(
        "[[models]]", name="demo", factory="network.py:network", input=[3, 64, 64]
    )
    checks = section("[[checks]]", check="normalisation-drift", min_images=10)
    session = session_of(tmp_path, model + data(folder="pictures") + section("[[layers]]", name="2") + checks)
    verdict = verdicts(session)["normalisation-drift"]
    assert verdict.outcome == "failed"
    assert verdict.measured is not None, verdict.message


@pytest.mark.parametrize(("checks", "outcome"), [("", "skipped"), ('[[checks]]\ncheck = "accuracy"\n', "failed")])
def test_only_a_default_check_is_skipped_where_there_is_nothing_to_judge(
    checks: str, outcome: str, tmp_path: Path
) -> None:
    photographs(tmp_path)
    session = session_of(tmp_path, MODEL + data(folder="pictures") + checks)
    verdict = verdicts(session, only="::accuracy")["accuracy"]
    assert (verdict.outcome, verdict.measured) == (outcome, None)


def test_a_block_that_hands_on_its_relu_is_not_measured_again_unless_it_is_named(tmp_path: Path) -> None:
    photographs(tmp_path)
    (tmp_path / "network.py").write_text(BLOCKS)
    model = section("[audit]", device="cpu") + section(
        "[[models]]", name="demo", factory="network.py:network", input=[3, 64, 64]
    )
    chosen = {}
    for name in ("*", ["*", "0"]):
        session = session_of(tmp_path, model + data(folder="pictures") + section("[[layers]]", name=name))
        chosen[str(name)] = measured(session).needs.chosen
    assert "0" not in chosen["*"]
    assert "0.2" in chosen["*"]
    assert "0" in chosen["['*', '0']"]


def test_the_codes_of_a_layer_lie_on_a_grid_as_they_are_after_its_relu(tmp_path: Path) -> None:
    labelled = {"factory": "audit.demo.generator:pictures", "arguments": {"count": 40, "split": "test", "seed": 1}}
    layers = section("[[layers]]", name=["conv2", "fc"], units="flagged", analyses=["tsne"])
    session = session_of(tmp_path, MODEL + data(**labelled) + layers + NON_FINITE)
    found = verdicts(session, only="tsne")
    assert {verdict.outcome for verdict in found.values()} == {"passed"}
    assert found["conv2::tsne"].message.startswith("trustworthiness 0.")
    (examination,) = session._examinations.values()
    report = session.report(examination.subject.name)
    codes = measured(session).codes_of(measured(session).model.outline.layer("conv2"))
    assert codes[range(40)].min() == 0
    assert codes[range(40)].max() > 0
    where, quality = (next(t for t in report.tables if t.name == name) for name in ("tsne", "tsne_quality"))
    assert where.rows == 80
    for layer in ("conv2", "fc"):
        mine = where.columns["layer"] == layer
        assert len(set(zip(where.columns["row"][mine], where.columns["column"][mine], strict=True))) == 40
        of = {
            name: float(quality.columns["trustworthiness"][row])
            for row, name in enumerate(quality.columns["arrangement"])
            if quality.columns["layer"][row] == layer
        }
        assert of["codes"] == 1
        assert of["plane"] > of["grid"] > of["random"] + 0.1
    assert [(record.layer, record.kind, record.tiles.shape) for record in report.pictures] == [
        (layer, "tsne", (1, 42, 64, 64, 3)) for layer in ("conv2", "fc")
    ]


def test_kept_work_is_laid_out_again_only_where_its_options_change(tmp_path: Path, monkeypatch: Any) -> None:
    labelled = {"factory": "audit.demo.generator:pictures", "arguments": {"count": 20, "split": "test", "seed": 1}}
    runs = []
    make = Tsne.run
    monkeypatch.setattr(Tsne, "run", lambda self, task: runs.append(task.section.tsne) or make(self, task))
    for thumbnail in (16, 16, 12):
        layers = section("[[layers]]", name="fc", analyses=["tsne"], tsne={"thumbnail": thumbnail})
        session = session_of(tmp_path, MODEL + data(**labelled) + layers + NON_FINITE)
        (verdict,) = verdicts(session, only="tsne").values()
        assert verdict.outcome == "passed"
    assert [options.thumbnail for options in runs] == [16, 12]


def test_inversions_are_items_and_kept_work_until_their_options_change(tmp_path: Path) -> None:
    bright(tmp_path)
    made = []
    for steps in (3, 3, 4):
        options = {"pictures": 1, "steps": steps}
        layers = section("[[layers]]", name="relu2", analyses=["inversion"], inversion=options)
        session = session_of(tmp_path, MODEL + data(folder="pictures") + layers + NON_FINITE)
        assert {verdict.outcome for verdict in verdicts(session).values()} == {"passed"}
        (examination,) = session._examinations.values()
        made.append(examination.pictures["relu2", "inversion"].tiles.tolist())
    assert made[0] == made[1] != made[2]


def test_correspondence_is_kept_work_until_its_warps_change(tmp_path: Path) -> None:
    bright(tmp_path)
    made = {}
    for name, seed, rotate in (("first", 0, 30), ("again", 0, 30), ("seed", 1, 30), ("turned", 0, 90)):
        model = MODEL.replace("[audit]\n", f"[audit]\nseed = {seed}\n")
        layers = section(
            "[[layers]]", name="relu2", analyses=["correspondence"], correspondence={"pictures": 3, "rotate": rotate}
        )
        session = session_of(tmp_path, model + data(folder="pictures") + layers + NON_FINITE)
        assert {verdict.outcome for verdict in verdicts(session).values()} == {"passed"}
        (examination,) = session._examinations.values()
        made[name] = examination.pictures["relu2", "correspondence"].numbers["moved"].tolist()
    assert made["first"] == made["again"]
    assert made["first"] not in (made["seed"], made["turned"])
    (table,) = [table for table in read(session.publish("demo").folder).tables if table.name == "correspondence"]
    assert set(table.columns["layer"]) == {"relu2"}
