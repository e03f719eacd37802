"""What `deepvis-audit init` was given -> an audit.toml that loads, written where nothing is overwritten."""

import os
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.advice.draft import Asked, Draft, drafted
from audit.advice.pictures import pictures_at
from audit.errors import AuditError, ConfigError, nearest
from audit.model.checkpoint import ENDINGS
from audit.plan import prepare


@dataclass(frozen=True)
class Given:
    """The command line of `init`: a checkpoint or a factory, and what else is known."""

    target: str | None = None
    data: Path | None = None
    factory: str | None = None
    arguments: tuple[str, ...] = ()
    key: str | None = None


def first_audit(given: Given, output: Path, force: bool = False) -> Draft:
    """Writes `output` and returns what it holds; AuditError, saying what to give, where something cannot be guessed."""
    if output.exists() and not force:
        raise AuditError(f'"{output}" is there already and stays as it is; name another --output, or give --force')
    if not output.absolute().parent.is_dir():
        raise AuditError(f'there is no folder "{output.absolute().parent}" for "{output.name}"; make it first')
    checkpoint, named = _target(given.target, given.factory)
    asked = Asked(
        checkpoint,
        named,
        dict(map(_argument, given.arguments)),
        given.key,
        None if given.data is None else pictures_at(given.data),
        output.absolute().parent,
    )
    draft = drafted(asked)
    _write(draft.text, output, force)
    return draft


def _target(target: str | None, factory: str | None) -> tuple[Path | None, str | None]:
    """The checkpoint and the factory that were named; the one checkpoint of this folder where none was."""
    if target is None:
        return (None if factory else _only_checkpoint(Path())), factory
    if Path(target).is_file() and not target.endswith(".py"):
        return Path(target), factory
    if ":" in target:
        if factory is not None:
            raise AuditError(f'two factories were given, "{target}" and "{factory}"; keep one')
        return None, target
    near = nearest(Path(target).name, [path.name for path in _checkpoints(Path(target).absolute().parent)])
    raise AuditError(f'no file "{target}"{near}, and no factory either: these have a colon, as torchvision:resnet18')


def _only_checkpoint(folder: Path) -> Path:
    found = _checkpoints(folder)
    if len(found) != 1:
        names = ", ".join(path.name for path in found[:6]) or "none"
        raise AuditError(
            f"name a checkpoint or a factory: deepvis-audit init model.pth, or init torchvision:resnet18; the "
            f"checkpoints in this folder: {names}"
        )
    return found[0]


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix in ENDINGS) if folder.is_dir() else []


def _argument(text: str) -> tuple[str, Any]:
    """NAME=VALUE: a value of TOML, or else a text."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise AuditError(f"--argument {text}: write NAME=VALUE, as in --argument depth=20")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


def _write(text: str, output: Path, force: bool) -> None:
    """Puts a text into its place once it has been read as a run would; another's file is never lost on the way."""
    descriptor, name = tempfile.mkstemp(prefix=".init-", suffix=".toml", dir=output.absolute().parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        prepare(draft)
        draft.chmod(0o644)
        if force:
            draft.replace(output)
        else:
            os.link(draft, output)
    except ConfigError as error:
        said = "\n".join(f"  {problem.message}" for problem in error.problems)
        raise AuditError(f"no {output.name} was written, because it would not be right:\n{said}") from error
    except FileExistsError:
        raise AuditError(f'"{output}" has come to be there meanwhile, and stays as it is') from None
    except OSError as error:
        raise AuditError(f'cannot write "{output}": {error.strerror or error}') from error
    finally:
        draft.unlink(missing_ok=True)
