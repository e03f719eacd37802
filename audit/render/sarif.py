"""Reports -> SARIF 2.1.0 as GitHub takes it: a run per model, a result per finding of what did not pass.

A result is recognised in the next upload by check, layer and unit, not by its line. GitHub reads no suppressions, so
what is waived is a note there; other readers find the waiver's reason.
"""

import gzip
import hashlib
import inspect
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from audit import __version__, registry
from audit.records import REFUSED, Finding, Report, Verdict
from audit.render.pages.verdicts import ORDER, headline
from audit.render.plain import MOST, in_a_line, plain
from audit.render.ranked import numbers, place, ranked
from audit.words import plural

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_RESULTS, MOST_RUNS, MOST_BYTES = 25_000, 20, 10_000_000
"""Of a file that GitHub takes; bytes after gzip."""

MOST_NAME = 255
LEFT_OUT, NOTHING = "deepvis-audit/left-out", "deepvis-audit/nothing-passed"
OF_OURS = {
    LEFT_OUT: "More findings than a SARIF file may hold: the report has them all.",
    NOTHING: "Nothing was evaluated, or everything that failed is waived, so nothing has passed.",
}


@dataclass(frozen=True)
class Result:
    """One finding of an item, or the item itself where it has none; `again` counts twins.

    `rank` is low for what is kept first: the first findings of all items, of these the worst outcomes.
    """

    run: int
    rank: tuple[int, int]
    verdict: Verdict
    finding: Finding | None
    again: int


def sarif(reports: Sequence[Report]) -> str:
    """The log of all reports, the first findings of all items first; a result says how many are left out."""
    results = sorted(_results(reports), key=lambda result: result.rank)
    most = MOST_RESULTS
    text = _log(reports, results, most)
    while len(gzip.compress(text.encode(), compresslevel=6)) > MOST_BYTES and most > len(reports):
        most = min(most, len(results)) // 2
        text = _log(reports, results, most)
    return text


def _results(reports: Sequence[Report]) -> Iterator[Result]:
    for run, verdict in ranked(reports):
        if verdict.outcome not in (*REFUSED, "waived"):
            continue
        seen: Counter[tuple[str | None, int | None]] = Counter()
        for index, finding in enumerate(verdict.findings or (None,)):
            of = (finding.layer, finding.unit) if finding else (verdict.item.layer, None)
            yield Result(run, (index, ORDER.index(verdict.outcome)), verdict, finding, seen[of])
            seen[of] += 1


def _log(reports: Sequence[Report], results: Sequence[Result], most: int) -> str:
    """At most so many results; each run that lost some says how many."""
    shown = reports[:MOST_RUNS]
    own = [list(_own(report)) for report in shown]
    if len(reports) > MOST_RUNS:
        over = f"{len(reports) - MOST_RUNS} more models are left out: a SARIF file holds {MOST_RUNS} runs."
        own[-1].append(_of_ours(LEFT_OUT, over, shown[-1]))
    results = [result for result in results if result.run < MOST_RUNS]
    room = most - sum(map(len, own))
    kept = results if len(results) <= room else results[: max(0, room - len(shown))]
    lost = Counter(result.run for result in results[len(kept) :])
    for run, count in lost.items():
        own[run].append(
            _of_ours(LEFT_OUT, f"{plural(count, 'more finding')} left out: the report has all.", shown[run])
        )
    runs = [
        _run(report, name, [*own[run], *(_result(result) for result in kept if result.run == run)])
        for run, (report, name) in enumerate(zip(shown, _automations(shown), strict=True))
    ]
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": runs}, indent=1, allow_nan=False) + "\n"


def _automations(reports: Sequence[Report]) -> list[str]:
    """`deepvis-audit/MODEL/`: what keeps one upload from replacing another; a model that comes again is numbered."""
    names, seen = [], Counter[str]()
    for report in reports:
        seen[report.model] += 1
        number = "" if seen[report.model] == 1 else f"-{seen[report.model]}"
        names.append(f"deepvis-audit/{quote(plain(report.model, MOST_NAME), safe='')}{number}/")
    return names


