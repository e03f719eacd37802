"""The documentation that comes along -> its sections and the rows of its tables."""

import re
from functools import cache
from pathlib import Path

from audit.errors import AuditError

PACKAGE = Path(__file__).parents[1]


def page(name: str, package: Path = PACKAGE) -> str:
    """A page such as "checks/dead-units.md", in the package or beside it in a checkout; AuditError if in neither."""
    for folder in (package / "docs", package.parent / "docs"):
        if (folder / name).is_file():
            return _read(folder / name)
    raise AuditError(f"no docs/{name} in {package} nor beside it: install deepvis-audit again")


@cache
def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def sections(text: str) -> dict[str, str]:
    """Heading -> the text below it, of the headings of the second level."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return {heading: plain(body) for heading, body in zip(parts[1::2], parts[2::2], strict=True)}


def row(text: str, name: str) -> dict[str, str]:
    """The first row of a table that begins with a name, by the heads of its columns; nothing if there is none."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if (cells := _cells(line)) and re.fullmatch(rf"(?:<a[^>]*></a>)?`?{re.escape(name)}`?", cells[0]):
            head = number
            while head > 0 and lines[head - 1].startswith("|"):
                head -= 1
            return dict(zip(_cells(lines[head]), map(plain, cells), strict=False))
    return {}


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def plain(text: str) -> str:
    """Markdown without its pictures, anchors and links, whose words stay."""
    text = re.sub(r"^!\[.*?\]\(.*?\)\n*", "", text, flags=re.MULTILINE)
    text = re.sub(r"\[((?:`[^`]*`|[^\]])+)\]\([^)]*\)", r"\1", text)
    return re.sub(r"<a[^>]*></a>", "", text).strip()
