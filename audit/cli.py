"""deepvis-audit on the command line: commands, text and exit codes. The only module that prints or exits."""

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

USAGE = 4


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

    Without a file, audit.toml in this folder. What is not an option of ours goes to pytest: -k dead-units, -x, --lf, -v,
    --collect-only, --junitxml=FILE, or an item's id (audit.toml::demo::conv1). Exit codes are pytest's: 0 all passed,
    1 something did not pass or was not evaluated, 2 interrupted, 4 the file is wrong, 5 nothing was selected.
    """
    from audit.errors import AuditError

    arguments = _with_file(context.args)
    try:
        prepared = {file: _prepared(file) for file in _files(arguments)}
    except AuditError as error:
        typer.echo(error, err=True)
        raise typer.Exit(USAGE) from None
    raise typer.Exit(_pytest(arguments + ([f"--audit-report={report}"] if report else []), prepared))


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


def _with_file(arguments: list[str]) -> list[str]:
    """The arguments, with audit.toml where no file is named."""
    return arguments if any(_file(argument) for argument in arguments) else ["audit.toml", *arguments]


def _files(arguments: list[str]) -> list[Path]:
    return list(dict.fromkeys(file for argument in arguments if (file := _file(argument))))


def _file(argument: str) -> Path | None:
    """The audit file that an argument names, alone or as the head of an id."""
    head = argument.partition("::")[0]
    return Path(head) if head.endswith(".toml") and not head.startswith("-") else None


def _prepared(file: Path) -> object:
    from audit.plan import prepare

    return prepare(file.absolute())


def _pytest(arguments: list[str], prepared: dict[Path, object]) -> int:
    import pytest

    from audit.gate import plugin

    class Handover:
        """Gives the audits that were just validated to the plugin, so that nothing is loaded twice."""

        def pytest_configure(self, config: pytest.Config) -> None:
            config.stash[plugin.PREPARED] = {file.absolute(): audit for file, audit in prepared.items()}  # type: ignore[misc]
            if not config.pluginmanager.has_plugin("deepvis_audit") and not config.pluginmanager.is_registered(plugin):
                config.pluginmanager.register(plugin, "deepvis_audit")

    # what we import before pytest starts has no asserts to rewrite
    return int(pytest.main(["-W", "ignore::pytest.PytestAssertRewriteWarning", *arguments], plugins=[Handover()]))
