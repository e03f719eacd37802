"""Presets: searched for, and taken apart."""

from pathlib import Path
from typing import Annotated

import typer

from audit.cli.app import app
from audit.cli.options import AUDIT, LAYER, MODEL, STEPS, UNITS
from audit.cli.said import ending, prepared, show, show_files


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
    with ending(4):
        asked = command.asked(prepared(file), wish)
    with ending(1), command.Bar() as bar:
        found = command.search(asked, draws, seeds, steps, bar)
    with ending(1):
        show(command.table(found))
        typer.echo(f"\n{command.presets(found)}")
        show_files(command.publish_search(found, asked, output))
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

    with ending(4):
        asked = command.asked(prepared(file), command.Wish(model, layer, units))
    with ending(1), command.Bar() as bar:
        swept = command.sweep(asked, steps, bar)
    with ending(1):
        show_files(command.publish_sweep(swept, asked, output))
