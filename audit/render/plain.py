"""Text of strangers -> text of a bounded length in which no character garbles what stands around it."""

from audit.render.templates import CONTROLS

MOST = 1024
"""Characters of a text: what GitHub shows of a SARIF message."""


def plain(text: str, most: int = MOST) -> str:
    """The text with a replacement character for each control character, and its middle left out where it is too long.

    Line breaks stay. The end is kept because an error says there what went wrong.
    """
    clean = CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
    if len(clean) <= most:
        return clean
    end = most // 4
    return f"{clean[: most - end - 3]} … {clean[len(clean) - end :]}"


def in_a_line(text: str, most: int = MOST) -> str:
    """`plain` without line breaks."""
    return " ".join(plain(text, most).split())
