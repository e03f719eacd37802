"""Baselines -> tables for the terminal: what is accepted, and what changed."""

from collections.abc import Iterator, Mapping

from rich.table import Table
from rich.text import Text

from audit.baseline.numbers import Accepted, Baseline, Entry
from audit.render.plain import in_a_line
from audit.words import plural, with_unit

Row = tuple[str, ...]
DIGEST = 12


def shown(baseline: Baseline, model: str | None = None) -> Table:
    """Every number of every model, or of one."""
    made = _empty(("item", "number", "good is", "noise"))
    for name, known in sorted(baseline.models.items()):
        if model in (None, name):
            _add(made, name, f"run of {known.run}", (_row(key, entry) for key, entry in sorted(known.items.items())))
    return made


def changed(before: Baseline, after: Baseline) -> Table:
    """Model by model what is other than it was; what is as it was is only counted."""
    made = _empty(("", "before", "now", "change"))
    for name in sorted({*before.models, *after.models}):
        old, new = before.models.get(name), after.models.get(name)
        if new is None:
            _add(made, name, "no longer in the baseline", ())
        elif old is None:
            _add(made, name, f"new: {plural(len(new.items), 'number')}", _numbers({}, new.items))
        else:
            _add(made, name, _same(old, new), _differences(old, new))
    return made


def _empty(columns: tuple[str, ...]) -> Table:
    made = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for place, name in enumerate(columns):
        made.add_column(name, justify="right" if place else "left", overflow="fold")
    return made


def _add(table: Table, model: str, said: str, rows: Iterator[Row] | tuple[Row, ...]) -> None:
    table.add_section()
    table.add_row(Text(in_a_line(f"{model}: {said}"), style="bold"))
    for row in rows:
        table.add_row(*(Text(in_a_line(cell)) for cell in row))


def _row(key: str, entry: Entry) -> Row:
    noise = "not measured" if entry.noise is None else f"± {entry.noise.deviation:.4g} in {entry.noise.runs} runs"
    return key, _number(entry), entry.good, noise


def _same(old: Accepted, new: Accepted) -> str:
    equal = sum(_number(old.items[key]) == _number(new.items[key]) for key in old.items.keys() & new.items.keys())
    return f"{plural(equal, 'number')} as before"


def _differences(old: Accepted, new: Accepted) -> Iterator[Row]:
    yield from _numbers(old.items, new.items)
    for key in sorted({*old.pictures, *new.pictures}):
        if old.pictures.get(key) != new.pictures.get(key):
            yield f"pictures {key}", _sheets(old.pictures, key), _sheets(new.pictures, key), ""
    for name in ("weights", "data", "configuration", "code"):
        then, now = getattr(old, name), getattr(new, name)
        if then != now:
            yield name, (then or "none")[:DIGEST], (now or "none")[:DIGEST], ""


def _numbers(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> Iterator[Row]:
    for key in sorted({*old, *new}):
        then, now = old.get(key), new.get(key)
        if then is None or now is None or _number(then) != _number(now):
            yield key, _number(then), _number(now), _change(then, now)


def _number(entry: Entry | None) -> str:
    return "none" if entry is None else with_unit(entry.value, entry.unit)


def _change(then: Entry | None, now: Entry | None) -> str:
    return "" if then is None or now is None or then.unit != now.unit else f"{now.value - then.value:+.4g}"


def _sheets(pictures: Mapping[str, tuple[str, ...]], key: str) -> str:
    return ", ".join(digest[:DIGEST] for digest in pictures.get(key, ())) or "none"
