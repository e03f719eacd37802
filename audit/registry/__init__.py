"""Name -> component, loaded when it is used: those that come along, and those of the plugins of the audit at hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

from audit.errors import nearest
from audit.registry.built_in import COMPONENTS
from audit.registry.kinds import OF_ANALYSES, TABLES, is_own
from audit.registry.plugins import NONE, Mistake, Plugins, gathered

__all__ = [
    "COMPONENTS",
    "OF_ANALYSES",
    "TABLES",
    "Mistake",
    "Plugins",
    "built_in",
    "digest",
    "gathered",
    "is_of_plugin",
    "is_own",
    "load",
    "names",
    "place",
    "plugins",
    "using",
]

_AT_HAND: ContextVar[Plugins] = ContextVar("plugins of the audit at hand", default=NONE)


@contextmanager
def using(plugins: Plugins) -> Iterator[None]:
    """Inside, names and components are those of an audit with these plugins; of two audits each has its own."""
    token = _AT_HAND.set(plugins)
    try:
        yield
    finally:
        _AT_HAND.reset(token)


def plugins() -> Plugins:
    """Those of the audit at hand; outside of `using` there are none."""
    return _AT_HAND.get()


def built_in(kind: str) -> list[str]:
    """Every component name of that kind that comes along."""
    return list(COMPONENTS.get(kind, {}))


def names(kind: str) -> list[str]:
    """Every component name of that kind ("check", "analysis", "regularizer", ...)."""
    return [*built_in(kind), *plugins().names(kind)]


def load(kind: str, name: str) -> Any:
    """The component class; LookupError, naming the nearest, if there is none of that name.

    PluginError for one of a plugin that cannot be had, and for a name that a broken plugin may bring.
    """
    if name in COMPONENTS.get(kind, {}):
        module, attribute = COMPONENTS[kind][name].split(":")
        return getattr(import_module(module), attribute)
    component = plugins().components.get((kind, name))
    if component is not None:
        return component.load()
    excuse = plugins().excuse(kind, name)
    if excuse is not None:
        raise excuse
    raise LookupError(f'no {kind} "{name}"{nearest(name, names(kind))}')


def is_of_plugin(kind: str, name: str) -> bool:
    """Whether a plugin of the audit at hand brings it."""
    return (kind, name) in plugins().components


def place(kind: str, name: str) -> str:
    """Where a plugin's component is announced, for messages."""
    return plugins().components[kind, name].place


def digest(kind: str, name: str) -> str:
    """Of the files of the plugin that brings it, so that what it made is made again when they change; else nothing."""
    component = plugins().components.get((kind, name))
    return component.source.digest if component else ""
