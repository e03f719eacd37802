"""`change` of [[checks]]: the forms that it has, and what is said of others."""

import ast
import inspect
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from audit import registry
from audit.config import Change, read, schema
from audit.config.changes import change, difference
from audit.errors import ConfigError

LEAST = '[[models]]\nname = "m"\nfactory = "nets.py:net"\n'
FORMS = (
    'needs a text like "at most 0.5 points below baseline", "at most 10 % below baseline", "at most 2 points above '
    'baseline" or "at most 1 point from baseline"'
)


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """An audit with one check, which has these keys."""

    def write(check: str, **keys: object) -> Path:
        lines = [f"{name} = {json.dumps(value)}" for name, value in keys.items()]
        file = tmp_path / "audit.toml"
        file.write_text(LEAST + "\n".join(["[[checks]]", f'check = "{check}"', *lines, ""]), encoding="utf-8")
        return file

    return write


def mistakes(file: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(file)
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("at most 0.5 points below baseline", Change(0.5, "points", "below")),
        ("at most 10 % below baseline", Change(10, "%", "below")),
        ("at most 10% above baseline", Change(10, "%", "above")),
        ("at most 1 point from baseline", Change(1, "points", "from")),
        ("at most 2 layers above baseline", Change(2, "layers", "above")),
        ("at most 0.05 from baseline", Change(0.05, "", "from")),
        ("at most 0 points above baseline", Change(0, "points", "above")),
    ],
)
def test_a_text_says_an_amount_its_unit_and_a_direction(text: str, meant: Change) -> None:
    assert change(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0.5 points below baseline",
        "at least 0.5 points below baseline",
        "at most points below baseline",
        "at most -1 points below baseline",
        "at most 0.5 points",
        "at most 0.5 points under baseline",
        "at most 0.5 points below baseline.",
        "at most nan points below baseline",
        "at most 1e3 points below baseline",
        "at most 0.5 points below baseline\n",
        "at most 1٣ points below baseline",
    ],
)
def test_another_text_is_a_mistake_that_shows_the_forms(text: str, written: Callable[..., Path]) -> None:
    (said,) = mistakes(written("accuracy", at_least=80.0, change=text))
    assert said.startswith("7:1: change = ")
    assert said.endswith(FORMS)


def test_no_text_is_a_mistake_too(written: Callable[..., Path]) -> None:
    assert mistakes(written("accuracy", at_least=80.0, change=0.5)) == [f"7:1: change = 0.5: {FORMS}"]


@pytest.mark.parametrize(
    ("check", "text", "said"),
    [
        ("dead-units", "at most 2 layers above baseline", '%: write "at most 1 point above baseline"'),
        ("degenerate-weights", "at most 2 points above baseline", 'layers: write "at most 1 layer above baseline"'),
        ("frequency-bias", "at most 2 times above baseline", 'without a unit: write "at most 0.1 above baseline"'),
        ("normalisation-drift", "at most 1 point from baseline", 'without a unit: write "at most 0.1 from baseline"'),
    ],
)
def test_a_unit_that_the_check_does_not_measure_in_is_a_mistake(
    check: str, text: str, said: str, written: Callable[..., Path]
) -> None:
    (mistake,) = mistakes(written(check, change=text))
    assert mistake.startswith(f'6:1: change = "{text}": the check measures a number ')
    assert said in mistake


def test_every_check_can_change_by_its_unit_and_by_a_part(written: Callable[..., Path]) -> None:
    for name in registry.names("check"):
        unit = difference(registry.load("check", name).measured_in)
        for amount in ("1 %", f"1 {unit}".rstrip()):
            required = {"labels": "people.csv"} if name == "human-agreement" else {}
            config = read(written(name, only="change", change=f"at most {amount} from baseline", **required))
            assert config.checks[0].change == f"{name}-change"


@pytest.mark.parametrize("name", registry.names("check"))
def test_a_check_measures_in_the_unit_that_it_says(name: str) -> None:
    check = registry.load("check", name)
    source = inspect.getsource(inspect.getmodule(check))
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    named = [(call, call.func.id) for call in calls if isinstance(call.func, ast.Name)]
    units = {ast.literal_eval(call.args[3]) for call, function in named if function == "Judgement"}
    units |= {"%" for _, function in named if function == "share_of_layer"}
    assert units == {check.measured_in}


def test_only_the_change_needs_one(written: Callable[..., Path]) -> None:
    (said,) = mistakes(written("dead-units", only="change"))
    assert said == '4:1: [[checks]]: only = "change" needs a "change", such as "at most 0.5 points below baseline"'


def test_a_limit_that_is_not_asked_need_not_be_given(written: Callable[..., Path]) -> None:
    changes = {"change": "at most 1 point below baseline"}
    assert read(written("adversarial-accuracy", only="change", **changes)).checks[0].check.at_least == 0
    assert read(written("accuracy", only="change", **changes, top=5)).checks[0].check.at_least == 0
    assert mistakes(written("adversarial-accuracy", **changes)) == [
        '4:1: [[checks]] needs "at_least": pictures that must be right under attack, in percent'
    ]


def test_the_schema_knows_when_a_limit_is_needed() -> None:
    validator = Draft202012Validator(schema())

    def wrong(**keys: object) -> bool:
        check = {"check": "adversarial-accuracy", **keys}
        return bool(list(validator.iter_errors({"models": [{"name": "m", "factory": "a:b"}], "checks": [check]})))

    text = "at most 1 point below baseline"
    assert not wrong(only="change", change=text)
    assert not wrong(at_least=3.0, change=text)
    assert wrong(change=text)
    assert wrong(at_least=3.0, change="at most a point")


def test_all_default_checks_have_no_change_together(written: Callable[..., Path]) -> None:
    (said,) = mistakes(written("defaults", change="at most 10 % from baseline"))
    assert said.startswith('6:1: no key "change" in [[checks]] with check = "defaults"')


def test_the_item_of_a_change_keeps_its_name(written: Callable[..., Path]) -> None:
    file = written("dead-units", change="at most 1 point above baseline")
    file.write_text(file.read_text() + '[[checks]]\ncheck = "accuracy"\nat_least = 1\nname = "dead-units-change"\n')
    assert mistakes(file) == [
        '10:1: "dead-units-change" is the name of the item of another check\'s change; give it another'
    ]
