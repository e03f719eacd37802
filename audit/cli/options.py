"""Arguments and options that several commands have."""

import typer

from audit.advice import completion

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
