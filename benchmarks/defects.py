"""The defect lab: plants the defects of tests/defects/defects.toml in healthy checkpoints, runs the default audit on
each, and prints which are found, by which check, what they cost, and where the audit cries wolf.

    python benchmarks/defects.py [--models demo resnet20] [--kinds killed bgr] [--one-of-each] [--jobs 2] [--json FILE]
                                 [--weightwatcher PYTHON] [--deepchecks PYTHON]

The resnets and SqueezeNet need DEEPVIS_DATA. The peers run in Python environments of their own. Exits 1 where a defect
that must be found is missed, or where nothing is wrong and something is found.
"""

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from subprocess import CalledProcessError
from tempfile import TemporaryDirectory

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.defects.definitions import Planting, definitions  # the repository's own folder, found above
from tests.defects.healthy import healthy
from tests.defects.lab import Outcome, Reference, false_alarms, reference, trial
from tests.defects.peers import PEERS, Warned, warned
from tests.defects.scores import cries, misses, must, of_kind, rate, rows, why

BY = {"named": "[green]named[/]", "other": "[green]other[/]", "accuracy": "[yellow]accuracy alone[/]", "nothing": "-"}
Peers = Mapping[str, Warned]


def main() -> None:
    """Prints the tables, and writes the rows where --json says."""
    options = parsed()
    kinds = frozenset(options.kinds) if options.kinds else None
    plantings = [planting for model in options.models for planting in definitions().plantings(model, kinds)]
    if options.one_of_each:
        first = {(planting.subject.name, planting.defect.kind): planting for planting in reversed(plantings)}
        plantings = [planting for planting in plantings if planting in first.values()]
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        references, outcomes, impossible = tried(plantings, options.models, folder, options.jobs)
        peers, broken = peers_of(options, plantings, folder)
    console = Console(width=None if sys.stdout.isatty() else 200)
    wolf = {model: false_alarms(healthy(model), known.plain) for model, known in references.items()}
    for table in (plantings_table(outcomes, peers), rates_table(outcomes, peers), summary_table(outcomes, wolf)):
        console.print(table)
    for line in [*remarks(outcomes, wolf, impossible), *broken]:
        console.print(line, markup=False, soft_wrap=True)
    counts = {model: len(alarms) for model, alarms in wolf.items()}
    if options.json:
        options.json.write_text(json.dumps([*rows(outcomes, counts), *peer_rows(outcomes, peers)], indent=1) + "\n")
    sys.exit(1 if misses(outcomes) or cries(outcomes) or impossible or broken or any(counts.values()) else 0)


def parsed() -> argparse.Namespace:
    known = definitions()
    here = [model for model in known.subjects if model == "demo" or "DEEPVIS_DATA" in os.environ]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=known.subjects, default=here, metavar="MODEL", help=str(here))
    kinds = [defect.kind for defect in known.defects]
    parser.add_argument("--kinds", nargs="+", choices=kinds, metavar="KIND", help=", ".join(kinds))
    parser.add_argument("--one-of-each", action="store_true", help="of each kind only its first place and strength")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=1, help="processes of one thread each")
    parser.add_argument("--json", type=Path)
    for name in PEERS:
        parser.add_argument(f"--{name}", metavar="PYTHON", help=f"an interpreter that has {name}")
    return parser.parse_args()


