"""Tables, histograms and claims of a report -> its folder and back; what was changed is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audit.errors import StoreError
from audit.records import Claim, Histogram, Report, Table
from audit.store import read, write

TABLE = Table(
    "predictions",
    {
        "image": np.array([0, 2, 5]),
        "name": np.array(["a.jpg", "b\udcff.jpg", ""], dtype=object),
        "loss": np.array([0.5, np.nan, np.inf]),
        "right": np.array([True, False, True]),
        "rank": np.array([0, -1, 3], dtype=np.int32),
    },
)
HISTOGRAMS = (
    Histogram("conv1", np.array([[-np.inf, 0.0, 1.5], [0.0, 0.5, np.inf]]), np.array([[3, 2**40], [0, 1]])),
    Histogram("fc", np.array([[0.0, 1.0, 2.0, 4.0]]), np.array([[1, 2, 3]], dtype=np.int32)),
)
CLAIM = Claim("grows with frequency", "inconclusive", "rank correlation", float("nan"), -1.0, 1.0, 3, "a paper")


def stored(report: Report, folder: Path) -> Report:
    write(replace(report, tables=(TABLE, Table("empty", {})), histograms=HISTOGRAMS, claims=(CLAIM,)), folder)
    return read(folder)


def test_a_table_comes_back_with_its_types(report: Report, tmp_path: Path) -> None:
    table, empty = stored(report, tmp_path / "run").tables
    assert table.name == "predictions"
    assert table.columns["name"].tolist() == ["a.jpg", "b?.jpg", ""]  # half a surrogate pair is no text
    for name in ("image", "loss", "right", "rank"):
        assert table.columns[name].dtype == TABLE.columns[name].dtype
        np.testing.assert_array_equal(table.columns[name], TABLE.columns[name])
    assert empty.rows == 0


def test_histograms_come_back_layer_by_layer(report: Report, tmp_path: Path) -> None:
    for read_back, written in zip(stored(report, tmp_path / "run").histograms, HISTOGRAMS, strict=True):
        assert read_back.layer == written.layer
        np.testing.assert_array_equal(read_back.edges, written.edges)
        np.testing.assert_array_equal(read_back.counts, written.counts)


def test_a_claim_comes_back_with_what_is_not_a_number(report: Report, tmp_path: Path) -> None:
    (claim,) = stored(report, tmp_path / "run").claims
    assert np.isnan(claim.measured)
    assert replace(claim, measured=0.0) == replace(CLAIM, measured=0.0)


@pytest.mark.parametrize("file", ["tables/predictions.parquet", "histograms.parquet"])
def test_a_changed_file_is_refused(report: Report, tmp_path: Path, file: str) -> None:
    stored(report, tmp_path / "run")
    with open(tmp_path / "run" / file, "ab") as changed:
        changed.write(b"x")
    with pytest.raises(StoreError, match="is not the file"):
        read(tmp_path / "run")
