"""Numbers and names -> how they are written on a page: with four digits, as percent, as anchors and links."""

import math
import re
from collections.abc import Callable
from urllib.parse import quote

from audit.records import Verdict
from audit.words import unit_of

DASH, MINUS, BY = "\N{EN DASH}", "\N{MINUS SIGN}", " \N{MULTIPLICATION SIGN} "


def number(value: float | None) -> str:
    """A number with four digits, or what stands in its place: a dash for nothing measured, `not a number`."""
    if value is None:
        return DASH
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    size = abs(value)
    if (value == round(value) and size < 1e12) or 1000 <= size < 1e12:
        text = f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    elif 1e-3 <= size < 1e12:
        text = f"{value:.4g}"
    else:
        text = re.sub(r"e([+-])0*", lambda found: "e" + found[1].strip("+"), f"{value:.3g}")
    return text.replace("-", MINUS)


def percent(share: float) -> str:
    """A share as percent; never 0 % or 100 % because of rounding."""
    if math.isnan(share):
        return "not a number"
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{share * 100:.3g} %" if math.isfinite(share) else number(share)


def with_unit(value: float | None, unit: str) -> str:
    """A number with its unit, if it has one."""
    if value is None:
        return number(None)
    return f"{number(value)} {unit_of(value, unit.strip())}".rstrip()


def needed(verdict: Verdict, written: Callable[[float | None, str], str] = with_unit) -> str:
    """What is good: as it was asked for, and what chance makes of it; nothing where there is no limit."""
    if verdict.limit is None:
        return ""
    limit, asked = (written(value, verdict.unit) for value in (verdict.limit, verdict.asked))
    return f"{verdict.good or 'limit'} {f'{asked}, {limit} with chance' if verdict.widened else limit}"


def anchor(item_id: str) -> str:
    """The identifier of an item on the page: its id, with `~20` and the like for spaces and control characters."""
    return "".join(_hex(c) if c == "~" or c.isspace() or not c.isprintable() else c for c in item_id)


def place(word: str, *names: object) -> str:
    """The identifier of a part of the page that is no item: it never holds `::`, which every item's does.

    Letters, digits, `.`, `_`, `-`, and `~` with the code of every other character: links need no quoting, which
    WeasyPrint undoes in some places and not in others.
    """
    return "/".join([word, *(encoded(str(name)) for name in names)])


def encoded(name: str) -> str:
    """A name as it stands in identifiers of places."""
    return re.sub(r"[^A-Za-z0-9._-]", lambda found: _hex(found[0]), name)


def link(identifier: str) -> str:
    """A link to an identifier of the same page."""
    return "#" + quote(identifier, safe="/:.~-_", errors="replace")


def _hex(character: str) -> str:
    return "".join(f"~{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
