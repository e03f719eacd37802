"""Numbers of a model's runs -> small charts: the line, its ends in words, and what each run had."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from audit.history.summary import DEAD, Summary
from audit.render.pages.layers import NUMBERS
from audit.render.wording import number, percent
from audit.words import plural

PASSED = "passed"
"""Share of the evaluated items that passed, among a run's numbers."""

ALWAYS = {"top1": NUMBERS["top1"], PASSED: "items passed", DEAD: "dead units"}
"""Numbers that are shown of every model that has them; others only where they changed."""

WIDTH, HEIGHT, EDGE = 240.0, 48.0, 5.0

POINTED = 120
"""Runs of which each has its number under the pointer."""


@dataclass(frozen=True)
class Trend:
    """A number over the runs: its last value, in words where it came from, and the chart."""

    title: str
    last: str
    text: str
    svg: Markup


def trends(summaries: Sequence[Summary]) -> Iterator[Trend]:
    """Of the runs of a model, oldest first."""
    rows = [{**summary.numbers, **_passed(summary)} for summary in summaries]
    for name in dict.fromkeys((*ALWAYS, *(name for row in reversed(rows) for name in row))):
        values = [row.get(name, math.nan) for row in rows]
        known = [value for value in values if math.isfinite(value)]
        if known and (name in ALWAYS or len(set(known)) > 1):
            yield _trend(name, values, known, summaries)


def _passed(summary: Summary) -> dict[str, float]:
    evaluated = [outcome for outcome in summary.outcomes if outcome != "skipped"]
    return {PASSED: evaluated.count("passed") / len(evaluated)} if evaluated else {}


def _trend(name: str, values: Sequence[float], known: Sequence[float], summaries: Sequence[Summary]) -> Trend:
    share = name in (PASSED, DEAD) or re.fullmatch(r"top\d+", name) is not None
    said = [(percent if share else number)(value) if math.isfinite(value) else "not known" for value in values]
    first, last = (next(text for text in those if text != "not known") for those in (said, said[::-1]))
    title = ALWAYS.get(name) or NUMBERS.get(name, name.replace("_", " "))
    points = [f"{summary.when}: {text}" for summary, text in zip(summaries, said, strict=True)]
    return Trend(title, last, _text(first, last, known, share), _svg(values, points))


def _text(first: str, last: str, known: Sequence[float], share: bool) -> str:
    if len(known) == 1:
        return "one run"
    if len(set(known)) == 1:
        return f"the same in {plural(len(known), 'run')}"
    low, high = ((percent if share else number)(value) for value in (min(known), max(known)))
    text = f"from {first} to {last} in {plural(len(known), 'run')}; lowest {low}, highest {high}"
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _svg(values: Sequence[float], points: Sequence[str]) -> Markup:
    """A line that is broken where a run does not have the number, its last point, and titles for the pointer."""
    places = list(_places(values))
    path = " ".join(_path(places))
    x, y = next(place for place in reversed(places) if place is not None)
    titled = _titled(points) if len(points) <= POINTED else Markup()
    return Markup(
        '<svg viewBox="0 0 {:g} {:g}"{} aria-hidden="true" focusable="false">'
        '<path d="{}"/><circle cx="{:.1f}" cy="{:.1f}" r="3.5"/>{}</svg>'
    ).format(WIDTH, HEIGHT, Markup("" if titled else ' class="dense"'), path, x, y, titled)


def _places(values: Sequence[float]) -> Iterator[tuple[float, float] | None]:
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known), max(known)
    step = (WIDTH - 2 * EDGE) / max(1, len(values) - 1)
    for index, value in enumerate(values):
        if not math.isfinite(value):
            yield None
            continue
        share = (value - low) / (high - low) if high > low else 0.5
        x = WIDTH - EDGE - (len(values) - 1 - index) * step
        yield x, EDGE + (1 - share) * (HEIGHT - 2 * EDGE)


def _path(places: Sequence[tuple[float, float] | None]) -> Iterator[str]:
    """Lines between neighbours; a point without any is a line of no length."""
    before = None
    for place, after in zip(places, (*places[1:], None), strict=True):
        if place is not None:
            x, y = place
            yield f"{'M' if before is None else 'L'}{x:.1f} {y:.1f}" + ("h0" if before is after is None else "")
        before = place


def _titled(points: Sequence[str]) -> Markup:
    step = (WIDTH - 2 * EDGE) / max(1, len(points) - 1)
    bar = Markup('<rect x="{:.1f}" width="{:.1f}" height="{:g}"><title>{}</title></rect>')
    first = WIDTH - EDGE - (len(points) - 0.5) * step
    return Markup().join(bar.format(first + index * step, step, HEIGHT, text) for index, text in enumerate(points))
