"""Reports -> in-toto statements that say which tests a checkpoint passed, one per line, to be signed by other tools.

Statement v1 with the predicate test-result v0.1. A digest is called `sha256` only where it is that of a file's bytes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from audit.errors import StoreError
from audit.records import REFUSED, Report
from audit.render.plain import in_a_line, plain

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
WEIGHTS, CONFIGURATION, DATA = "deepvis-weights", "deepvis-configuration", "deepvis-data"
"""Our own algorithms of digests: what they are made of is said in docs/outputs.md."""

HEX = 64


def statement(reports: Sequence[Report]) -> str:
    """A statement per report. StoreError where a report does not say which weights it is of."""
    return "".join(json.dumps(_statement(report)) + "\n" for report in reports)


def _statement(report: Report) -> dict[str, Any]:
    return {
        "_type": STATEMENT,
        "subject": [_subject(report)],
        "predicateType": PREDICATE,
        "predicate": {
            "result": _result(report),
            "configuration": list(_configuration(report)),
            "passedTests": _tests(report, "passed"),
            "warnedTests": _tests(report, "waived"),
            "failedTests": _tests(report, *REFUSED),
        },
    }


def _subject(report: Report) -> dict[str, Any]:
    """The checkpoint: digests of its file, where there is one, and of the weights that were looked at."""
    weights, file = (_digest(report.provenance, of) for of in ("weights digest", "checkpoint digest"))
    if weights is None:
        raise StoreError(
            f"the run of {in_a_line(report.model, 100)} does not say which weights it looked at: run the audit again"
        )
    name = report.provenance.get("checkpoint") if file else f"weights of {report.model}"
    return {"name": in_a_line(str(name)), "digest": {**({"sha256": file} if file else {}), WEIGHTS: weights}}


def _result(report: Report) -> str:
    if report.outcome != "passed":
        return "FAILED"
    return "WARNED" if any(verdict.outcome == "waived" for verdict in report.verdicts) else "PASSED"


def _configuration(report: Report) -> Iterator[dict[str, Any]]:
    """What the verdicts depend on besides the weights, as far as it has a digest."""
    name = in_a_line(report.provenance.get("configuration", "audit.toml"))
    for named, of, algorithm in ((name, "configuration digest", CONFIGURATION), ("data", "data digest", DATA)):
        digest = _digest(report.provenance, of)
        if digest is not None:
            yield {"name": named, "digest": {algorithm: digest}}


def _tests(report: Report, *outcomes: str) -> list[str]:
    ids = (verdict.item.id for verdict in report.verdicts if verdict.outcome in outcomes)
    return [plain(name, len(name)) for name in ids]


def _digest(provenance: Mapping[str, str], of: str) -> str | None:
    """The digest of that name; None where a sentence stands in its place."""
    text = provenance.get(of, "")
    return text if len(text) == HEX and set(text) <= set("0123456789abcdef") else None
