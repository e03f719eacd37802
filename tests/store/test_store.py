"""A report that is written comes back as it was, or not at all."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from audit.errors import StoreError
from audit.records import Finding, Item, Layer, Numbers, Outline, Pictures, Report, Scalars, Verdict
from audit.store import SCHEMA, publish_latest, read, write
from audit.store.sprites import file_stem, grid, montage, places
from audit.store.tiles import SheetTiles


def same(one: object, other: object) -> bool:
    """Equality of records, arrays bit by bit with their type, NaN equal to NaN, None to nothing but None."""
    if isinstance(one, SheetTiles):
        return same(one[:], other)
    if dataclasses.is_dataclass(one) and not isinstance(one, type):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one)
        )
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return isinstance(other, tuple) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and (one == other or repr(one) == repr(other) == "nan")


def without_pictures(report: Report) -> Report:
    return dataclasses.replace(report, pictures=())


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other.astype(float)) ** 2)))


def test_a_report_comes_back_as_it_was(report: Report, tmp_path: Path) -> None:
    write(report, tmp_path / "run")
    back = read(tmp_path / "run")
    assert same(without_pictures(back), without_pictures(report))
    for before, after in zip(report.pictures, back.pictures, strict=True):
        assert same(dataclasses.replace(after, tiles=before.tiles), before)
        if max(before.tiles.shape[2:4]) <= 64:
            assert np.array_equal(before.tiles, after.tiles[:])
        else:
            assert before.tiles.shape == after.tiles.shape
            assert psnr(before.tiles[:], after.tiles[:]) > 38


def test_the_comparison_of_this_file_sees_a_difference(report: Report) -> None:
    assert same(report, report)
    assert not same(report, dataclasses.replace(report, numbers=Numbers({"top1": 0.5})))
    assert not same(np.zeros(2), np.zeros(2, dtype=np.float32))
    assert not same(None, float("nan"))


@given(
    st.lists(st.none() | st.floats(), min_size=2, max_size=2),
    st.floats(),
    st.text(),
    st.dictionaries(st.text(), st.floats(), max_size=3),
)
def test_every_number_and_text_survives(
    tmp_path_factory: pytest.TempPathFactory,
    numbers: list[float | None],
    finding: float,
    text: str,
    named: dict[str, float],
) -> None:
    verdict = Verdict(
        Item("audit.toml", text, None, text),
        "failed",
        text,
        *numbers,
        findings=(Finding(text, None, text, finding),),
        asked=finding,
    )
    report = Report(text, text, Outline((1, 2, 3), ()), (verdict,), numbers=Numbers(named))
    folder = tmp_path_factory.mktemp("any") / "run"
    write(report, folder)
    assert same(read(folder), report)


def test_results_are_valid_json_with_null_for_what_is_not_a_number(report: Report, tmp_path: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    write(report, tmp_path / "run")
    results = json.loads((tmp_path / "run" / "results.json").read_text(), parse_constant=refuse)
    assert results["schema"] == SCHEMA == 4
    assert results["outcome"] == report.outcome == "error"
    by_id = {item["id"]: item for item in results["items"]}
    assert len(by_id) == len(report.verdicts)
    dead = by_id[f"audit.toml::{report.model}::conv1::dead-units"]
    assert (dead["outcome"], dead["limit"], dead["good"], dead["unit"]) == ("failed", 5.0, "at most", "%")
    assert dead["measured"] == pytest.approx(100 / 12)
    assert [finding["unit"] for finding in dead["findings"]] == [3, 7]
    nan = next(index for index, verdict in enumerate(report.verdicts) if verdict.measured != verdict.measured)
    assert results["items"][nan]["measured"] is None
    assert results["not_finite"][f"/items/{nan}/measured"] == "nan"


def test_the_table_has_a_row_per_unit_and_tells_missing_from_not_a_number(report: Report, tmp_path: Path) -> None:
    write(report, tmp_path / "run")
    table = pyarrow.parquet.read_table(tmp_path / "run" / "units.parquet")
    rows = table.to_pylist()
    assert [(row["layer"], row["unit"]) for row in rows] == [
        (layer.name, unit) for layer in report.outline.layers for unit in range(layer.units)
    ]
    assert {row["model"] for row in rows} == {report.model}
    assert table.column_names[:3] == ["model", "layer", "unit"]
    assert rows[3]["frequency"] != rows[3]["frequency"]
    assert rows[-1]["frequency"] is None
    means = {
        (record.layer, unit): mean for record in report.scalars for unit, mean in enumerate(record.columns["mean"])
    }
    assert all(row["mean"] == means[row["layer"], row["unit"]] for row in rows)


def test_records_of_one_layer_share_its_rows(tmp_path: Path) -> None:
    scalars = (
        Scalars("a", {"mean": np.array([1.0, np.nan])}),
        Scalars("b", {"mean": np.array([np.inf])}),
        Scalars("a", {"max": np.array([3, 4], dtype=np.float32)}),
        Scalars("c", {}),
    )
    report = Report("x", "y", Outline((1, 1, 1), ()), (), scalars)
    write(report, tmp_path / "run")
    assert same(read(tmp_path / "run").scalars, scalars)
    assert pyarrow.parquet.read_table(tmp_path / "run" / "units.parquet").num_rows == 3


@pytest.mark.parametrize(
    "columns",
    [
        ({"mean": np.zeros(2)}, {"mean": np.zeros(2)}),
        ({"mean": np.zeros(2)}, {"std": np.zeros(3)}),
        ({"unit": np.zeros(1)},),
    ],
)
def test_records_that_contradict_each_other_are_refused(columns: tuple[dict[str, np.ndarray]], tmp_path: Path) -> None:
    report = Report("x", "y", Outline((1, 1, 1), ()), (), tuple(Scalars("a", each) for each in columns))
    with pytest.raises(StoreError, match="layer 'a'"):
        write(report, tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_four_groups_of_nine_are_the_papers_montage() -> None:
    tiles = np.repeat(np.arange(36, dtype=np.uint8), 2 * 3 * 3).reshape(36, 2, 3, 3)
    picture = montage(tiles, 4)[::2, ::3, 0]
    quadrants = [picture[:3, :3], picture[:3, 3:], picture[3:, :3], picture[3:, 3:]]
    assert [quadrant.ravel().tolist() for quadrant in quadrants] == [list(range(g * 9, g * 9 + 9)) for g in range(4)]


@given(st.integers(1, 6), st.integers(1, 20))
def test_every_tile_has_a_place_of_its_own_and_blocks_are_squarish(groups: int, block: int) -> None:
    where = places(groups * block, groups)
    assert len({tuple(place) for place in where.tolist()}) == groups * block
    rows, columns = grid(block)
    assert rows <= columns <= rows + 1
    assert (rows - 1) * columns < block <= rows * columns
    for group in range(groups):
        mine = where[group * block : (group + 1) * block]
        assert np.array_equal(mine[0] % (rows, columns), (0, 0))
        assert (mine.max(axis=0) - mine.min(axis=0) < (rows, columns)).all()


def test_unequal_groups_are_refused(report: Report, tmp_path: Path) -> None:
    broken = dataclasses.replace(report.pictures[0], groups=("a", "b", "c", "d", "e"))
    with pytest.raises(StoreError, match="36 tiles cannot be divided into 5"):
        write(dataclasses.replace(report, pictures=(broken,)), tmp_path / "run")


def tiled(layer: str, units: int, tiles: int, size: tuple[int, int]) -> Pictures:
    pixels = np.random.default_rng(1).integers(0, 256, (units, tiles, *size, 3), dtype=np.uint8)
    return Pictures(layer, "deconv", tuple(range(units)), pixels, (("",) * tiles,) * units, ("deconv",), "")


def with_pictures(*pictures: Pictures) -> Report:
    return Report("x", "y", Outline((1, 1, 1), ()), (), pictures=pictures)


@pytest.mark.parametrize(("units", "tiles", "size"), [(1, 1, (1, 1)), (5, 7, (11, 4)), (0, 9, (5, 5)), (3, 0, (5, 5))])
def test_any_number_of_small_tiles_is_kept_without_loss(
    units: int, tiles: int, size: tuple[int, int], tmp_path: Path
) -> None:
    pictures = tiled("layer", units, tiles, size)
    write(with_pictures(pictures), tmp_path / "run")
    assert same(read(tmp_path / "run").pictures, (pictures,))


def test_large_tiles_do_not_bleed_into_their_neighbours(tmp_path: Path) -> None:
    pictures = tiled("layer", 2, 9, (101, 67))
    pixels = np.zeros_like(pictures.tiles)
    pixels[:, ::2] = 255
    write(with_pictures(dataclasses.replace(pictures, tiles=pixels)), tmp_path / "run")
    assert np.abs(read(tmp_path / "run").pictures[0].tiles[:].astype(int) - pixels).max() <= 1


def test_pictures_of_noise_are_stored(tmp_path: Path) -> None:
    pictures = tiled("layer", 2, 9, (200, 200))
    write(with_pictures(pictures), tmp_path / "run")
    assert read(tmp_path / "run").pictures[0].tiles.shape == pictures.tiles.shape


def test_tiles_can_be_read_smaller_and_some_of_them_alone(tmp_path: Path) -> None:
    pictures = tiled("layer", 3, 4, (91, 70))
    pixels = np.zeros_like(pictures.tiles)
    pixels[:] = np.arange(12, dtype=np.uint8).reshape(3, 4, 1, 1, 1) * 20
    write(with_pictures(dataclasses.replace(pictures, tiles=pixels)), tmp_path / "run")
    tiles = read(tmp_path / "run").pictures[0].tiles
    assert isinstance(tiles, SheetTiles)
    half = tiles.reduced(40)
    assert half.shape == (3, 4, 45, 35, 3)
    assert tiles.reduced(46).shape == tiles.shape
    assert np.abs(half[:].astype(int) - pixels[:, :, :45, :35]).max() <= 1
    for key in ((2, slice(1, 3)), (1, slice(0, 0)), (0, slice(None), 5), (1, 2), (0,)):
        assert np.array_equal(tiles[key], tiles[:][key])


def test_many_units_are_split_over_sheets_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.store.sprites.SHEET_PIXELS", 5 * 9 * 64)
    pictures = tiled("layer", 12, 9, (8, 8))
    write(with_pictures(pictures), tmp_path / "run")
    sheets = sorted((tmp_path / "run" / "sprites").iterdir())
    assert len(sheets) == 3
    for sheet in sheets:
        with Image.open(sheet) as image:
            assert image.width * image.height <= 6 * 9 * 64
    assert same(read(tmp_path / "run").pictures, (pictures,))


@pytest.mark.parametrize(
    "name", ["../../up", "/etc/passwd", "C:\\x", ".hidden", "a/b", "", "é" * 300, "a\0b", "\udcff"]
)
def test_a_layers_name_cannot_lead_out_of_the_folder(name: str, tmp_path: Path) -> None:
    write(with_pictures(tiled(name, 1, 1, (2, 2))), tmp_path / "run")
    (sprite,) = (tmp_path / "run" / "sprites").iterdir()
    assert sprite.is_file()
    assert sprite.name[0] not in ".-"
    assert len(sprite.name) < 100
    assert read(tmp_path / "run").pictures[0].layer == name


def test_names_that_look_alike_get_files_of_their_own() -> None:
    stems = {
        file_stem(*pair).lower() for pair in [("a/b", "k"), ("a_b", "k"), ("A_b", "k"), ("a", "b-k"), ("a-b", "k")]
    }
    assert len(stems) == 5


def test_a_sprite_outside_of_the_folder_is_not_read(report: Report, tmp_path: Path) -> None:
    write(report, tmp_path / "run")
    results = tmp_path / "run" / "results.json"
    name = json.loads(results.read_text())["pictures"][0]["sheets"][0]["file"]
    shutil.copy(tmp_path / "run" / "sprites" / name, tmp_path / name)
    results.write_text(results.read_text().replace(f'"{name}"', f'"../../{name}"'))
    with pytest.raises(StoreError, match="not the name of a file"):
        read(tmp_path / "run")


def test_nothing_is_left_beside_the_report(report: Report, tmp_path: Path) -> None:
    write(report, tmp_path / "models" / "run")
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["run"]
    assert sorted(path.name for path in (tmp_path / "models" / "run").iterdir()) == [
        "histograms.parquet",
        "pictures.parquet",
        "results.json",
        "sprites",
        "tables",
        "units.parquet",
    ]


def test_two_writes_are_the_same_bytes(report: Report, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(report, tmp_path / name)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(files) == 4 + len(report.pictures) + len(report.tables)
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)


def test_a_report_replaces_the_one_before_and_what_was_rendered_from_it(report: Report, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write(report, folder)
    for name in ("report.html", "report.pdf", "notes.txt"):
        (folder / name).write_text("old")
    write(with_pictures(tiled("other", 1, 1, (2, 2))), folder)
    tables = ["histograms.parquet", "pictures.parquet", "tables", "units.parquet"]
    there = sorted([*tables, "notes.txt", "results.json", "sprites"])
    assert sorted(path.name for path in folder.iterdir()) == there
    assert [pictures.layer for pictures in read(folder).pictures] == ["other"]
    assert len(list((folder / "sprites").iterdir())) == 1


def test_an_empty_folder_is_used(report: Report, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    write(report, tmp_path / "run")
    assert read(tmp_path / "run").model == report.model


def test_files_of_others_are_not_overwritten(report: Report, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"mine": 1}')
    with pytest.raises(StoreError, match=r"results\.json but no report"):
        write(report, tmp_path)
    assert (tmp_path / "results.json").read_text() == '{"mine": 1}'
    with pytest.raises(StoreError, match="is a file"):
        write(report, tmp_path / "results.json")


def test_a_write_that_dies_between_two_files_is_noticed(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(report, tmp_path / "run")

    def dies(source: Path, target: Path) -> None:
        if Path(target).name == "results.json":
            raise OSError("killed")
        os.rename(source, target)

    monkeypatch.setattr("audit.store.writer.os.replace", dies)
    other = dataclasses.replace(report, scalars=report.scalars[:1])
    with pytest.raises(StoreError, match="killed"):
        write(other, tmp_path / "run")
    monkeypatch.undo()
    with pytest.raises(StoreError, match=r"units\.parquet is not the file"):
        read(tmp_path / "run")
    write(other, tmp_path / "run")
    assert same(read(tmp_path / "run").scalars, other.scalars)


def damage(folder: Path, name: str) -> None:
    results = folder / "results.json"
    match name:
        case "no results":
            results.unlink()
        case "half of the results":
            results.write_text(results.read_text()[:1000])
        case "another version":
            results.write_text(results.read_text().replace('"schema": 4', '"schema": 1'))
        case "an unknown outcome":
            results.write_text(results.read_text().replace('"outcome": "skipped"', '"outcome": "waved"'))
        case "a bare NaN":
            results.write_text(results.read_text().replace('"limit": 5.0', '"limit": NaN'))
        case "no table":
            (folder / "units.parquet").unlink()
        case "another sprite":
            next((folder / "sprites").iterdir()).write_bytes(b"GIF89a")


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("no results", "no report"),
        ("half of the results", "damaged"),
        ("another version", "has schema 1, this version reads 4"),
        ("an unknown outcome", "unknown outcome 'waved'"),
        ("a bare NaN", "NaN is not JSON"),
        ("no table", "units.parquet"),
        ("another sprite", "is not the file"),
    ],
)
def test_a_damaged_report_is_refused(what: str, says: str, report: Report, tmp_path: Path) -> None:
    write(report, tmp_path / "run")
    damage(tmp_path / "run", what)
    with pytest.raises(StoreError, match=says):
        read(tmp_path / "run")


def test_latest_is_a_relative_link_to_the_newest_run(report: Report, tmp_path: Path) -> None:
    latest = tmp_path / "model" / "latest"
    for name in ("run-1", "run-2"):
        write(dataclasses.replace(report, audit=name), tmp_path / "model" / name)
        publish_latest(tmp_path / "model" / name, latest)
        assert os.readlink(latest) == name
        assert read(latest).audit == name
    assert sorted(path.name for path in latest.parent.iterdir()) == ["latest", "run-1", "run-2"]


def test_latest_is_a_copy_where_links_are_impossible(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no links here")

    latest = tmp_path / "latest"
    for index, name in enumerate(("run-0", "run-1", "run-2")):
        if index == 1:
            monkeypatch.setattr("audit.store.latest.os.symlink", refuse)
        write(dataclasses.replace(report, audit=name), tmp_path / name)
        publish_latest(tmp_path / name, latest)
        assert latest.is_symlink() == (index == 0)
        assert read(latest).audit == name


def test_latest_never_replaces_what_is_no_report(report: Report, tmp_path: Path) -> None:
    write(report, tmp_path / "run")
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "thesis.tex").write_text("mine")
    with pytest.raises(StoreError, match="neither a link nor a report"):
        publish_latest(tmp_path / "run", tmp_path / "latest")
    assert (tmp_path / "latest" / "thesis.tex").read_text() == "mine"


def test_a_name_that_is_no_utf8_is_stored(tmp_path: Path) -> None:
    report = Report("x", "m\udcff", Outline((1, 1, 1), ()), (), (Scalars("l\udcff", {"mean": np.ones(2)}),))
    write(report, tmp_path / "run")
    assert same(read(tmp_path / "run"), report)
    assert pyarrow.parquet.read_table(tmp_path / "run" / "units.parquet")["layer"].to_pylist() == ["l?", "l?"]


@pytest.mark.parametrize("layout", [None, "image position position unit"])
def test_the_axes_of_a_layer_are_stored(layout: str | None, tmp_path: Path) -> None:
    layer = Layer("inner:0", "Linear", (4, 3, 3), 20, False, None, None, layout)
    report = Report("x", "m", Outline((1, 1, 1), (layer,)), ())
    write(report, tmp_path / "run")
    assert read(tmp_path / "run").outline.layers == (layer,)
