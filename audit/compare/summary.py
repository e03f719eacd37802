"""Comparison -> what the terminal shows: a sentence, then tables of what changed, the worst first."""

import math
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from audit.compare.changes import Comparison, Pair
from audit.compare.ranking import changed_layers, changed_pairs, fates_of, status_of
from audit.render.templates import CONTROLS
from audit.render.wording import number
from audit.words import listed

LAYERS, UNITS, ITEMS = 20, 6, 12
"""How many layers are shown, units of each, and items."""

STYLES = {"equal": "bold green", "permuted": "bold cyan", "changed": "bold red"}


def summary(comparison: Comparison) -> RenderableType:
    """A sentence alone where nothing changed."""
    parts = [_plain(comparison.headline, STYLES[comparison.outcome])]
    tables = [_items(comparison), _numbers(comparison), _layers(comparison)]
    shown: list[RenderableType] = [one for table in tables if table is not None for one in ("", table)]
    return Group(*parts, *shown, *(_plain(line, "dim") for line in _left_out(comparison)))


def _items(comparison: Comparison) -> Table | None:
    table = _table("item", "A", "B", "B says")
    for item in comparison.items[:ITEMS]:
        table.add_row(*map(_plain, (item.name, item.a, item.b, item.message)))
    return table if comparison.items else None


def _numbers(comparison: Comparison) -> Table | None:
    table = _table("number", "A", "B")
    for changed in comparison.numbers:
        table.add_row(_plain(changed.name.replace("_", " ")), number(changed.a), number(changed.b))
    return table if comparison.numbers else None


def _layers(comparison: Comparison) -> Table | None:
    table, touched = _table("layer", "weights", "units", "which"), changed_layers(comparison)
    for layer in touched[:LAYERS]:
        worst = listed([said(pair) for pair in changed_pairs(layer)], UNITS)
        style = "" if layer.changed else "dim"
        table.add_row(*map(_plain, (layer.name, status_of(layer), fates_of(layer), worst)), style=style)
    return table if touched else None


def said(pair: Pair) -> str:
    """`3`, `3 -> 5`, and how much of it is left where that is known: `3 (0.82)`."""
    known = pair.fate in ("drifted", "moved", "swapped") and not math.isnan(pair.correlation)
    return f"{pair} ({pair.correlation:.2f})" if known and pair.fate == "drifted" else str(pair)


def _left_out(comparison: Comparison) -> Iterator[str]:
    if (more := len(changed_layers(comparison)) - LAYERS) > 0:
        yield f"and {more} more layers"
    if (more := len(comparison.items) - ITEMS) > 0:
        yield f"and {more} more items"
    if any(comparison.alone):
        yield f"not compared: {comparison.alone[0]} items that only A has, {comparison.alone[1]} that only B has"
    if comparison.other_pictures and comparison.changed:
        yield f"activations were not compared: {comparison.other_pictures}"


def _table(*names: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _plain(text: str, style: str = "") -> Text:
    """A stranger's text, which neither moves the cursor nor is read as markup."""
    return Text(CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text), style=style)