def _own(report: Report) -> Iterator[dict[str, Any]]:
    """That a run has failed although no item of it is refused."""
    if report.outcome in REFUSED and all(verdict.outcome not in REFUSED for verdict in report.verdicts):
        yield _of_ours(NOTHING, headline(report), report)


def _run(report: Report, automation: str, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    rules = list(dict.fromkeys(result["ruleId"] for result in results))
    return {
        "tool": {"driver": {"name": "deepvis-audit", "version": __version__, "rules": list(map(_rule, rules))}},
        "automationDetails": {"id": automation},
        "invocations": [{"executionSuccessful": all(verdict.outcome != "error" for verdict in report.verdicts)}],
        "results": [{**result, "ruleIndex": rules.index(result["ruleId"])} for result in results],
    }


def _rule(name: str) -> dict[str, Any]:
    text = inspect.cleandoc(OF_OURS.get(name) or _said_of(name))
    first = text.partition("\n\n")[0].replace("\n", " ")
    return {
        "id": name,
        "shortDescription": {"text": _message(f"{name}: {first}")},
        "fullDescription": {"text": _message(text)},
        "help": {"text": _message(text)},
        "defaultConfiguration": {"level": "error"},
    }


def _said_of(task: str) -> str:
    """What a check says of itself; of other items, that the audit's file asks for them."""
    if task in registry.names("check"):
        return registry.load("check", task).__doc__ or task
    return f'The item "{task}", which the audit\'s file asks for.'


def _result(result: Result) -> dict[str, Any]:
    verdict, finding = result.verdict, result.finding
    said = [str(finding) if finding else "", f"{place(verdict)}: {verdict.message}", numbers(verdict)]
    layer, unit = (finding.layer, finding.unit) if finding else (verdict.item.layer, None)
    return {
        "ruleId": in_a_line(verdict.item.task, MOST_NAME),
        "level": "note" if verdict.outcome == "waived" else "error",
        "message": {"text": _message("\n".join(part for part in said if part))},
        "locations": [_location(verdict.item.file, verdict.line, verdict.item.id)],
        "partialFingerprints": _fingerprint(verdict.item.task, layer, unit, result.again),
        "suppressions": list(_suppressions(verdict)),
    }


def _of_ours(rule: str, text: str, report: Report) -> dict[str, Any]:
    """A result that is of no item."""
    return {
        "ruleId": rule,
        "level": "error",
        "message": {"text": _message(f"{report.model}: {text}")},
        "locations": [_location(_file(report), 1, report.model)],
        "partialFingerprints": _fingerprint(rule, None, None, 0),
        "suppressions": [],
    }


def _file(report: Report) -> str:
    return next(
        (verdict.item.file for verdict in report.verdicts), report.provenance.get("configuration", "audit.toml")
    )


def _location(file: str, line: int, name: str) -> dict[str, Any]:
    region = {"startLine": max(1, line), "startColumn": 1, "endLine": max(1, line), "endColumn": 2}
    return {
        "physicalLocation": {"artifactLocation": {"uri": quote(plain(file), safe="/")}, "region": region},
        "logicalLocations": [{"fullyQualifiedName": plain(name)}],
    }


def _fingerprint(task: str, layer: str | None, unit: int | None, again: int) -> dict[str, str]:
    """Of check, layer and unit; findings that share all three are numbered."""
    of = json.dumps([task, layer, unit], default=int).encode()
    return {"primaryLocationLineHash": f"{hashlib.sha256(of).hexdigest()[:32]}:{again + 1}"}


def _suppressions(verdict: Verdict) -> Iterator[dict[str, str]]:
    """The waiver that lets an item fail; one that has expired is rejected."""
    status = {"waived": "accepted", "waiver-expired": "rejected"}.get(verdict.outcome)
    if status and verdict.waiver:
        waiver = verdict.waiver
        said = f"{waiver.reason} ({waiver.owner}, until {waiver.expires}, {waiver.place})"
        yield {"kind": "external", "status": status, "justification": plain(said)}


def _message(text: str) -> str:
    """Text in which nothing is a link or a placeholder of SARIF (3.11.5 and 3.11.6 of the standard)."""
    apart = re.sub(r"\{(?=\d+\})", "{ ", text.replace("](", "] ("))
    return plain(apart, MOST)
