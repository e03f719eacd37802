"""Presets in audit.toml: what is written is read back, and every other byte of the file stays."""

import stat
import tomllib
from pathlib import Path

import pytest

from audit.ascent.presets import YOSINSKI, build
from audit.errors import AuditError
from audit.search.draws import draws
from audit.search.writing import BOM, as_toml, with_presets, write_presets

FILE = """\
# The audit of "us", äöü
[audit]
device = "${DEVICE:-auto}"   # from outside

[[models]]
name = "demo"
factory = "audit.demo.network:trained"
arguments = { limit = nan }

[presets.mine]
steps = 3 # few
learning_rate = 1.0

[[layers]]
name = "conv*"
presets = ["mine"]
"""


def four(first: int = 0) -> str:
    chosen = {f"found-{number}": draw.preset for number, draw in enumerate(draws(first + 4, 0)[first:], start=1)}
    return as_toml(chosen, dict.fromkeys(chosen, "a remark"))


def put(contents: bytes, first: int = 0) -> bytes:
    return with_presets(contents, four(first))


@pytest.mark.parametrize("presets", [YOSINSKI, {f"p{draw.number}": draw.preset for draw in draws(60, 1)}])
def test_what_is_written_is_read_back(presets):
    written = tomllib.loads(as_toml(presets, dict.fromkeys(presets, "a remark")))["presets"]
    assert {name: build(name, table) for name, table in written.items()} == presets


@pytest.mark.parametrize("text", [FILE, FILE.rstrip("\n"), FILE + "\n\n# the end", ""])
def test_new_presets_come_at_the_end_and_nothing_before_them_moves(text):
    before = text.encode()
    after = put(before)
    assert after.startswith(before)
    assert after.endswith(four().encode())
    assert not after[len(before) : -len(four().encode())].strip()
    assert set(tomllib.loads(after.decode())["presets"]) >= {"found-1", "found-2", "found-3", "found-4"}


def test_presets_of_an_earlier_search_are_replaced_where_they_stand():
    head, tail = FILE.encode(), b'\n# below\n[[checks]]\ncheck = "accuracy" # ours\nat_least = 1.0\n'
    once = put(head) + tail
    again = put(once, first=4)
    assert again == head + b"\n" + four(4).encode() + tail
    assert put(again, first=4) == again
    assert put(again) == once


def test_presets_that_stand_apart_come_together_and_what_was_between_stays():
    parts = four().split("\n\n")
    between = ["# one\n", "[presets.other]\nsteps = 1\nlearning_rate = 2.0\n", "# three"]
    text = "\n\n".join(part for pair in zip(parts, [*between, ""], strict=True) for part in pair)
    after = put(text.encode(), first=4).decode()
    rest = after.replace(four(4).rstrip(), "", 1)
    assert rest.split() == " ".join(between).split()


def test_comments_behind_and_below_a_preset_stay():
    old = four().replace("]\n\n[presets.found-2]", "] # good\n# bad\n\n[presets.found-2]")
    assert put(old.encode(), first=4).decode() == four(4).rstrip() + " # good\n# bad\n\n\n"


def test_tables_below_a_preset_go_with_it():
    old = (
        "[presets.found-2]\nsteps = 9\n[presets.found-2.learning_rate]\nprogress = 1.0\nmax = 2.0\n"
        '[[presets.found-2.regularizers]]\nregularizer = "decay"\nstrength = 0.5\n\n[presets.found-22]\nsteps = 7\n'
    )
    presets = tomllib.loads(put(old.encode()).decode())["presets"]
    assert presets == tomllib.loads(four())["presets"] | {"found-22": {"steps": 7}}


def test_ends_of_lines_and_the_mark_at_the_beginning_stay():
    text = BOM + FILE.replace("\n", "\r\n").encode()
    after = put(put(text), first=4)
    assert after.startswith(text)
    assert after.count(b"\n") == after.count(b"\r\n")
    assert after.count(BOM) == 1


@pytest.mark.parametrize(
    "text",
    [
        "presets = { found-1 = { steps = 1, learning_rate = 1.0 } }\n",
        "[presets]\nfound-3 = { steps = 1, learning_rate = 1.0 }\n",
        "[presets]\nfound-3.steps = 1\n",
        "presets = 3\n",
        "[audit\n",
    ],
)
def test_a_file_that_has_them_in_another_form_is_left_alone(tmp_path: Path, text):
    file = tmp_path / "audit.toml"
    file.write_text(text)
    with pytest.raises(AuditError, match=r"cannot write the presets into .*audit\.toml: "):
        write_presets(file, four())
    assert file.read_text() == text
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_is_written_as_a_whole_with_its_permissions_and_through_links(tmp_path: Path):
    (tmp_path / "real.toml").write_text(FILE)
    (tmp_path / "real.toml").chmod(0o640)
    (tmp_path / "audit.toml").symlink_to("real.toml")
    write_presets(tmp_path / "audit.toml", four())
    assert (tmp_path / "audit.toml").is_symlink()
    assert (tmp_path / "real.toml").read_bytes() == put(FILE.encode())
    assert stat.S_IMODE((tmp_path / "real.toml").stat().st_mode) == 0o640
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_that_is_gone_is_said(tmp_path: Path):
    with pytest.raises(AuditError, match="No such file"):
        write_presets(tmp_path / "audit.toml", four())
