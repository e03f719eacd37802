"""deepvis-audit on the command line: commands, text and exit codes. The only module that prints or exits."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import audit
from audit.advice import completion

if TYPE_CHECKING:
    from rich.console import RenderableType

    from audit.plan import Prepared
    from audit.records import Report

app = typer.Typer(
    help="pytest for trained vision checkpoints: what has it learned, and what is wrong with it?",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Schema(StrEnum):
    """What has a published schema."""

    AUDIT = "audit"
    RESULTS = "results"


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


RUNS = typer.Argument(metavar="RUN...", help="Folders of runs: reports/MODEL/latest.")


@app.command()
def export(
    runs: Annotated[list[Path], RUNS],
    *,
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help="SARIF 2.1.0, for code scanning.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="A summary in Markdown.")] = None,
    comment: Annotated[
        bool, typer.Option("--comment", help="Keep the Markdown as short as a comment of a pull request.")
    ] = False,
    statement: Annotated[
        Path | None, typer.Option(metavar="FILE", help="in-toto statements of the results, to be signed.")
    ] = None,
    annotations: Annotated[bool, typer.Option("--annotations", help="Print GitHub's annotations.")] = False,
) -> None:
    """Say what stored runs found in the words of other tools; - as a FILE prints.

    Neither model nor torch is needed. Exit codes: 0 all is written, whatever was found, 1 a run cannot be read or a
    file not written, 4 the arguments do not fit together.
    """
    from audit.render.exports import put, wishes
    from audit.store import read

    files = {"sarif": sarif, "markdown": markdown, "statement": statement}
    with _ending(4):
        wanted = wishes({name: str(file) for name, file in files.items() if file}, annotations, comment)
    with _ending(1):
        reports = [read(run) for run in runs]
        for text, file in [(render(reports), file) for render, file in wanted]:
            if file is None:
                typer.echo(text, nl=False)
            else:
                typer.echo(put(text, file))


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

    with _ending(4):
        acceptance.refuse_in_ci()
        wish = acceptance.Wish(model, repeats, even_failed, report and report.absolute())
        asked = acceptance.asked(wish, lambda: _prepared(file))
    with _ending(1), Bar() as bar:
        accepted = acceptance.accept(asked, bar)
    with _ending(1):
        write_baseline(accepted.after, asked.file)
        _show(changed(accepted.before, accepted.after))
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

    with _ending(4):
        config = read(Path(os.path.abspath(file)))
        known = read_baseline(config.baseline)
        if not known.models:
            raise AuditError(f'no baseline {config.baseline}: write one with "deepvis-audit baseline accept {file}"')
        if model is not None and model not in known.models:
            raise AuditError(f'no model "{model}" in {config.baseline}{nearest(model, sorted(known.models))}')
        _show(shown(known, model))


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A run's folder (reports/MODEL/latest), or a checkpoint.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one, that A is compared with.")],
    *,
    audit_file: Annotated[
        Path | None,
        typer.Option("--audit", metavar="AUDIT.TOML", help="A and B are checkpoints; measure them as this audit does."),
    ] = None,
    model: Annotated[str | None, MODEL] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write comparison.html and comparison.json there.")
    ] = None,
    drifted_below: Annotated[
        float, typer.Option(min=0, max=1, metavar="R", help="A unit has drifted if its answers correlate less.")
    ] = 0.9,
    fail_on_change: Annotated[
        bool, typer.Option("--fail-on-change", help="Exit with 1 if anything but the order of units differs.")
    ] = False,
) -> None:
    """Say what changed between two runs, or two checkpoints: layers, units, items, numbers.

    Exit codes: 0 compared, 1 something differs (with --fail-on-change) or could not be written, 2 interrupted, 4 an
    argument or a file is wrong.
    """
    from audit.compare import command

    with _ending(4):
        reports = _reports(a, b, audit_file, model)
    with _ending(4):
        found = command.compare(*reports, (str(a), str(b)), drifted_below)
    with _ending(1):
        _show(command.summary(found))
        if output is not None:
            _show_files(command.publish(found, *reports, output))
    if fail_on_change and found.changed:
        raise typer.Exit(1)


def _reports(a: Path, b: Path, audit_file: Path | None, model: str | None) -> "tuple[Report, Report]":
    """Of two runs; with an audit, of two checkpoints that are measured now."""
    from audit.compare import command
    from audit.errors import AuditError

    if audit_file is None:
        if model is not None:
            raise AuditError("--model says which model of an audit two checkpoints belong to: name the audit, --audit")
        return command.stored(a), command.stored(b)
    from audit.checkpoints import measured
    from audit.search.progress import Bar

    with Bar() as bar:
        file = Path(os.path.abspath(audit_file))
        return measured(file, a, model, bar), measured(file, b, model, bar)


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
        typer.echo("interrupted; what is finished is kept, and the same command goes on", err=True)
        raise typer.Exit(2) from None


def _show(shown: "RenderableType") -> None:
    from rich.console import Console

    Console(soft_wrap=False, highlight=False).print(shown)


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
