"""What commands say, and how they end."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

    from audit.plan import Prepared


def prepared(file: Path) -> "Prepared":
    from audit.gate.validation import prepared_audit

    with waiting(f"{file.name}: loading the models ..."):
        return prepared_audit(Path(os.path.abspath(file)))


@contextmanager
def ending(code: int) -> Iterator[None]:
    """Ends with that code, and the reason, where the user can do something about it."""
    from audit.errors import AuditError
    from audit.gate.text import printable

    try:
        yield
    except AuditError as error:
        typer.echo(printable(str(error)), err=True)
        raise typer.Exit(code) from None
    except KeyboardInterrupt:
        typer.echo("interrupted; what is finished is kept, and the same command goes on", err=True)
        raise typer.Exit(2) from None


def show(shown: "RenderableType") -> None:
    from rich.console import Console

    Console(soft_wrap=False, highlight=False).print(shown)


def show_files(files: Iterable[Path]) -> None:
    for file in files:
        say(file)


def say(what: object) -> None:
    """A line of which no name of a stranger's makes more."""
    from audit.gate.text import printable

    typer.echo(printable(str(what)))


def complain(text: str) -> None:
    from audit.gate.text import printable

    typer.echo(printable(text), err=True)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Says what takes time, as long as it does, to someone who watches."""
    watched = sys.stderr.isatty() and not os.environ.get("CI")
    if watched:
        typer.echo(text, err=True, nl=False)
    try:
        yield
    finally:
        if watched:
            typer.echo("\r\x1b[2K", err=True, nl=False)
