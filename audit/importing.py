"""A user's own Python file -> its module; a file can be loaded many times, and can import the files beside it."""

import ast
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

OWN = "audit_file_"
"""How the names of modules begin that are files of users."""


def module_of(path: Path) -> ModuleType:
    """The module that a file makes, run anew; whatever its code raises."""
    name = OWN + hashlib.sha256(bytes(path.resolve())).hexdigest()[:16]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up
    try:
        spec.loader.exec_module(module)
    finally:
        _without_bytecode(module)
    return module


@contextmanager
def importable(path: Path) -> Iterator[None]:
    """Inside, the file can import its neighbours; after it they are forgotten, for two files may have "blocks"."""
    folder = str(path.parent.resolve())
    before = set(sys.modules)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        new = set(sys.modules) - before
        for name in [name for name in new if _lies_in(sys.modules.get(name.partition(".")[0]), folder)]:
            _without_bytecode(sys.modules.pop(name))
        importlib.invalidate_caches()


def _without_bytecode(module: ModuleType) -> None:
    """Forgets what Python kept of a file: a change of equal size within a second would be none to it."""
    kept = getattr(module.__spec__, "cached", None)
    if kept is not None:
        with suppress(OSError):
            Path(kept).unlink(missing_ok=True)


def _lies_in(package: ModuleType | None, folder: str) -> bool:
    file = getattr(package, "__file__", None)
    if file is None or getattr(package, "__name__", "").startswith(OWN):
        return False
    place = Path(file).resolve()
    return str(place.parent if place.name != "__init__.py" else place.parent.parent) == folder


def sources_of_file(path: Path) -> tuple[Path, ...]:
    """The file and those beside it that it imports, and that they import; of a package all of its files.

    Read from the text, so that it does not matter what is imported already.
    """
    found: dict[Path, None] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found[file] = None
            waiting += [source for name in _imported(file) for source in _beside(path.parent, name)]
    return tuple(sorted(found))


def sources_of_module(name: str) -> tuple[Path, ...]:
    """Every file of the package that an importable module is of, or its one file; nothing where it has none."""
    spec = importlib.util.find_spec(name.partition(".")[0])
    if spec is None:
        return ()
    if spec.submodule_search_locations:
        return tuple(sorted(file for place in spec.submodule_search_locations for file in Path(place).rglob("*.py")))
    return (Path(spec.origin),) if spec.has_location and spec.origin else ()


def _imported(file: Path) -> set[str]:
    """The first names of what a file imports; none where it is no Python."""
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return set()
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    of = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in plain | of}


def _beside(folder: Path, name: str) -> list[Path]:
    if (folder / name).is_dir():
        return sorted((folder / name).rglob("*.py"))
    return [folder / f"{name}.py"] if (folder / f"{name}.py").is_file() else []
