"""Page dataclasses -> text: where the templates are, and the one environment that fills them."""

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from audit.errors import StoreError
from audit.words import plural

PACKAGE = Path(__file__).parents[1]

CONTROLS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What must not reach a page: control characters, those that turn the direction of text, halves of surrogate pairs."""


def find(package: Path = PACKAGE) -> Path:
    """The folder of the templates: inside the package, else beside it in a checkout. StoreError if in neither."""
    for folder in (package / "templates", package.parent / "templates"):
        if (folder / "report.html").is_file():
            return folder
    raise StoreError(f"no templates in {package} nor beside it: install deepvis-audit again")


@cache
def environment() -> Environment:
    """Everything that is filled in is escaped; a name that does not exist is an error."""
    filled = Environment(
        loader=FileSystemLoader(find(), encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=readable,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filled.filters |= {"plural": plural, "in_script": in_script}
    return filled


def in_script(json: str) -> Markup:
    """JSON that stands in a script element: nothing in it ends the element, or begins another."""
    return Markup(json.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def readable(value: object) -> object:
    """Untrusted text without characters that would garble the page; markup and numbers as they are."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", value)
    return value
