"""Runs: made, rendered again, listed, exported, compared."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from audit.advice import completion
from audit.cli.app import app
from audit.cli.options import MODEL
from audit.cli.said import complain, ending, say, show, show_files, waiting

if TYPE_CHECKING:
    from audit.records import Report
    from audit.render.fresh import Kind
    from audit.render.layout import Choice

RUNS = typer.Argument(metavar="RUN...", help="Folders of runs: reports/MODEL/latest.")


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
    raise typer.Exit(pytest.main(["-p", "deepvis_audit", *arguments], plugins=[Validation(complain, waiting)]))


@app.command()
def render(
    runs: Annotated[list[Path], RUNS],
    *,
    html: Annotated[bool, typer.Option(help="Make report.html.")] = True,
    pdf: Annotated[bool, typer.Option(help="Make report.pdf.")] = True,
    templates: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Templates of yours in the place of the built-in ones.")
    ] = None,
    layout: Annotated[
        Literal["auto", "file", "folder"],
        typer.Option(help="One file, or a folder with a page per layer; auto makes one file below 20 MB."),
    ] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Make pages again that are up to date.")] = False,
) -> None:
    """Make the pages of stored runs, where they are not up to date.

    Neither model, pictures nor torch are needed. Exit codes: 0 all pages are there, 1 a run cannot be read or a page
    not made, 2 interrupted, 4 the arguments do not fit together, or a template cannot be read.
    """
    from audit.errors import AuditError
    from audit.render import own
    from audit.render.fresh import Kind

    wanted: dict[Kind, bool] = {"html": html, "pdf": pdf}
    kinds = [kind for kind, asked in wanted.items() if asked]
    with ending(4):
        if not kinds:
            raise AuditError("nothing to make: --no-html and --no-pdf leave no page")
        own_templates = None if templates is None else own.checked(templates)
    with ending(1):
        made = [_rendered(run, kinds, own_templates, layout, force) for run in runs]
    if not all(made):
        raise typer.Exit(1)


def _rendered(run: Path, kinds: "list[Kind]", templates: Path | None, layout: "Choice", force: bool) -> bool:
    """Whether all pages of a run are there; what went wrong with one is said, and the others are made."""
    from audit.errors import StoreError, TemplateError, Unavailable
    from audit.render import html
    from audit.render.fresh import rendered

    good = True
    for kind in kinds:
        try:
            page = rendered(run, kind, templates, layout, force=force)
        except StoreError as error:
            complain(str(error))
            return False
        except (TemplateError, Unavailable) as error:
            complain(str(error))
            good = False
        else:
            say(f"{page.path}" if page.now else f"{page.path} is up to date")
            if kind == "html" and (warning := html.warning(run)):
                complain(warning)
    return good


@app.command()
def index(
    folder: Annotated[Path, typer.Argument(help="The folder of the reports.")] = Path("reports"),
) -> None:
    """Make index.html again: all models and runs of a folder of reports, and what changed from run to run.

    Every run does this at its end. Exit codes: 0 written, 1 not.
    """
    from audit.history import rebuild

    with ending(1):
        typer.echo(rebuild(folder))


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
    with ending(4):
        wanted = wishes({name: str(file) for name, file in files.items() if file}, annotations, comment)
    with ending(1):
        reports = [read(run) for run in runs]
        for text, file in [(render(reports), file) for render, file in wanted]:
            if file is None:
                typer.echo(text, nl=False)
            else:
                say(put(text, file))


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

    with ending(4):
        reports = _reports(a, b, audit_file, model)
    with ending(4):
        found = command.compare(*reports, (str(a), str(b)), drifted_below)
    with ending(1):
        show(command.summary(found))
        if output is not None:
            show_files(command.publish(found, *reports, output))
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
