"""Waivers: what they let pass, until when, and what they never do."""

from datetime import date
from pathlib import Path

import pytest

from audit.errors import ConfigError
from audit.records import Finding, Item, Verdict
from audit.waivers import Waivers, waived, waivers_for

TODAY = date(2026, 6, 15)
WEIGHTS = "ef780c835ef4" + "0" * 52
CHECKS = [Item("audit.toml", "net", layer, "dead-units") for layer in ("conv1", "conv2", "conv3")]
CHECKS += [Item("audit.toml", "net", None, "accuracy"), Item("audit.toml", "other", "conv1", "dead-units")]
OTHERS = [Item("audit.toml", "net", "conv1", "activations")]
GOOD = 'reason = "known since March"\nowner = "vision team"\nexpires = 2026-07-01\n'


def read(folder: Path, *tables: str) -> Waivers:
    file = folder / "waivers.toml"
    file.write_text("".join(f"[[waivers]]\n{table}\n" for table in tables))
    return waivers_for(file, asked=False, items=[*CHECKS, *OTHERS], is_check=CHECKS.__contains__)


def wrong(folder: Path, *tables: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, *tables)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def verdict(outcome: str = "failed", units: tuple[int, ...] = (3, 7), item: Item = CHECKS[0]) -> Verdict:
    findings = tuple(Finding("conv1", unit, "never fires", 0.0) for unit in units)
    return Verdict(item, outcome, "2 of 12 units are dead", 16.7, 5.0, "at most", "%", findings)  # type: ignore[arg-type]


def judged(waivers: Waivers, given: Verdict, *passed: str, today: date = TODAY) -> Verdict:
    return waived(given, waivers, WEIGHTS, today, passed.__contains__)


def test_a_failure_is_waived_until_its_last_day(tmp_path: Path) -> None:
    waivers = read(tmp_path, f'items = "net::conv1::dead-units"\n{GOOD}')
    found = judged(waivers, verdict(), today=date(2026, 7, 1))
    assert found.outcome == "waived"
    assert found.message == verdict().message
    assert found.waiver is not None
    assert found.waiver.said == "waived until 2026-07-01 by vision team: known since March"
    assert found.waiver.place == "waivers.toml:1"
    late = judged(waivers, verdict(), today=date(2026, 7, 2))
    assert late.outcome == "waiver-expired"
    assert "it was waived until 2026-07-01 by vision team (waivers.toml:1): mend it, or decide anew" in late.message
    assert judged(waivers, verdict(item=CHECKS[1])) == verdict(item=CHECKS[1])


def test_ids_may_stand_as_they_are_printed(tmp_path: Path) -> None:
    waivers = read(tmp_path, f'items = "audit.toml::net::accuracy"\n{GOOD}')
    assert judged(waivers, verdict(units=(), item=CHECKS[3])).outcome == "waived"


def test_a_waiver_that_is_not_needed_fails(tmp_path: Path) -> None:
    waivers = read(tmp_path, f'items = "net::conv1::dead-units"\n{GOOD}')
    found = judged(waivers, verdict("passed", ()))
    assert found.outcome == "waiver-unused"
    assert "the waiver of vision team (waivers.toml:1) lets nothing pass: take it out" in found.message


@pytest.mark.parametrize("outcome", ["error", "skipped"])
def test_what_was_not_evaluated_is_never_waived(tmp_path: Path, outcome: str) -> None:
    waivers = read(tmp_path, f'items = "net::conv1::dead-units"\n{GOOD}')
    assert judged(waivers, verdict(outcome)) == verdict(outcome)
    unknown = Verdict(CHECKS[0], "failed", "unavailable: no pictures")
    assert judged(waivers, unknown) == unknown


def test_the_last_item_of_a_glob_says_whether_it_is_needed(tmp_path: Path) -> None:
    waivers = read(tmp_path, f'items = "net::conv*::dead-units"\ncovers = 3\n{GOOD}')
    first, second, third = (item.name for item in CHECKS[:3])
    assert judged(waivers, verdict("passed", (), CHECKS[0])).outcome == "passed"
    assert judged(waivers, verdict("failed", (1,), CHECKS[1]), first).outcome == "waived"
    assert judged(waivers, verdict("passed", (), CHECKS[2]), first).outcome == "passed"  # the second did not pass
    assert judged(waivers, verdict("passed", (), CHECKS[2]), first, second).outcome == "waiver-unused"
    assert third not in (first, second)


