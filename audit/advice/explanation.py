"""The name of a check, an analysis, a preset, a status ... -> what it is, from its docstring, fields and page.

There is one source of each sentence: what a component measures and after whom stands in its docstring, its options in
its fields, what a failure means and what to do about it on its page, which the package brings along.
"""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any, get_args

from pydantic_core import PydanticUndefined

from audit import registry
from audit.advice.pages import page, plain, row, sections
from audit.errors import AuditError, nearest
from audit.records import Outcome

PICTURED = ("statistic", "study", "analysis", "overview")
PARTS = ("regularizer", "transform", "parametrization")
TITLES = {
    "check": "Checks, of [[checks]]",
    **dict.fromkeys(PICTURED, "Analyses, of [[layers]]"),
    "preset": "Presets of optimized images, of [[layers]]",
    "regularizer": "Regularizers of a preset",
    "transform": "Transforms of a preset",
    "parametrization": "Parametrizations of a preset",
    "status": "Statuses of an item",
}


def known() -> dict[str, list[tuple[str, str]]]:
    """Title -> (name, one line) of everything that can be explained."""
    found: dict[str, list[tuple[str, str]]] = {}
    for kind, name in _names():
        found.setdefault(TITLES[kind], []).append((name, _line(kind, name)))
    return found


def explained(name: str) -> str:
    """What there is to say of a name, as Markdown; AuditError, naming the nearest, if nothing is called so.

    A name that two kinds of things have is explained as both.
    """
    kinds = [kind for kind, other in _names() if other == name]
    if not kinds:
        raise AuditError(f'nothing is called "{name}"{nearest(name, [other for _, other in _names()])}')
    return "\n\n".join(part for kind in kinds for part in _parts(kind, name) if part) + "\n"


def _names() -> Iterator[tuple[str, str]]:
    for kind in ("check", *PICTURED):
        yield from ((kind, name) for name in registry.names(kind))
    yield from (("preset", name) for name in _presets().BUILT_IN)
    for kind in PARTS:
        yield from ((kind, name) for name in registry.names(kind))
    yield from (("status", name) for name in get_args(Outcome))


def _presets() -> Any:
    return import_module("audit.ascent.presets")


def _line(kind: str, name: str) -> str:
    """The first sentence."""
    if kind == "preset":
        return str(_presets().label(_presets().BUILT_IN[name]))
    if kind == "status":
        return next(iter(list(row(page("report.md"), name).values())[1:]), "")
    return _sentence(kind, name)


def _sentence(kind: str, name: str) -> str:
    text = " ".join((inspect.getdoc(registry.load(kind, name)) or "").partition("\n\n")[0].split())
    return re.split(r"(?<=[.:]) (?=[A-Z])", text)[0]


def _parts(kind: str, name: str) -> Iterator[str]:
    yield f"# {name}"
    match kind:
        case "check":
            yield from _of_check(name)
        case "preset":
            yield from _of_preset(name)
        case "status":
            yield _line(kind, name)
        case _ if kind in PICTURED:
            yield from _of_analysis(kind, name)
        case _:
            component = registry.load(kind, name)
            yield _doc(component)
            yield _options(component, leave_out=kind)
            yield from (f"{head}: {cell}" for head, cell in list(row(page("presets.md"), name).items())[1:])


def _of_check(name: str) -> Iterator[str]:
    check = registry.load("check", name)
    yield _doc(check)
    by_default = "yes" if check.by_default else "no: only where [[checks]] names it"
    yield f"Looks at: {check.looks_at}. Needs: {', '.join(check.needs)}. Judged by default: {by_default}."
    yield _options(check)
    told = sections(page(f"checks/{name}.md"))
    yield from (f"## {heading}\n\n{text}" for heading, text in told.items())


def _of_analysis(kind: str, name: str) -> Iterator[str]:
    yield _doc(registry.load(kind, name))
    yield sections(page("analyses.md")).get(name, "")


def _of_preset(name: str) -> Iterator[str]:
    yield _line("preset", name)
    facts = row(page("presets.md"), name)
    yield from (f"{column}: {facts[column]}." for column in ("what it favours", "what it shows") if facts.get(column))
    yield sections(page("presets.md")).get("The update rule", "")


def _doc(component: Any) -> str:
    return plain(inspect.getdoc(component) or "")


def _options(component: Any, leave_out: str = "") -> str:
    """A list of the fields: default, meaning."""
    fields = {name: info for name, info in component.model_fields.items() if name != leave_out}
    lines = [f"- `{name}` ({_default(info)}): {info.description or ''}" for name, info in fields.items()]
    return "\n".join(lines) if lines else "No options."


def _default(info: Any) -> str:
    if info.is_required() or info.default is PydanticUndefined:
        return "required"
    return "left out" if info.default is None else f"default {info.default}"
