"""The plugins of an audit.toml, and the installed packages -> components by kind and name, each loaded when it is used.

A file or module that the audit names is run when the audit is read, and says what it brings (`audit.plugins`). An
installed package says it in its metadata, so that nothing of it is run before an audit names it.
"""

import hashlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from audit.errors import PluginError, nearest
from audit.importing import importable, module_of, sources_of_file, sources_of_module
from audit.registry.announcing import components
from audit.registry.built_in import COMPONENTS
from audit.registry.kinds import KINDS, OF_ANALYSES, RESERVED, space, wrong


@dataclass(frozen=True)
class Source:
    """A file or module of a plugin, as people call it, and what it is made of."""

    title: str
    find: Callable[[], tuple[Path, ...]] = field(repr=False)

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Every file whose change may change what its components do."""
        with suppress(Exception):  # a package that breaks when it is looked for says so when it is loaded
            return self.find()
        return ()

    @cached_property
    def digest(self) -> str:
        """Of the contents of all files."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(hashlib.sha256(file.read_bytes()).digest() if file.is_file() else b"missing")
        return digest.hexdigest()


@dataclass(frozen=True)
class Component:
    """Something that a plugin brings; `place` says where it is announced, `path` is its own as `module:Class`."""

    kind: str
    name: str
    place: str
    path: str
    source: Source
    obtain: Callable[[], Any] = field(repr=False)

    @cached_property
    def _loaded(self) -> Any:
        try:
            component = self.obtain()
            amiss = wrong(self.kind, self.name, component)
        except (Exception, SystemExit) as error:
            return PluginError(f"{blame(error, [self.source])} ({self.kind} {self.name} of {self.place})")
        return component if amiss is None else PluginError(f'{self.place}: the {self.kind} "{self.name}" {amiss}')

    def load(self) -> Any:
        """The class or function; PluginError, the same every time, where it cannot be had or is none of its kind."""
        if isinstance(self._loaded, PluginError):
            raise self._loaded
        return self._loaded


@dataclass(frozen=True)
class Mistake:
    """What is wrong with the entry of that index of `plugins`."""

    index: int
    message: str


class Plugins:
    """What one audit has beside the built-in components; nothing by default.

    `broken` are the reasons why files and modules that it names could not be run, `contested` says of a name, by the
    kinds that share it, that several installed packages, or one and the program itself, bring it.
    """

    def __init__(
        self,
        components: Sequence[Component] = (),
        broken: Mapping[int, PluginError] | None = None,
        contested: Mapping[tuple[str, str], str] | None = None,
    ):
        self.components = {(one.kind, one.name): one for one in components}
        self.broken = dict(broken or {})
        self._contested = dict(contested or {})
        self.excused = False  # whether something was asked for that one of the broken ones may bring

    def names(self, kind: str) -> list[str]:
        """Of every component of that kind."""
        return [name for of, name in self.components if of == kind]

    def excuse(self, kind: str, name: str) -> PluginError | None:
        """Why a name that nobody knows may be missing: a plugin that may bring it is broken."""
        if not self.broken:
            return None
        self.excused = True
        reasons = "\n".join(map(str, self.broken.values()))
        return PluginError(f'no {kind} "{name}", which may be in a plugin that is broken:\n{reasons}')

    def contested(self, kind: str, name: str) -> str | None:
        """That several bring it, and which; what is named so is not certain."""
        return self._contested.get((space(kind), name))

    def loaded(self, kind: str) -> list[str]:
        """Names of the components of that kind that were asked for and could be had."""
        ready = (one for one in self.components.values() if one.kind == kind and "_loaded" in vars(one))
        return [one.name for one in ready if not isinstance(one._loaded, PluginError)]

    @property
    def sources(self) -> list[Source]:
        """Of everything that is loaded."""
        loaded = [one for one in self.components.values() if "_loaded" in vars(one)]
        return list({one.source.title: one.source for one in loaded}.values())

    def place_of(self, component: object) -> str | None:
        """Where the component is announced; None where no plugin brought it."""
        return next((one.place for one in self.components.values() if vars(one).get("_loaded") is component), None)

    def blame(self, error: BaseException) -> PluginError | None:
        """An error that arose in a plugin, by its line and what it says; None where no plugin was at work."""
        sources = self.sources
        return PluginError(blame(error, sources)) if _frame(error, sources) else None


NONE = Plugins()


def gathered(listed: Sequence[tuple[int, str]], folder: Path) -> tuple[Plugins, list[Mistake]]:
    """The plugins of an audit in that folder that lists those files and modules, by index; and what is wrong."""
    found: dict[tuple[str, str], Component] = {}
    broken: dict[int, PluginError] = {}
    mistakes: list[Mistake] = []
    for index, name in listed:
        try:
            brought = _brought(name, folder)
        except LookupMistake as mistake:
            words = f'"{name}": {mistake}'
            mistakes.append(Mistake(index, words))
            broken[index] = PluginError(words)  # what it may bring is no further mistake
        except PluginError as error:
            broken[index] = error
        else:
            for one in brought:
                mistakes += [Mistake(index, amiss)] if (amiss := _taken(one, found)) else []
                found.setdefault((space(one.kind), one.name), one)
    installed, contested = _installed(found)
    return Plugins([*found.values(), *installed], broken, contested), mistakes


