"""The program, which the commands join."""

import typer

app = typer.Typer(
    help="pytest for trained vision checkpoints: what has it learned, and what is wrong with it?",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
