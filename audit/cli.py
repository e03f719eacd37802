"""deepvis-audit on the command line: commands, text and exit codes. The only module that prints or exits."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

import audit

app = typer.Typer(
    help="pytest for trained vision checkpoints: what has it learned, and what is wrong with it?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """The console script."""
    app()


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    report: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write reports there instead of [audit] report.")
    ] = None,
) -> None:
    """Audit the models of a file: deepvis-audit run [audit.toml] [PYTEST OPTIONS].

    Without a file, audit.toml in this folder. What is not an option of ours goes to pytest: -k dead-units, -x, --lf,
    -v, --collect-only, --junitxml=FILE, or an item's id (audit.toml::demo::conv1). Exit codes are pytest's: 0 all
    passed, 1 something did not pass or was not evaluated, 2 interrupted, 4 the file is wrong, 5 nothing was selected.
    """
    import pytest

    from audit.gate.validation import DEFAULT, Validation, names_a_file

    arguments = [*context.args, *([f"--audit-report={report}"] if report else [])]
    if not any(map(names_a_file, context.args)):
        arguments.insert(0, DEFAULT)
    # the plugin is named for users who switch pytest's automatic loading of plugins off
    raise typer.Exit(pytest.main(["-p", "deepvis_audit", *arguments], plugins=[Validation(_complain, _waiting)]))


@app.command()
def render(folder: Annotated[Path, typer.Argument(help="A run's folder: reports/MODEL/latest.")]) -> None:
    """Make report.html and report.pdf again from a stored run; neither model nor torch is needed."""
    from audit.errors import AuditError
    from audit.render import html, pdf

    try:
        typer.echo(html.render(folder))
        typer.echo(pdf.render(folder))
    except AuditError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None


@app.command()
def schema() -> None:
    """Print the JSON Schema of audit.toml, for editors."""
    from audit.config import schema_text

    typer.echo(schema_text(), nl=False)


@app.command(name="version")
def version_() -> None:
    """Print the version."""
    typer.echo(f"deepvis-audit {audit.__version__}")


def _complain(text: str) -> None:
    typer.echo(text, err=True)


@contextmanager
def _waiting(text: str) -> Iterator[None]:
    """Says what takes time, as long as it does, to someone who watches."""
    watched = sys.stderr.isatty() and not os.environ.get("CI")
    if watched:
        typer.echo(text, err=True, nl=False)
    try:
        yield
    finally:
        if watched:
            typer.echo("\r\x1b[2K", err=True, nl=False)
