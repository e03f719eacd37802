"""The baseline: accepted and shown."""

import os
from pathlib import Path
from typing import Annotated

import typer

from audit.cli.app import app
from audit.cli.options import AUDIT, MODEL
from audit.cli.said import ending, prepared, show

baselines = typer.Typer(help="The numbers that changes are held against.", no_args_is_help=True)
app.add_typer(baselines, name="baseline")


@baselines.command(name="accept")
def accept(
    file: Annotated[Path, AUDIT] = Path("audit.toml"),
    *,
    model: Annotated[str | None, MODEL] = None,
    repeats: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="Repeat the checks N times with other seeds, to measure their noise."),
    ] = 0,
    even_failed: Annotated[bool, typer.Option("--even-failed", help="Accept a run with items that failed.")] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The reports are there instead of in [audit] report.")
    ] = None,
) -> None:
    """Write the numbers of the latest run of each model to the baseline, and show what changed.

    Exit codes: 0 written, 1 the run is not fit to be a baseline, 2 interrupted, 4 the file or an argument is wrong, or
    this is CI, where no baseline is written.
    """
    from audit import acceptance
    from audit.baseline import write_baseline
    from audit.baseline.table import changed
    from audit.gate.text import printable
    from audit.search.progress import Bar

    with ending(4):
        acceptance.refuse_in_ci()
        wish = acceptance.Wish(model, repeats, even_failed, report and report.absolute())
        asked = acceptance.asked(wish, lambda: prepared(file))
    with ending(1), Bar() as bar:
        accepted = acceptance.accept(asked, bar)
    with ending(1):
        write_baseline(accepted.after, asked.file)
        show(changed(accepted.before, accepted.after))
        for item in accepted.numberless:
            typer.echo(printable(f"{item} has no number in this run: no change of it can be judged"))
        typer.echo(f"{asked.file} is written: commit it")


@baselines.command(name="show")
def show_baseline(
    file: Annotated[Path, AUDIT] = Path("audit.toml"), *, model: Annotated[str | None, MODEL] = None
) -> None:
    """Print the numbers of the baseline. Exit code 4 where the audit or its baseline is wrong or missing."""
    from audit.baseline import read_baseline
    from audit.baseline.table import shown
    from audit.config import read
    from audit.errors import AuditError, nearest

    with ending(4):
        config = read(Path(os.path.abspath(file)))
        known = read_baseline(config.baseline)
        if not known.models:
            raise AuditError(f'no baseline {config.baseline}: write one with "deepvis-audit baseline accept {file}"')
        if model is not None and model not in known.models:
            raise AuditError(f'no model "{model}" in {config.baseline}{nearest(model, sorted(known.models))}')
        show(shown(known, model))
