"""Annotations: commands that GitHub's runner reads as they are meant, at most ten, whatever strangers name."""

import re

from audit.render.annotations import annotations, command
from audit.render.plain import plain
from audit.render.templates import CONTROLS
from tests.render.findings import HOSTILE, of_every_outcome, report, verdict


def commands(log: str) -> list[tuple[str, dict[str, str], str]]:
    """Every command that the runner finds: it looks for :: where a line begins, and for ##[ anywhere."""
    found = []
    for line in re.split("\r\n|\r|\n", log):
        name, _, rest = line.strip().removeprefix("::").partition("::")
        if line.strip().startswith("::"):
            word, _, properties = name.partition(" ")
            pairs = (pair.partition("=") for pair in properties.split(",") if pair)
            found.append((word, {key: unescaped(value) for key, _, value in pairs}, unescaped(rest)))
        else:
            assert "##[" not in line
            assert not line
    return found


def unescaped(text: str) -> str:
    for token, letter in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(token, letter)
    return text


def test_a_refused_item_is_an_error_at_its_line() -> None:
    failed = verdict(
        "dead-units", "failed", "2 of 24: 8 %", "conv1", line=7, measured=8.0, limit=5.0, good="at most", unit="%"
    )
    ((word, properties, message),) = commands(annotations([report(failed, verdict("accuracy", "passed"))]))
    assert word == "error"
    assert properties == {"file": "audit.toml", "line": "7", "title": "demo: dead-units of conv1"}
    assert message == "2 of 24: 8 %\nmeasured 8 %, needed at most 5 %"


def test_nothing_that_strangers_name_is_a_command_of_its_own() -> None:
    found = commands(annotations([of_every_outcome()]))
    assert [word for word, _, _ in found] == ["error"] * 4  # one in error, failed, expired, unused
    assert all(set(properties) == {"file", "line", "title"} for _, properties, _ in found)
    assert found[1][1]["title"] == plain(f"demo: dead-units of {HOSTILE}", 255)
    assert found[1][2].startswith(plain(HOSTILE))
    assert not CONTROLS.search(annotations([of_every_outcome()]))


def test_a_percent_sign_cannot_stand_for_another_character() -> None:
    ((_, properties, message),) = commands(command("%0A::error::%2C%3A", "%0A::error::owned"))
    assert properties == {"title": "%0A::error::%2C%3A"}
    assert message == "%0A::error::owned"


def test_ten_are_shown_and_of_more_nine_and_how_many_others_there_are() -> None:
    failed = [verdict("dead-units", "failed", "dead", f"conv{number}") for number in range(30_000)]
    assert len(commands(annotations([report(*failed[:10])]))) == 10
    found = commands(annotations([report(*failed[:6]), report(*failed[:5], model="other")]))
    assert len(found) == 10
    assert found[-1][2] == "and 2 more: see the report"
    found = commands(annotations([report(*failed, verdict("accuracy", "error", "no pictures"))]))
    assert len(found) == 10
    assert found[0][1]["title"] == "demo: accuracy"  # the worst first
    assert found[-1][2] == "and 29992 more: see the report"


def test_a_run_in_which_nothing_passed_is_annotated() -> None:
    ((_, properties, message),) = commands(annotations([report(verdict("accuracy", "skipped", "not today"))]))
    assert properties == {"title": "demo: Fast"}
    assert message == "Nothing was evaluated, so nothing passed."
    assert annotations([report(verdict("accuracy", "passed"))]) == ""
