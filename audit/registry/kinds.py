"""The kinds of components: where installed packages announce them, and what one of a plugin has to be."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, get_args

EVIDENCE = "audit.checks.evidence"


@dataclass(frozen=True)
class Kind:
    """`group` of entry points; the class `base` that it has to be made of, or else what it `has`, if anything."""

    group: str
    base: str = ""
    has: tuple[str, ...] = ()


KINDS = {
    "check": Kind("deepvis_audit.checks", base=f"{EVIDENCE}:Check"),
    "analysis": Kind("deepvis_audit.analyses", has=("needs_data", "run")),
    "overview": Kind("deepvis_audit.overviews", has=("run", "said")),
    "statistic": Kind("deepvis_audit.statistics"),
    "regularizer": Kind("deepvis_audit.regularizers", base="audit.ascent.regularizers:Regularizer"),
    "transform": Kind("deepvis_audit.transforms", base="audit.ascent.transforms:Transform"),
    "parametrization": Kind("deepvis_audit.parametrizations", base="audit.ascent.parametrizations:Parametrization"),
    "renderer": Kind("deepvis_audit.renderers"),
}
"""What a plugin may bring."""

OF_ANALYSES = ("statistic", "study", "analysis", "overview")
"""Kinds that `analyses` of [[layers]] names, so that a name is of one of them only."""

TABLES = (
    *("predictions", "attributes", "parameters", "normalisations"),
    *("preprocessing", "noise", "flicker", "adversarial"),
)
"""What a check may need that is no statistic of a layer."""

RESERVED = {("check", "defaults"): "word", **{("analysis", table): "table" for table in TABLES}}
"""Names that are no component's, and what they are, by the kinds that share theirs."""


def space(kind: str) -> str:
    """Kinds of one space share their names."""
    return "analysis" if kind in OF_ANALYSES else kind


def is_own(component: str, name: str) -> bool:
    """Whether something that is measured is called by the name of what measures it: marks, marks_low."""
    own = component.replace("-", "_")
    return re.fullmatch(rf"{re.escape(own)}(_[A-Za-z0-9._]+)?", name) is not None


def wrong(kind: str, name: str, component: Any) -> str | None:
    """What the component is not that one of its kind has to be; None where nothing is wrong."""
    return next(_wrong(KINDS[kind], kind, name, component), None)


def _wrong(needed: Kind, kind: str, name: str, component: Any) -> Iterator[str]:
    if needed.base:
        base = _object(needed.base)
        if not _is_made_of(component, base):
            yield f"is a {_what(component)}; a {kind} is a class made of {base.__name__}: class Mine({base.__name__})"
        elif inspect.isabstract(component):
            yield f"has no method {', '.join(sorted(component.__abstractmethods__))}"
        else:
            yield from _check_wrong(component) if kind == "check" else _field_wrong(kind, name, component)
    elif not callable(component) or isinstance(component, type) != bool(needed.has):
        yield f"is a {_what(component)}; it has to be a {'class' if needed.has else 'function'}"
    elif missing := [part for part in needed.has if not hasattr(component, part)]:
        yield f"has no {' and '.join(missing)}; an {kind} has {' and '.join(needed.has)}"


def _is_made_of(component: Any, base: type) -> bool:
    return isinstance(component, type) and issubclass(component, base)


def _check_wrong(check: Any) -> Iterator[str]:
    places = get_args(_object(f"{EVIDENCE}:Place"))
    if getattr(check, "looks_at", None) not in places:
        yield f"needs looks_at: ClassVar = one of {', '.join(map(repr, places))}"
    needs = getattr(check, "needs", None)
    if not isinstance(needs, tuple) or not all(isinstance(need, str) for need in needs):
        yield 'needs a tuple of names, needs: ClassVar = ("activations",); () if it needs nothing of the pass'


def _field_wrong(kind: str, name: str, component: Any) -> Iterator[str]:
    field = component.model_fields.get(kind)
    if field is None or field.default != name:
        yield f'needs the field {kind}: Literal["{name}"] = "{name}", by which presets name it'


def _object(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def _what(component: Any) -> str:
    if isinstance(component, type):
        return f"class made of {component.__bases__[0].__name__}"
    return "function" if inspect.isroutine(component) else type(component).__name__
