"""Progress on a real pseudo-terminal: bars appear, leave pytest's lines as they were, and stay away elsewhere."""

import os
import pty
import re
import subprocess
import termios

import pytest

from audit.gate.text import printable
from tests.audits import FAST, PROGRAM, Folder, environment

BAR, WIDTH = "━", 100
SLOW = FAST.replace("pictures.py:make", "slow.py:make")
PICTURES = """
import time
import numpy as np

class Slow:
    def __len__(self):
        return 60
    def __getitem__(self, index):
        time.sleep(0.03)
        return np.full((64, 64, 3), 4 * index, np.uint8)

def make():
    return Slow()
"""
"""A pass over them takes longer than the second after which a bar is shown."""


def on_a_terminal(folder: Folder, *arguments: str, **variables: str) -> str:
    """What the program writes to a terminal, control sequences included."""
    master, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (30, WIDTH))
    process = subprocess.Popen(
        [str(PROGRAM), "run", *arguments],
        cwd=folder.path,
        env={**environment(), "TERM": "xterm-256color", **variables},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    written = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        written += part
    os.close(master)
    assert process.wait(timeout=60) == 0, written.decode()
    return written.decode()


def screen(written: str) -> list[str]:
    """The lines that are left on an endless terminal, by the few control sequences that are in use."""
    rows: list[list[str]] = [[]]
    row = column = 0
    for number, command, letter in re.findall(r"\x1b\[([?0-9;]*)([A-Za-z])|([^\x1b])", written):
        count = int(number) if number.isdigit() else 1
        if command == "A":
            row = max(0, row - count)
        elif command == "G":
            column = count - 1
        elif command == "K":
            rows[row] = [] if number == "2" else rows[row][:column]
        elif letter == "\r":
            column = 0
        elif letter == "\n":
            row += 1
            rows += [[] for _ in range(row + 1 - len(rows))]
        elif letter:
            rows[row] += [" "] * (column - len(rows[row]))
            rows[row][column : column + 1] = [letter]
            column += 1
        else:
            assert command in "mhl", f"the test knows no {command}"
    return ["".join(line).rstrip() for line in rows]


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder.of(tmp_path_factory.mktemp("slow"), SLOW)
    (folder.path / "slow.py").write_text(PICTURES)
    return folder


@pytest.fixture(scope="module")
def written(slow: Folder) -> str:
    """What a run of a few seconds writes to a terminal."""
    return on_a_terminal(slow, "-k", "activations", "--report=first")


def test_bars_appear_with_the_work_and_the_time_left(written: str) -> None:
    assert BAR in written
    assert re.search(r"demo: 60 pictures through 2 layers.*/60.*left", written)
    assert "audit.toml: loading the models ..." in written


def test_what_is_left_on_the_terminal_is_what_a_pipe_gets(slow: Folder, written: str) -> None:
    left = screen(written)
    assert BAR not in "".join(left)
    assert [line.split() for line in left if line.startswith("audit.toml")] == [["audit.toml", "..", "[100%]"]]
    assert "loading" not in "".join(left)
    piped = slow.run("-k", "activations", "--report=first")
    assert not {"\x1b", BAR} & set(piped.stdout + piped.stderr)
    assert lasting(left) == lasting(piped.stdout.splitlines())


def lasting(lines: list[str]) -> list[str]:
    """Without times and empty lines."""
    return [re.sub(r"=+ (.*) in [0-9.]+s =+", r"\1", line).rstrip() for line in lines if line.strip()]


def test_ci_is_quiet(slow: Folder) -> None:
    written = on_a_terminal(slow, "-k", "activations", "--report=second", CI="1")
    assert BAR not in written
    assert "loading" not in written


def test_text_is_made_printable_and_otherwise_stays() -> None:
    assert printable("é ✓ 目\n[bold]") == "é ✓ 目\n[bold]"
    assert printable("a\x1b[31m\rb\tc\u202e\ud800") == "a\\x1b[31m\\rb\\tc\\u202e\\ud800"


def test_the_screen_of_these_tests_moves_as_a_terminal_does() -> None:
    assert screen("a\r\nbc\x1b[1A\x1b[2Gd\r\nxyz\r\x1b[2Kw") == ["ad", "w"]
