"""What is printed of strangers' text moves no cursor, turns no line, and commands no runner."""

import pytest

from audit.gate.text import in_a_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("conv1.0 ä: 3 %", "conv1.0 ä: 3 %"),
        ("a\nb", "a\nb"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\u202eb", "a\\u202eb"),
        ("a\r::error::b", "a\\r::error::b"),
        ("::error::b", "\\::error::b"),
        ("a\n  ::error::b", "a\n  \\::error::b"),
        ("a ##[error]b", "a #\\#[error]b"),
        ("audit.toml::demo::conv1", "audit.toml::demo::conv1"),
    ],
)
def test_printable_text(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_name_is_one_line() -> None:
    assert in_a_line("a\n::error::b") == "a\\n::error::b"
    assert in_a_line("::error::b") == "\\::error::b"
