"""The name of a factory in audit.toml -> what it makes. This runs code of the user's own, and only what is named."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

from audit.errors import SectionError, nearest
from audit.importing import importable, module_of


def made(factory: str, arguments: Mapping[str, Any], folder: Path) -> object:
    """What `package.module:function` or `file.py:function` (the file relative to `folder`) returns for `arguments`.

    A file can be loaded many times, and can import the files beside it. Raises SectionError("factory") for a name that
    is not there or code that fails, and SectionError("arguments") where the arguments do not fit or are refused.
    """
    where, _, name = factory.rpartition(":")
    if not where or not name:
        raise SectionError(
            "factory", f'"{factory}" names no function; write package.module:function or file.py:function'
        )
    if not where.endswith(".py"):
        return _called(factory, _attribute(_module(where), where, name), arguments)
    with importable(folder / where):
        return _called(factory, _attribute(_file(folder / where), where, name), arguments)


def failed(what: str, error: Exception) -> str:
    """`what` and the words of the error, on one line."""
    return f"{what} failed: {type(error).__name__}: {' '.join(str(error).split())[:500] or 'no message'}"


def neighbours(path: Path, *endings: str) -> str:
    """The nearest name beside a file that does not exist, among those of these endings."""
    if not path.parent.is_dir():
        return f'; there is no folder "{path.parent.name}" either'
    return nearest(path.name, sorted(there.name for there in path.parent.iterdir() if there.suffix in endings))


def _called(name: str, factory: object, arguments: Mapping[str, Any]) -> object:
    if not callable(factory):
        raise SectionError("factory", f'"{name}" is a {type(factory).__name__}, not a function')
    _refuse_unknown(name, factory, arguments)
    try:
        return factory(**arguments)
    except Exception as error:
        raise SectionError("arguments" if arguments else "factory", failed(name, error)) from error


def _refuse_unknown(name: str, factory: Callable[..., object], arguments: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(factory)
    except ValueError:  # a builtin without one finds it out by itself
        return
    try:
        signature.bind(**arguments)
    except TypeError as error:
        takes = ", ".join(map(str, signature.parameters.values())) or "none"
        raise SectionError("arguments", f'"{name}": {error}; it takes: {takes}') from error


def _attribute(module: ModuleType, where: str, name: str) -> Any:
    try:
        return reduce(getattr, name.split("."), module)
    except AttributeError as error:
        there_is = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise SectionError("factory", f'no "{name}" in {where}{nearest(name, there_is)}') from error


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise SectionError("factory", failed(f"import {name}", error)) from error


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise SectionError("factory", f'no file "{path.name}"{neighbours(path, ".py")}')
    try:
        return module_of(path)
    except Exception as error:
        raise SectionError("factory", failed(f"import {path.name}", error)) from error