def test_units_bound_what_is_waived(tmp_path: Path) -> None:
    one = f'items = "net::conv1::dead-units"\nunits = [3]\n{GOOD}'
    found = judged(read(tmp_path, one), verdict())
    assert found.outcome == "failed"
    assert found.message.endswith("the waiver of vision team (waivers.toml:1) is for units 3, and there is unit 7")
    both = judged(read(tmp_path, one, one.replace("[3]", "[7, 8]").replace("2026-07-01", "2026-06-20")), verdict())
    assert both.outcome == "waived"
    expired = one.replace("[3]", "[7]").replace("2026-07-01", "2026-06-14")
    found = judged(read(tmp_path, one, expired), verdict())
    assert (found.outcome, found.waiver and found.waiver.units) == ("waiver-expired", (7,))
    assert judged(read(tmp_path, one), verdict(units=())).outcome == "failed"


def test_a_checkpoint_bounds_it_too(tmp_path: Path) -> None:
    table = f'items = "net::conv1::dead-units"\n{GOOD}checkpoint = '
    assert judged(read(tmp_path, f'{table}"{WEIGHTS[:12]}"'), verdict()).outcome == "waived"
    found = judged(read(tmp_path, f'{table}"{"a" * 12}"'), verdict())
    assert found.outcome == "failed"
    assert "is for the weights aaaaaaaaaaaa" in found.message


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (GOOD, 'waivers.toml:1:1: [[waivers]] needs "items"'),
        (f'items = "net::accuracy"\n{GOOD}'.replace("owner", "boss"), 'waivers.toml:4:1: no key "boss" in [[waivers]]'),
        ('items = "net::accuracy"\nreason = ""\nowner = "me"\nexpires = 2026-07-01', "reason"),
        (f'items = "net::accuracy"\n{GOOD}'.replace("2026-07-01", "soon", 1), "is not TOML"),
        (f'items = "net::accuracy"\n{GOOD}'.replace("2026-07-01", '"soon"', 1), 'waivers.toml:5:1: expires = "soon"'),
        (f'items = "net::conv1::dead-unit"\n{GOOD}', 'did you mean "net::conv1::dead-units"?'),
        (f'items = "net::conv1::activations"\n{GOOD}', "fits analyses only"),
        (
            f'items = "*"\n{GOOD}',
            'waivers.toml:2:1: items = "*" fits 5 checks, and the waiver covers 1: name fewer, or say',
        ),
        (f'items = "net::conv1::dead-units"\nunits = []\n{GOOD}', "needs a non-empty list"),
        (f'items = "net::accuracy"\n{GOOD}covers = nan', "covers"),
    ],
)
def test_mistakes_have_their_line(tmp_path: Path, table: str, message: str) -> None:
    assert any(message in problem for problem in wrong(tmp_path, table)), wrong(tmp_path, table)


def test_all_of_reason_owner_and_expiry_are_needed(tmp_path: Path) -> None:
    found = wrong(tmp_path, 'items = "net::accuracy"')
    assert [name for name in ("reason", "owner", "expires") if any(f'needs "{name}"' in one for one in found)] == [
        "reason",
        "owner",
        "expires",
    ]


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    missing = tmp_path / "waivers.toml"
    assert not list(waivers_for(missing, asked=False, items=[*CHECKS, *OTHERS], is_check=CHECKS.__contains__))
    with pytest.raises(ConfigError, match="cannot be read"):
        waivers_for(missing, asked=True, items=[*CHECKS, *OTHERS], is_check=CHECKS.__contains__)
    missing.write_text("waivers = 3\nmore = 1\n")
    with pytest.raises(ConfigError, match=r"(?s):1:1: waivers are tables.*:2:1: no key \"more\""):
        waivers_for(missing, asked=True, items=[*CHECKS, *OTHERS], is_check=CHECKS.__contains__)
