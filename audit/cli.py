"""deepvis-audit on the command line: commands, text and exit codes. The only module that prints or exits."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import audit
from audit.advice import completion

if TYPE_CHECKING:
    from rich.table import Table

    from audit.plan import Prepared

app = typer.Typer(
    help="pytest for trained vision checkpoints: what has it learned, and what is wrong with it?",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """The console script."""
    app()


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    asked: Annotated[
        list[str] | None, typer.Argument(metavar="[AUDIT.TOML] [PYTEST OPTIONS]", autocompletion=completion.items)
    ] = None,
    *,
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

    asked = asked or []
    arguments = [*asked, *([f"--audit-report={report}"] if report else [])]
    if not any(map(names_a_file, asked)):
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


AUDIT = typer.Argument(
    metavar="AUDIT.TOML", help="The audit; audit.toml in this folder by default.", autocompletion=completion.files
)
MODEL = typer.Option(
    metavar="NAME", help="Of which model, where the file has several.", autocompletion=completion.models
)
LAYER = typer.Option(
    metavar="NAME",
    help="Of which layer; all that [[layers]] wants optimized images of by default.",
    autocompletion=completion.layers,
)
UNITS = typer.Option(metavar="UNITS", help="1,5 or 0-15 or random:8 or all; what [[layers]] says by default.")
STEPS = typer.Option(min=1, metavar="N", help="Cut all settings to so many steps.")


@app.command()
def search(
    file: Annotated[Path, AUDIT] = Path("audit.toml"),
    *,
    model: Annotated[str | None, MODEL] = None,
    layer: Annotated[str | None, LAYER] = None,
    units: Annotated[str | None, UNITS] = None,
    draws: Annotated[int, typer.Option(min=4, metavar="N", help="How many random settings.")] = 300,
    seeds: Annotated[int, typer.Option(min=1, metavar="N", help="Start images per unit and setting.")] = 2,
    steps: Annotated[int | None, STEPS] = None,
    second: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Another model of the file, which is to recognise the classes.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write there instead of REPORTS/MODEL/search.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Put the four presets into AUDIT.TOML.")] = False,
) -> None:
    """Try random settings of the optimized images; find four good ones that complement each other.

    Exit codes: 0 found, 1 something failed, 2 interrupted (the same command goes on), 4 the file or an
    argument is wrong.
    """
    from audit.search import command

    wish = command.Wish(model, layer, units, second)
    with _ending(4):
        asked = command.asked(_prepared(file), wish)
    with _ending(1), command.Bar() as bar:
        found = command.search(asked, draws, seeds, steps, bar)
    with _ending(1):
        _show(command.table(found))
        typer.echo(f"\n{command.presets(found)}")
        _show_files(command.publish_search(found, asked, output))
        if write:
            command.write(found, asked)
            typer.echo(f"{file}: found-1 to found-4 are written")


@app.command()
def sweep(
    file: Annotated[Path, AUDIT] = Path("audit.toml"),
    *,
    model: Annotated[str | None, MODEL] = None,
    layer: Annotated[str | None, LAYER] = None,
    units: Annotated[str | None, UNITS] = None,
    steps: Annotated[int | None, STEPS] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write there instead of REPORTS/MODEL/sweep.")
    ] = None,
) -> None:
    """Show what each regularizer does to optimized images by itself, from none to too strong.

    Exit codes as those of search.
    """
    from audit.search import command

    with _ending(4):
        asked = command.asked(_prepared(file), command.Wish(model, layer, units))
    with _ending(1), command.Bar() as bar:
        swept = command.sweep(asked, steps, bar)
    with _ending(1):
        _show_files(command.publish_sweep(swept, asked, output))


@app.command()
def init(
    target: Annotated[
        str | None,
        typer.Argument(metavar="CHECKPOINT|FACTORY", help="model.pth, torchvision:resnet18, file.py:function ..."),
    ] = None,
    *,
    data: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Pictures: a folder, class folders, a CSV list, tar shards.")
    ] = None,
    factory: Annotated[
        str | None, typer.Option(metavar="NAME", help="What makes the checkpoint's network, if not torchvision.")
    ] = None,
    argument: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="An argument of the factory; may be repeated.")
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="KEY", help="Where the state dict is in the checkpoint.")] = None,
    output: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.")] = Path("audit.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Look at a checkpoint or a factory and write a first audit.toml.

    A factory is code and is run. Exit codes: 0 written, 1 something could not be guessed or written.
    """
    from audit.advice.first import Given, first_audit
    from audit.gate.text import printable

    given = Given(target, data, factory, tuple(argument or ()), key)
    with _ending(1), _waiting("looking at the model ..."):
        draft = first_audit(given, output, force)
    typer.echo(printable(f"{output} is written: {draft.sure}"))
    for unknown in draft.unknown:
        typer.echo(printable(f"not known: {unknown}"))


@app.command()
def doctor(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="AUDIT.TOML", help="Also say what of it will be slow.", autocompletion=completion.files),
    ] = None,
) -> None:
    """Say what of this machine is ok, slow or broken for audits, and what to do. Nothing is sent anywhere.

    Exit codes: 0 nothing is broken, 1 something is.
    """
    from audit.advice import doctor as advice

    with _ending(1), _waiting("looking at this machine ..."):
        found = advice.diagnosis(file)
    _show(advice.table(found))
    if any(symptom.state == "broken" for symptom in found):
        raise typer.Exit(1)


@app.command()
def explain(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A check, an analysis, a preset, a status, a regularizer ...",
            autocompletion=completion.components,
        ),
    ] = None,
) -> None:
    """Say what a check measures, its options and limits, and what to do when it fails; without a name, list all.

    Exit codes: 0 explained, 1 nothing is called so.
    """
    from audit.advice.explanation import explained, known

    with _ending(1):
        if name is not None:
            typer.echo(explained(name), nl=False)
            return
        for title, lines in known().items():
            typer.echo(f"{title}:")
            width = max(len(one) for one, _ in lines)
            for one, line in lines:
                typer.echo(f"  {one:{width}}  {line}")
            typer.echo()


@app.command()
def schema() -> None:
    """Print the JSON Schema of audit.toml, for editors."""
    from audit.config import schema_text

    typer.echo(schema_text(), nl=False)


@app.command(name="version")
def version_() -> None:
    """Print the version."""
    typer.echo(f"deepvis-audit {audit.__version__}")


def _prepared(file: Path) -> "Prepared":
    from audit.gate.validation import prepared_audit

    with _waiting(f"{file.name}: loading the models ..."):
        return prepared_audit(Path(os.path.abspath(file)))


@contextmanager
def _ending(code: int) -> Iterator[None]:
    """Ends with that code, and the reason, where the user can do something about it."""
    from audit.errors import AuditError
    from audit.gate.text import printable

    try:
        yield
    except AuditError as error:
        typer.echo(printable(str(error)), err=True)
        raise typer.Exit(code) from None
    except KeyboardInterrupt:
        typer.echo("interrupted; the settings that are finished are kept, and the same command goes on", err=True)
        raise typer.Exit(2) from None


def _show(table: "Table") -> None:
    from rich.console import Console

    Console(soft_wrap=False, highlight=False).print(table)


def _show_files(files: Iterable[Path]) -> None:
    for file in files:
        typer.echo(file)


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
