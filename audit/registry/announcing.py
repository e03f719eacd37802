"""What marks a component of a plugin with its kind and name, and what finds the marked ones of a module."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
MARK = "__deepvis_audit__"


def announced(kind: str, name: str) -> Callable[[T], T]:
    """A decorator: the class or function is the component of that kind and name wherever its module is a plugin."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f'write @{kind}("name"), with a name of letters, digits, ".", "_", "+" and "-"; not {name!r}')

    def mark(component: T) -> T:
        setattr(component, MARK, (*_marks(component), (kind, name)))
        return component

    return mark


def components(module: ModuleType) -> Iterator[tuple[str, str, Any]]:
    """(kind, name, component) of everything that is marked in a module, in the order of its names, each once."""
    found: dict[tuple[str, str, int], Any] = {}
    for component in list(vars(module).values()):
        for kind, name in _marks(component):
            found.setdefault((kind, name, id(component)), component)
    return ((kind, name, component) for (kind, name, _), component in found.items())


def _marks(component: object) -> tuple[tuple[str, str], ...]:
    """Its own marks; a class made of a marked one is another component."""
    own: dict[str, Any] = {}
    with suppress(Exception):  # whatever a stranger's object makes of being looked at
        own = vars(component)
    return own.get(MARK, ()) if isinstance(own.get(MARK, ()), tuple) else ()
