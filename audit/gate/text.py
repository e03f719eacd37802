"""Text of strangers -> text that is safe on a terminal."""


def printable(text: str) -> str:
    """The lines of a text; nothing in it moves the cursor, colours the screen or turns the direction of writing."""
    return "\n".join("".join(map(_visible, line)) for line in text.split("\n"))


def _visible(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