def tried(
    plantings: Sequence[Planting], models: Sequence[str], folder: Path, jobs: int
) -> tuple[dict[str, Reference], list[Outcome], dict[str, str]]:
    """The healthy models' audits, the outcomes in the plantings' order, and why others could not be planted."""
    context = multiprocessing.get_context("spawn")
    done: dict[str, Outcome] = {}
    impossible: dict[str, str] = {}
    with ProcessPoolExecutor(jobs, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        references = dict(zip(models, pool.map(reference, models, [folder] * len(models)), strict=True))
        running = {pool.submit(trial, each, references[each.subject.name].known, folder): each for each in plantings}
        for future in track(as_completed(running), "plantings", len(running), console=Console(stderr=True)):
            planting = running[future]
            try:
                done[planting.id] = future.result()
            except ValueError as reason:
                impossible[planting.id] = str(reason)
    return references, [done[planting.id] for planting in plantings if planting.id in done], impossible


def peers_of(
    options: argparse.Namespace, plantings: Sequence[Planting], folder: Path
) -> tuple[dict[str, Warned], list[str]]:
    """What each peer warns of, and why a peer has said nothing: what we found ourselves is not lost with it."""
    peers: dict[str, Warned] = {}
    broken: list[str] = []
    for name in PEERS:
        if python := getattr(options, name):
            try:
                peers[name] = warned(name, python, plantings, folder)
            except CalledProcessError as error:
                broken.append(f"not compared: {name}: {python} ended with exit code {error.returncode}")
    return peers, broken


def plantings_table(outcomes: Sequence[Outcome], peers: Peers) -> Table:
    """A row per planting."""
    table = Table(title="Plantings", title_justify="left")
    for column in ("model", "defect", "place", "strength", "cost", "must", "found", "by", "at its place", *peers):
        table.add_column(column, justify="right" if column in ("cost", "strength") else "left")
    for outcome in outcomes:
        planting = outcome.planting
        found = ", ".join([*sorted(outcome.alarms), *(f"{check} (more)" for check in sorted(outcome.findings))])
        obliged = "no" if outcome.must_not_be_found else "yes" if outcome.must_be_found else ""
        said = [", ".join(peers[name].get(planting.id, ())) or "-" for name in peers]
        table.add_row(
            *(planting.subject.name, planting.defect.kind, planting.place, str(planting.strength)),
            *(f"{outcome.cost:.1f}", obliged, BY[outcome.by], found or outcome.refused or "-"),
            *("yes" if outcome.at_place else "", *said),
        )
    return table


def rates_table(outcomes: Sequence[Outcome], peers: Peers) -> Table:
    """A row per kind of defect: found (and by a check that names it) of all, and found of those that must be."""
    models = list(dict.fromkeys(outcome.planting.subject.name for outcome in outcomes))
    table = Table(title="Found of all (named); found of those that must be", title_justify="left")
    for column in ("defect", *models, *peers):
        table.add_column(column)
    for kind in dict.fromkeys(outcome.planting.defect.kind for outcome in outcomes):
        cells = [rates(of_kind(outcomes, model, kind)) for model in models]
        all_of_it = [outcome for outcome in outcomes if outcome.planting.defect.kind == kind]
        found = [str(rate(all_of_it, lambda outcome: known.get(outcome.planting.id))) for known in peers.values()]  # noqa: B023
        table.add_row(kind, *cells, *found)
    return table


def rates(outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return ""
    found, named = (rate(outcomes, what) for what in (lambda each: each.found, lambda each: each.named))
    return f"{found} ({named.count}); {rate(must(outcomes), lambda each: each.found)}"


def summary_table(outcomes: Sequence[Outcome], wolf: Mapping[str, Mapping[str, object]]) -> Table:
    """A row per model."""
    columns = ("model", "used for", "plantings", "must be found", "found", "named", "accuracy alone", "false alarms")
    table = Table(*columns, title="Models", title_justify="left")
    for model, alarms in wolf.items():
        mine = of_kind(outcomes, model)
        needed = must(mine)
        alone = rate(needed, lambda each: each.by == "accuracy").count
        harmless = [each for each in mine if each.must_not_be_found]
        table.add_row(
            *(model, definitions().subjects[model].use, str(len(mine)), str(len(needed))),
            *(str(rate(needed, lambda each: each.found)), str(rate(needed, lambda each: each.named)), str(alone)),
            f"{len(alarms)} on the healthy one, {rate(harmless, lambda each: each.found)} of the harmless",
        )
    return table


def remarks(
    outcomes: Sequence[Outcome], wolf: Mapping[str, Mapping[str, object]], impossible: Mapping[str, str]
) -> list[str]:
    """Every miss, every false alarm, every check that broke down and all that could not be planted, with the reason."""
    lines = [f"missed: {outcome.planting.id}: {why(outcome)}" for outcome in misses(outcomes)]
    for model, alarms in wolf.items():
        lines += [f"false alarm: healthy {model}: {alarm}: {said}" for alarm, said in alarms.items()]
    lines += [f"false alarm: {each.planting.id}: {sorted(each.alarms | each.findings)}" for each in cries(outcomes)]
    lines += [f"broke down: {each.planting.id}: {sorted(each.errors)}" for each in outcomes if each.errors]
    return [*lines, *(f"not planted: {name}: {reason}" for name, reason in impossible.items())]


def peer_rows(outcomes: Sequence[Outcome], peers: Peers) -> list[dict[str, object]]:
    """Share of the plantings of each model that a peer warns of, among those that must be found."""
    made: list[dict[str, object]] = []
    for name, known in peers.items():
        for model in dict.fromkeys(outcome.planting.subject.name for outcome in outcomes):
            found = rate(must(of_kind(outcomes, model)), lambda outcome: known.get(outcome.planting.id))  # noqa: B023
            made.append({"name": f"{model}/must/{name}", "value": found.share, "unit": f"of {found.of}"})
    return made


if __name__ == "__main__":
    main()
