"""Text of strangers -> text that is safe on a terminal, and in the log of a step that GitHub runs."""


def printable(text: str) -> str:
    """The lines of a text; nothing in it moves the cursor, colours the screen or turns the direction of writing.

    Nor is any of it a command to GitHub's runner, which looks for `::` where a line begins and for `##[` anywhere.
    """
    return "\n".join(_no_command("".join(map(_visible, line))) for line in text.split("\n"))


def in_a_line(text: str) -> str:
    """The same of a name, whose line breaks are made visible too."""
    return printable(text.replace("\n", "\\n"))


def _visible(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")


def _no_command(line: str) -> str:
    """With a backslash before what the runner would look for."""
    line = line.replace("##[", "#\\#[")
    bare = line.lstrip()
    return line[: len(line) - len(bare)] + "\\" + bare if bare.startswith("::") else line
