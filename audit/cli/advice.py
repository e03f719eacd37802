"""A first audit.toml, the machine, explanations, schemas."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import audit
from audit.advice import completion
from audit.cli.app import app
from audit.cli.said import ending, show, waiting


class Schema(StrEnum):
    """What has a published schema."""

    AUDIT = "audit"
    RESULTS = "results"


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
    with ending(1), waiting("looking at the model ..."):
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

    with ending(1), waiting("looking at this machine ..."):
        found = advice.diagnosis(file)
    show(advice.table(found))
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

    with ending(1):
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
def schema(
    of: Annotated[
        Schema, typer.Option(help="Of audit.toml, for editors, or of a run's results.json, for who reads it.")
    ] = Schema.AUDIT,
) -> None:
    """Print a JSON Schema."""
    from audit import config
    from audit.store import schema as of_results

    typer.echo(config.schema_text() if of is Schema.AUDIT else of_results.schema_text(), nl=False)


@app.command(name="version")
def version_() -> None:
    """Print the version."""
    typer.echo(f"deepvis-audit {audit.__version__}")
