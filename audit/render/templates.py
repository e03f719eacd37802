"""Page dataclasses -> text: the built-in templates, those of the user before them, and the one way they are filled."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from traceback import walk_tb
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined, TemplateNotFound
from jinja2.exceptions import TemplateSyntaxError
from jinja2.loaders import BaseLoader
from jinja2.utils import missing
from markupsafe import Markup

from audit.errors import StoreError, TemplateError, nearest
from audit.words import plural

PACKAGE = Path(__file__).parents[1]

CONTROLS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What must not reach a page: control characters, those that turn the direction of text, halves of surrogate pairs."""

BUILT_IN = "builtin"
"""Built-in templates are also called `builtin/NAME`, so that one that takes the place of another can extend it."""

HEAD = "head.html"
"""With it begins the head of every page: among other things it forbids the page to load or run anything."""

CLOSED = "default-src 'none'; style-src 'unsafe-inline'; font-src 'none'; base-uri 'none'; form-action 'none'"
"""What every page forbids itself; pages add which pictures they show and which script they run."""

ON_PAPER = "report-pdf.html"
"""It has no such head: what prints it loads nothing but what is in it."""

KNOWN = ("page", "at", "one_file", "version", "needs_contract")
"""What every page is filled with."""

CONTRACT = 1
"""Version of what templates may rely on, docs/templates.md: a higher one where a name is gone or means another."""


def find(package: Path = PACKAGE) -> Path:
    """The folder of the templates: inside the package, else beside it in a checkout. StoreError if in neither."""
    for folder in (package / "templates", package.parent / "templates"):
        if (folder / "report.html").is_file():
            return folder
    raise StoreError(f"no templates in {package} nor beside it: install deepvis-audit again")


def environment(own: Path | None = None) -> Environment:
    """Everything that is filled in is escaped; a name that does not exist is an error.

    Templates in the folder `own` take the place of built-in ones of their names.
    """
    return _built_in() if own is None else _environment(_loader(own))


def fill(name: str, own: Path | None = None, **context: Any) -> str:
    """The text of a template. TemplateError, with file and line, where one of the user's cannot be filled."""
    if own is None:
        return environment().get_template(name).render(**context)
    templates = environment(own)
    try:
        text = templates.get_template(name).render(**context)
        head = templates.get_template(HEAD).render(**context)
    except Exception as error:
        raise TemplateError(f"{_place(error, own)}: {reason(error, templates)}") from error
    if name != ON_PAPER and not _begins_with(head, text):
        raise TemplateError(
            f"{own / name}:1: a page begins with <!doctype html>, <html>, <head> and "
            f'{{% include "{HEAD}" %}}, which forbids it to load or run anything: put it there'
        )
    return text


def reason(error: Exception, templates: Environment) -> str:
    """What is wrong with a template, in a line."""
    match error:
        case TemplateNotFound():
            known = [name for name in templates.list_templates() if "/." not in f"/{name}"]
            return f'there is no template "{error.name}"{nearest(str(error.name), known)}'
        case RecursionError():
            return f"a template includes or extends itself; the built-in one is called {BUILT_IN}/NAME"
        case UnicodeDecodeError():
            return "is not UTF-8 text; save the file as UTF-8"
    return " ".join(str(getattr(error, "message", error)).split()) or type(error).__name__


def _begins_with(head: str, text: str) -> bool:
    before, found, _ = text.partition(head)
    return bool(found and re.fullmatch(r"\s*<!doctype html>\s*<html[^<>]*>\s*<head>\s*", before, re.IGNORECASE))


@cache
def _built_in() -> Environment:
    return _environment(FileSystemLoader(find(), encoding="utf-8"))


def _loader(own: Path) -> BaseLoader:
    built_in = FileSystemLoader(find(), encoding="utf-8")
    return ChoiceLoader([PrefixLoader({BUILT_IN: built_in}), FileSystemLoader(own, encoding="utf-8"), built_in])


def _environment(loader: BaseLoader) -> Environment:
    filled = Environment(
        loader=loader,
        autoescape=True,
        undefined=_Missing,
        finalize=readable,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filled.filters |= {"plural": plural, "in_script": in_script}
    filled.globals |= {"needs_contract": _needs_contract, "policy": Markup(f"{CLOSED}; img-src data:")}
    return filled


def in_script(json: str) -> Markup:
    """JSON that stands in a script element: nothing in it ends the element, or begins another."""
    return Markup(json.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


class _Missing(StrictUndefined):
    """A name that does not exist: an error that says which ones do."""

    @property
    def _undefined_message(self) -> str:
        name, of = str(self._undefined_name), self._undefined_obj
        if self._undefined_hint or not isinstance(self._undefined_name, str):
            return super()._undefined_message
        if of is missing:
            return f'there is no "{name}"{nearest(name, KNOWN)}'
        known = [one for one in dir(of) if not one.startswith("_")]
        return f'{getattr(of, "__name__", type(of).__name__)} has no "{name}"{nearest(name, known)}'


def _needs_contract(version: int) -> str:
    if version != CONTRACT:
        raise TemplateError(
            f"the template is made for version {version} of what a page holds, this is version {CONTRACT}: "
            "docs/templates.md says what has changed"
        )
    return ""


def _place(error: Exception, own: Path) -> str:
    """FILE:LINE of the user's template that fails, else of the built-in one in which something of the user's does."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename}:{error.lineno}"
    frames = list(_frames(error))
    mine = [frame for frame in frames if Path(frame[0]).is_relative_to(own)]
    file, line = (mine or frames or [(str(own), 1)])[0 if isinstance(error, RecursionError) else -1]
    return f"{file}:{line}"


def _frames(error: Exception) -> Iterator[tuple[str, int]]:
    for frame, line in walk_tb(error.__traceback__):
        if not frame.f_code.co_filename.endswith(".py"):
            yield frame.f_code.co_filename, line


def readable(value: object) -> object:
    """Untrusted text without characters that would garble the page; markup and numbers as they are."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", value)
    return value