def _brought(name: str, folder: Path) -> list[Component]:
    """What a file or module announces; LookupMistake where there is none, PluginError where its code fails."""
    is_file = name.endswith(".py") or "/" in name
    path = (folder / name).absolute()
    source = Source(name, lambda: sources_of_file(path) if is_file else sources_of_module(name))
    try:
        module = _file(path) if is_file else _module(name)
    except LookupMistake:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"{blame(error, [source])}; repair it, or take {name} out of plugins") from error
    made = [_announced(source, *one) for one in components(module)]
    if not made:
        raise LookupMistake('announces nothing; mark what it brings, as audit.plugins does: @check("name")')
    return made


class LookupMistake(Exception):  # noqa: N818  # a mistake of audit.toml, which says it with its line
    """There is no such file or module, or it is no plugin."""


def _file(path: Path) -> ModuleType:
    if path.suffix != ".py":
        raise LookupMistake("is no Python file; name a .py file, or a module that can be imported")
    if not path.is_file():
        there = sorted(one.name for one in path.parent.glob("*.py")) if path.parent.is_dir() else []
        raise LookupMistake(f"no such file{nearest(path.name, there)}")
    with importable(path):
        return module_of(path)


def _module(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise LookupMistake("is no name of a module, as package.checks is, and no .py file, as checks.py is")
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise LookupMistake(
                f'no module "{error.name}" can be imported; install its package, or name a file: checks.py'
            ) from None
        raise


def _announced(source: Source, kind: str, name: str, component: Any) -> Component:
    place = source.title
    with suppress(Exception):
        place = f"{place}:{inspect.getsourcelines(component)[1]}"
    path = ":".join(str(getattr(component, part, "")) for part in ("__module__", "__qualname__"))
    return Component(kind, name, place, path, source, lambda: component)


def _taken(component: Component, found: Mapping[tuple[str, str], Component]) -> str | None:
    """Who else has the name; None if it is free."""
    kind, name = component.kind, component.name
    words = f'{component.place}: the name of the {kind} "{name}" is taken'
    if (other := found.get((space(kind), name))) is not None:
        return f"{words} by the {other.kind} of {other.place}; rename one of them"
    if (built_in := _built_in(kind, name)) is not None:
        return f"{words} by the {built_in} of that name that is built in; rename yours"
    return None


def _built_in(kind: str, name: str) -> str | None:
    """What has that name already and comes along: a kind of component, or a table that checks may need."""
    kinds = OF_ANALYSES if kind in OF_ANALYSES else (kind,)
    reserved = RESERVED.get((space(kind), name))
    return next((own for own in kinds if name in COMPONENTS.get(own, {})), reserved)


def _installed(found: Mapping[tuple[str, str], Component]) -> tuple[list[Component], dict[tuple[str, str], str]]:
    """What installed packages bring, none of it loaded, and what is said of names that are not theirs alone."""
    installed: dict[tuple[str, str], Component] = {}
    contested: dict[tuple[str, str], str] = {}
    for component in (_of_package(*announced) for announced in _entry_points(tuple(sys.path))):
        where = (space(component.kind), component.name)
        other = installed.get(where) or found.get(where)
        if other is None or (other.kind, other.path) != (component.kind, component.path):
            taken = _taken(component, {**found, **installed})
            if taken is None:
                installed[where] = component
            else:
                contested[where] = taken
    return list(installed.values()), contested


@lru_cache(maxsize=1)
def _entry_points(_: tuple[str, ...]) -> list[tuple[str, EntryPoint]]:
    """(kind, entry point) of the packages on that path, read once: that takes longer than to read an audit."""
    found = entry_points()
    return [(kind, point) for kind, of in KINDS.items() for point in found.select(group=of.group)]


def _of_package(kind: str, point: EntryPoint) -> Component:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else "an installed package"
    source = Source(point.module, lambda: sources_of_module(point.module))
    return Component(kind, point.name, f"{point.value} of {package}", point.value, source, point.load)


def blame(error: BaseException, sources: Sequence[Source]) -> str:
    """`audit_checks.py:7: ZeroDivisionError: division by zero`: the innermost line of these sources, if any."""
    words = f"{type(error).__name__}: {' '.join(str(error).split())[:500] or 'no message'}"
    place = _frame(error, sources)
    return f"{place}: {words}" if place else f"{sources[0].title}: {words}" if sources else words


def _frame(error: BaseException, sources: Sequence[Source]) -> str | None:
    """File and line of the innermost call that is in one of the files."""
    titles = {os.path.abspath(file): source.title for source in sources for file in source.files}
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append((error.filename, error.lineno))
    for name, line in reversed(frames):
        file = Path(os.path.abspath(name))
        if str(file) in titles:
            return f"{file.name if titles[str(file)].endswith('.py') else f'{file.parent.name}/{file.name}'}:{line}"
    return None
