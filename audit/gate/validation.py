"""The audit files that a command line of pytest names -> valid audits, before pytest collects anything."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from audit.errors import AuditError, ConfigError, nearest
from audit.gate.plugin import PREPARED
from audit.gate.text import printable

if TYPE_CHECKING:
    from audit.plan import Prepared

DEFAULT = "audit.toml"


class Validation:
    """A plugin of `deepvis-audit run`: what is wrong with the files is said at once, and pytest's session not begun."""

    def __init__(self, say: Callable[[str], None], waiting: Callable[[str], AbstractContextManager[None]]):
        self.say, self.waiting = say, waiting

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int | None:
        """A usage error for wrong files; right ones are handed over, so that nothing is loaded twice."""
        prepared: dict[Path, Prepared] = {}
        wrong = []
        for file in _named(config):
            try:
                with self.waiting(f"{file.name}: loading the models ..."):
                    prepared[file] = prepared_audit(file)
            except AuditError as error:
                wrong.append(printable(str(error)))
        if wrong:
            self.say("\n".join(wrong))
            return pytest.ExitCode.USAGE_ERROR
        config.stash[PREPARED] = prepared
        return None


def names_a_file(argument: str) -> bool:
    """Whether an argument looks like an audit file, an id inside of one, or a folder with one."""
    head = argument.partition("::")[0]
    return not head.startswith("-") and (head.endswith(".toml") or Path(head, DEFAULT).is_file())


def _named(config: pytest.Config) -> Iterator[Path]:
    """Every audit file among the arguments, once; audit.toml of a folder, and of this one where nothing is named."""
    if config.args_source is not config.ArgsSource.ARGS:
        config.args, config.args_source = [DEFAULT], config.ArgsSource.ARGS
    config.args = [os.path.join(name, DEFAULT) if Path(name).is_dir() else name for name in config.args]
    heads = dict.fromkeys(argument.partition("::")[0] for argument in config.args)
    return (Path(os.path.abspath(head)) for head in heads if head.endswith(".toml"))


def prepared_audit(file: Path) -> "Prepared":
    """The audit in a file; AuditError where there is none, ConfigError with paths as they are seen from here."""
    if not file.is_file():
        near = nearest(file.name, sorted(path.name for path in file.parent.glob("*.toml")))
        raise AuditError(f'no file "{file.name}" in {file.parent}{near or "; name the file to audit"}')
    from audit.plan import prepare

    try:
        return prepare(file)
    except ConfigError as error:
        raise error.seen_from(Path.cwd()) from None
