"""in-toto statements name the checkpoint by its digests, what it was tested with, and which tests it passed."""

import json
from dataclasses import replace
from typing import Any

import pytest

from audit.errors import StoreError
from audit.records import Outcome, Report
from audit.render.statement import statement
from tests.render.findings import CONFIGURATION, DATA, FILE, PROVENANCE, WEIGHTS, of_every_outcome, report, verdict


def read(*reports: Report) -> list[dict[str, Any]]:
    return [json.loads(line) for line in statement(reports).splitlines()]


def without(of: Report, *names: str) -> Report:
    return replace(of, provenance={name: value for name, value in PROVENANCE.items() if name not in names})


def test_a_statement_is_of_the_form_that_the_predicate_asks_for() -> None:
    (made,) = read(report(verdict("accuracy", "passed")))
    assert made["_type"] == "https://in-toto.io/Statement/v1"
    assert made["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert made["subject"] == [{"name": "weights.pth", "digest": {"sha256": FILE, "deepvis-weights": WEIGHTS}}]
    assert made["predicate"] == {
        "result": "PASSED",
        "configuration": [
            {"name": "audit.toml", "digest": {"deepvis-configuration": CONFIGURATION}},
            {"name": "data", "digest": {"deepvis-data": DATA}},
        ],
        "passedTests": ["audit.toml::demo::accuracy"],
        "warnedTests": [],
        "failedTests": [],
    }


@pytest.mark.parametrize(
    ("outcomes", "result"),
    [
        (["passed", "skipped"], "PASSED"),
        (["passed", "waived"], "WARNED"),
        (["passed", "waived", "failed"], "FAILED"),
        (["passed", "error"], "FAILED"),
        (["passed", "waiver-expired"], "FAILED"),
        (["passed", "waiver-unused"], "FAILED"),
        (["waived"], "FAILED"),
        (["skipped"], "FAILED"),
        ([], "FAILED"),
    ],
)
def test_the_result_is_the_worst_and_nothing_passed_is_failed(outcomes: list[Outcome], result: str) -> None:
    (made,) = read(report(*(verdict(f"check-{number}", outcome) for number, outcome in enumerate(outcomes))))
    assert made["predicate"]["result"] == result


def test_every_item_that_was_evaluated_is_in_one_list() -> None:
    (made,) = read(of_every_outcome())
    lists = [made["predicate"][f"{word}Tests"] for word in ("passed", "warned", "failed")]
    assert [len(names) for names in lists] == [1, 1, 4]


def test_what_has_no_digest_is_not_named_by_one() -> None:
    made_up = replace(report(), provenance={**PROVENANCE, "data digest": "no pass over the pictures was made"})
    (made,) = read(made_up)
    assert [one["name"] for one in made["predicate"]["configuration"]] == ["audit.toml"]
    (made,) = read(without(report(), "checkpoint digest"))
    assert made["subject"] == [{"name": "weights of demo", "digest": {"deepvis-weights": WEIGHTS}}]


def test_of_weights_that_nobody_knows_nothing_is_stated() -> None:
    with pytest.raises(StoreError, match="does not say which weights it looked at: run the audit again"):
        statement([report(verdict("accuracy", "passed")), without(report(), "weights digest")])


def test_each_model_has_a_statement_on_a_line_of_its_own() -> None:
    made = read(report(verdict("accuracy", "passed")), report(verdict("accuracy", "failed"), model="other"))
    assert [one["predicate"]["result"] for one in made] == ["PASSED", "FAILED"]
