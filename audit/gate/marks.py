"""Items -> the marks by which `-m` selects them: what is asked, of which layer and model, and whether it takes long."""

import re
from collections.abc import Iterable, Iterator

import pytest

from audit import registry
from audit.plan import Prepared
from audit.records import Item

KINDS = ("check", "statistic", "study", "analysis", "overview")
PYTESTS_OWN = {"skip", "skipif", "xfail", "parametrize", "usefixtures", "filterwarnings"}


def marks(item: Item, prepared: Prepared) -> Iterator[str]:
    """`dead_units`, `check`, `layer_conv1`, `model_demo`; `analysis`, and `slow` for one that makes pictures."""
    task = _word(item.task)
    yield f"{task}_" if task in PYTESTS_OWN else task
    yield "check" if prepared.subjects[item.model].is_check(item) else "analysis"
    yield f"model_{_word(item.model)}"
    if item.layer is not None:
        yield f"layer_{_word(item.layer)}"
    if prepared.makes_pictures(item.task):
        yield "slow"


def announce(config: pytest.Config, names: Iterable[str]) -> None:
    """Makes the marks known to pytest, which else warns of them, or refuses them under --strict-markers.

    With them all that an audit.toml could have: `not slow` is no mistake where nothing is slow.
    """
    kinds = [_word(name) for kind in KINDS for name in registry.names(kind)]
    known = {line.partition(":")[0] for line in config.getini("markers")}
    for name in dict.fromkeys((*names, "check", "analysis", "slow", *kinds)):
        if name not in known:
            config.addinivalue_line("markers", f"{name}: items of an audit.toml")


def _word(name: str) -> str:
    """A name as one word of an expression: layer1.0.conv2 becomes layer1_0_conv2."""
    return re.sub(r"\W", "_", name).lstrip("_") or "_"
