"""deepvis-audit on the command line: commands, text and exit codes. The only room that prints or exits."""

from audit.cli import advice, baseline, runs, search
from audit.cli.app import app

__all__ = ["advice", "app", "baseline", "main", "runs", "search"]


def main() -> None:
    """The console script."""
    app()
