"""The published schema of results.json is what is written, and a new structure is a new version."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from audit.records import Numbers, Report, Waiver
from audit.store import SCHEMA, write
from audit.store.schema import DIGESTS, schema, schema_text, structure_digest

DOCS = Path(__file__).parents[2] / "docs"
WAIVER = Waiver("audit.toml::*", "known", "ann@example.org", "2027-01-01", "waivers.toml:3", (3, 7), "ab" * 32)


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema())


def stored(report: Report, folder: Path) -> dict[str, Any]:
    """What results.json holds of a report."""
    write(report, folder)
    loaded: dict[str, Any] = json.loads((folder / "results.json").read_bytes())
    return loaded


def test_the_published_schema_is_that_of_the_code() -> None:
    published = (DOCS / "results.schema.json").read_text(encoding="utf-8")
    assert published == schema_text(), "run: deepvis-audit schema --of results > docs/results.schema.json"


def test_who_changes_the_structure_gives_it_a_new_version() -> None:
    assert DIGESTS[SCHEMA] == structure_digest(), (
        "results.json has another structure: raise SCHEMA in audit/store/document.py, put the new digest into DIGESTS "
        "beside the old ones, and say in docs/report.md what changed"
    )
    assert len(set(DIGESTS.values())) == len(DIGESTS)


def test_every_version_has_a_line_of_history() -> None:
    page = (DOCS / "report.md").read_text(encoding="utf-8")
    _, _, history = page.partition("\n| version | what changed |\n")
    versions = [line.split("|")[1].strip() for line in history.splitlines()[1:] if line.startswith("| ")]
    assert versions[:SCHEMA] == [str(version) for version in range(SCHEMA, 0, -1)]


def test_a_report_with_everything_is_valid(report: Report, validator: Draft202012Validator, tmp_path: Path) -> None:
    document = stored(report, tmp_path / "run")
    validator.validate(document)
    assert "nan" in document["not_finite"].values()
    assert all(document[part] for part in ("items", "scalars", "pictures", "strongest", "tables", "claims", "labels"))


def test_a_waiver_is_valid_with_and_without_what_it_may_lack(
    report: Report, validator: Draft202012Validator, tmp_path: Path
) -> None:
    first, second, *rest = report.verdicts
    waivers = (WAIVER, replace(WAIVER, units=None, checkpoint=None))
    waived = [
        replace(one, outcome="waived", waiver=waiver) for one, waiver in zip((first, second), waivers, strict=True)
    ]
    document = stored(replace(report, verdicts=(*waived, *rest), pictures=()), tmp_path / "run")
    validator.validate(document)
    assert document["items"][0]["waiver"] == {**vars(WAIVER), "units": [3, 7]}


def test_an_empty_report_is_valid(report: Report, validator: Draft202012Validator, tmp_path: Path) -> None:
    empty = Report("a", "m", report.outline, (), numbers=Numbers({"top1": float("inf")}))
    validator.validate(stored(empty, tmp_path / "run"))


def objects(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every object whose keys are part of the structure."""
    named = ("provenance", "numbers", "columns", "image_names", "files", "not_finite")
    if isinstance(node, dict):
        if not path or path[-1] not in named or path[-3:-2] == ("pictures",):
            yield path
        for key, child in node.items():
            yield from objects(child, (*path, key))
    elif isinstance(node, list) and node:
        yield from objects(node[0], (*path, 0))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        document = document[part]
    return document


def test_a_key_more_or_less_anywhere_is_no_longer_valid(
    report: Report, validator: Draft202012Validator, tmp_path: Path
) -> None:
    text = json.dumps(stored(report, tmp_path / "run"))
    paths = list(objects(json.loads(text)))
    assert len(paths) > 12
    for path in paths:
        for key in at(json.loads(text), path):
            lacking = json.loads(text)
            del at(lacking, path)[key]
            with pytest.raises(ValidationError):
                validator.validate(lacking)
        richer = json.loads(text)
        at(richer, path)["more"] = 1
        with pytest.raises(ValidationError):
            validator.validate(richer)
