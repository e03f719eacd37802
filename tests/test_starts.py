"""A preset that starts from a unit's strongest pictures gets them from a pass, and says so where there are none."""

from pathlib import Path

import pyarrow.parquet

from tests.audits import AUDIT, DATA, MODEL, Folder, section

PRESET = section("[presets.found]", steps=1, learning_rate=1.0, start="strongest")
PRESET += section("[presets.noise]", steps=1, learning_rate=1.0)
LAYER = section("[[layers]]", name="conv2", units=[1, 4], analyses=["optimized"], presets=["found", "noise"], images=2)
CHECKS = section("[[checks]]", check="degenerate-weights")


def test_images_start_from_the_pictures_on_which_the_unit_is_strongest(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, AUDIT + MODEL + DATA + PRESET + LAYER + CHECKS)
    assert folder.run().returncode == 0
    stored = tmp_path / "reports" / "demo" / "latest" / "pictures.parquet"
    rows = pyarrow.parquet.read_table(stored).to_pylist()
    for unit in (1, 4):
        mine = {(row["group"], row["tile"]): row for row in rows if row["unit"] == unit}
        assert mine["found", 0]["activation"] == mine["found", 1]["activation"]  # whatever the seed
        assert mine["found", 0]["activation"] > max(mine["noise", tile]["activation"] for tile in (0, 1))


def test_without_pictures_there_is_nothing_to_start_from(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, AUDIT + MODEL + PRESET + LAYER + CHECKS)
    assert folder.run().returncode == 1
    (message,) = [said for item, said in folder.messages().items() if item.endswith("::optimized")]
    assert "there are none here; add [data] to audit.toml" in message
