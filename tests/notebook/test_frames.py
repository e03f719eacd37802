"""DataFrames of a run are the records of its report."""

from pathlib import Path

import numpy as np
import pandas as pd

from audit.notebook import Run, open_run
from audit.records import Report
from audit.store import write


def test_units_are_the_records_by_layer_and_unit(run: Run, report: Report) -> None:
    units = run.units
    assert units.index.names == ["layer", "unit"]
    assert list(units.index.unique("layer")) == list(run)  # in the order of execution
    assert len(units) == sum(layer.units for layer in report.outline.layers)
    for record in report.scalars:
        for name, column in record.columns.items():
            np.testing.assert_array_equal(units.loc[record.layer, name].to_numpy(np.float64, na_value=np.nan), column)
    assert units.loc["conv2", "frequency"].isna().all()
    assert units["is_colour"].dtype == "boolean"
    assert units.loc["fc", "label"].tolist() == list(report.labels)
    assert units.loc["conv1", "label"].isna().all()
    pd.testing.assert_frame_equal(
        run["conv1"].units,
        units.loc["conv1"].dropna(axis="columns", how="all").reindex(columns=run["conv1"].units.columns),
    )
    assert run["conv1"][3].numbers["share_of_images"] == 0
    assert run["fc"][2].label == "goldfish & koi"
    assert run["conv1"][2].label is None


def test_items_and_findings_are_the_verdicts(run: Run, report: Report) -> None:
    items, findings = run.items, run.findings
    assert items.index.tolist() == [verdict.item.id for verdict in report.verdicts]
    for verdict, row in zip(report.verdicts, items.itertuples(), strict=True):
        assert (row.task, row.outcome, row.message, row.unit) == (
            verdict.item.task,
            verdict.outcome,
            verdict.message,
            verdict.unit,
        )
        assert row.findings == len(verdict.findings)
        np.testing.assert_equal(row.measured, np.nan if verdict.measured is None else verdict.measured)
    assert items["layer"].isna().sum() == 1
    every = [finding for verdict in report.verdicts for finding in verdict.findings]
    assert list(zip(findings.layer, findings.unit, findings.message, strict=True)) == [
        (finding.layer, finding.unit, finding.message) for finding in every
    ]
    assert findings["unit"].dtype == "Int64"
    assert run["conv1"].findings["unit"].tolist() == [3, 7]
    assert run["conv1"][7].findings["message"].tolist() == ["unit 7 fires on 0 of 500 images"]
    assert set(run["conv1"].items["layer"]) == {"conv1"}


def test_layers_are_the_outline(run: Run, report: Report) -> None:
    layers = run.layers
    assert layers.index.tolist() == list(run) == [layer.name for layer in report.outline.layers]
    assert layers["shape"].tolist() == [layer.shape for layer in report.outline.layers]
    assert layers.loc["conv2", "field"] == (25, 25)
    assert layers.loc["fc", "field"] is None
    assert layers.loc["conv1", "pictures"] == 4 * (36 + 9 + 9)
    assert layers["rectifier"].dtype == bool


def test_pictures_have_their_captions_and_numbers(run: Run, report: Report) -> None:
    pictures = run.pictures
    assert len(pictures) == sum(record.tiles.shape[0] * record.tiles.shape[1] for record in report.pictures)
    for record in report.pictures:
        rows = pictures.xs((record.layer, record.kind), level=("layer", "kind"))
        assert rows["caption"].tolist() == [caption for row in record.captions for caption in row]
        for name, column in record.numbers.items():
            np.testing.assert_array_equal(rows[name], column.ravel())
    assert pictures.loc["conv1", "optimized", 17, "yosinski-2", 4]["caption"].startswith("yosinski-2, seed 4")
    assert len(run["conv1"][17].pictures) == 54


def test_strongest_names_the_pictures(run: Run, report: Report) -> None:
    (record,) = [found for found in report.strongest if found.layer == "conv1"]
    strongest = run.strongest
    own = strongest.loc["conv1", 17]
    assert own.index.tolist() == list(range(1, 10))
    np.testing.assert_array_equal(own["value"], record.value[17])
    assert own["name"].tolist() == [report.image_names[index] for index in record.image[17].tolist()]
    assert ("conv1", 3) not in strongest.index.droplevel("rank")
    pd.testing.assert_frame_equal(run["conv1"][17].strongest, own)
    assert run.weakest.empty
    assert run.weakest.columns.tolist() == strongest.columns.tolist()


def test_histograms_claims_and_tables_are_the_records(run: Run, report: Report) -> None:
    for record in report.histograms:
        rows = run.histograms.loc[record.layer]
        np.testing.assert_array_equal(rows["count"].to_numpy().reshape(record.counts.shape), record.counts)
        np.testing.assert_array_equal(rows["low"].to_numpy().reshape(record.counts.shape), record.edges[:, :-1])
        np.testing.assert_array_equal(rows["high"].to_numpy().reshape(record.counts.shape), record.edges[:, 1:])
    assert run.claims["text"].tolist() == [claim.text for claim in report.claims]
    assert list(run.tables) == [table.name for table in report.tables]
    for table in report.tables:
        frame = run.tables[table.name]
        assert frame.columns.tolist() == list(table.columns)
        for name, column in table.columns.items():
            np.testing.assert_array_equal(frame[name].to_numpy(column.dtype), column)
    assert run.tables["predictions"]["label"].dtype == "int64"
    assert run.numbers.to_dict() == dict(report.numbers.values)
    assert run.provenance.to_dict() == dict(report.provenance)
    assert run.labels.tolist() == list(report.labels)


def test_a_report_of_nothing_has_empty_frames_with_their_columns(report: Report, tmp_path: Path) -> None:
    write(Report(report.audit, report.model, report.outline, ()), tmp_path / "run")
    run = open_run(tmp_path / "run")
    for name, column in (
        ("items", "outcome"),
        ("findings", "unit"),
        ("pictures", "caption"),
        ("strongest", "name"),
        ("histograms", "count"),
        ("claims", "text"),
    ):
        frame = getattr(run, name)
        assert frame.empty
        assert column in frame.columns
    assert run.units.index.names == ["layer", "unit"]
    assert run["conv1"].units.empty
    assert repr(run.tables) == "no tables"
