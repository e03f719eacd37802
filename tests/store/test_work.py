"""Kept work comes back as it was; what cannot be read or kept is computed again, and nothing else happens."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit.records import Numbers, Pictures, Scalars, TopK
from audit.store.work import Made, Work, key

RNG = np.random.default_rng(0)
RECORDS: list[Made] = [
    Scalars("conv1", {"mean": RNG.normal(size=4), "nan": np.array([np.nan, np.inf, -np.inf, 0.0])}),
    Scalars("conv1", {}),
    TopK("conv1", RNG.normal(size=(4, 2)), *(RNG.integers(-1, 9, (4, 2)) for _ in range(3))),
    Numbers({"top1": 0.5, "nothing": float("nan")}),
    Pictures(
        layer="conv1",
        kind="optimized",
        units=(1, 3),
        tiles=RNG.integers(0, 256, (2, 4, 5, 6, 3), dtype=np.uint8),
        captions=(("a", "b", "é", ""), ("e", "f", "\x1b", "h")),
        groups=("one", "two"),
        note="a note",
        numbers={"activation": RNG.normal(size=(2, 4)), "rank": np.array([[1.0, np.nan, 2.0, np.inf]] * 2)},
    ),
]


def assert_equal(one: Any, other: Any) -> None:
    """Of the same types and values, NaN being equal to NaN."""
    assert type(one) is type(other)
    if dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_equal(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            assert_equal(one[name], other[name])
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other or (np.isnan(one) and np.isnan(other))


def only_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_of_every_kind_comes_back_as_it_was(tmp_path: Path, record: Made) -> None:
    Work(tmp_path / "work").put("name", [record])
    found = Work(tmp_path / "work").get("name")
    assert found is not None
    assert len(found) == 1
    assert_equal(found[0], record)


def test_records_keep_their_order_and_leave_one_file(tmp_path: Path) -> None:
    Work(tmp_path).put("name", RECORDS)
    found = Work(tmp_path).get("name") or []
    assert [type(record) for record in found] == [type(record) for record in RECORDS]
    assert only_file(tmp_path).name == "name.npz"


def test_what_was_never_kept_is_not_there(tmp_path: Path) -> None:
    assert Work(tmp_path / "nowhere").get("name") is None


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_a_cut_file_counts_as_not_there(tmp_path: Path, share: float) -> None:
    Work(tmp_path).put("name", RECORDS)
    file = only_file(tmp_path)
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    assert Work(tmp_path).get("name") is None


def test_a_file_with_a_turned_bit_is_never_a_record_that_was_not_kept(tmp_path: Path) -> None:
    Work(tmp_path).put("name", RECORDS)
    file = only_file(tmp_path)
    good = file.read_bytes()
    for place in range(0, len(good), 37):
        file.write_bytes(good[:place] + bytes([good[place] ^ 16]) + good[place + 1 :])
        found = Work(tmp_path).get("name")
        if found is not None:  # a date of the archive, say
            for one, other in zip(found, RECORDS, strict=True):
                assert_equal(one, other)


def test_a_folder_that_is_a_file_keeps_nothing_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("in the way")
    Work(tmp_path / "work").put("name", RECORDS)
    assert Work(tmp_path / "work").get("name") is None
    assert (tmp_path / "work").read_text() == "in the way"


def test_a_key_changes_with_every_part_and_not_with_their_order() -> None:
    parts: dict[str, Any] = {"layer": "conv1", "units": (1, 2), "batch": 32}
    assert key(**parts) == key(**dict(reversed(parts.items())))
    changed = [{**parts, "layer": "conv2"}, {**parts, "units": (2, 1)}, {**parts, "batch": 33}, {**parts, "more": None}]
    assert len({key(**parts), *(key(**other) for other in changed)}) == 5
