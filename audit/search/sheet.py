"""What a search or a sweep made -> a contact sheet: rows of pictures with a few words, as a page and as one picture."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from audit import __version__
from audit.ascent.presets import label
from audit.render.sprites import Embedded, for_screen
from audit.render.templates import fill
from audit.search.asked import Place
from audit.search.outcomes import Outcome
from audit.search.search import Found
from audit.search.sweep import EFFECTS, Swept
from audit.search.wording import share, short
from audit.words import plural

OTHERS = 2
"""How many of the best, and of the worst, of the settings that were not chosen are shown beside the chosen ones."""


@dataclass(frozen=True)
class Picture:
    """A tile and what is said below it."""

    pixels: UInt8[np.ndarray, "y x 3"]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """Pictures side by side; `title` and `lines` stand before them. `begins` is the heading of a group of rows."""

    title: str
    lines: tuple[str, ...]
    pictures: tuple[Picture, ...]
    begins: str = ""


@dataclass(frozen=True)
class Sheet:
    """A contact sheet; `columns` are the headings over the pictures, and how many of them each spans."""

    title: str
    lead: str
    columns: tuple[tuple[str, int], ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Shown:
    """A picture of the page."""

    image: Embedded
    lines: tuple[str, ...]


def of_search(found: Found) -> Sheet:
    """The chosen settings, then the best and the worst of the others; a column for every unit and seed."""
    rest = [setting for setting in found.order if setting not in found.names]
    best, worst = rest[:OTHERS], rest[max(OTHERS, len(rest) - OTHERS) :]
    groups = (("", list(found.chosen)), ("The best of the others", best), ("The worst", worst))
    return Sheet(
        title=f"{plural(len(found.draws), 'random setting')}, and {len(found.chosen)} that complement each other",
        lead=f"{_where(found.places)}. Each column is a unit and a start image, each number the activation reached. "
        "Images are shown around gray, each by its largest value.",
        columns=tuple((_named(place, unit), len(found.seeds)) for place in found.places for unit in place.units),
        rows=tuple(
            _setting(found, setting, heading if first == 0 else "")
            for heading, settings in groups
            for first, setting in enumerate(settings)
        ),
    )


def _setting(found: Found, setting: int, begins: str) -> Row:
    draw, scores = found.draws[setting], found.scores
    rank = found.order.index(setting) + 1
    natural = found.natural[0]
    pictures = f" (pictures {short(natural)})" if len(set(found.natural)) == 1 and np.isfinite(natural) else ""
    recognised = "" if np.isnan(scores.agreement[setting]) else f"recognised {share(float(scores.agreement[setting]))}"
    facts = (
        f"reached {share(float(scores.reached[setting]))} of the best",
        f"slope {short(float(scores.slope[setting]))}{pictures}",
        f"gray {share(float(scores.sparsity[setting]))}",
        recognised,
    )
    return Row(
        title=found.names.get(setting, f"setting {draw.number}"),
        lines=(
            f"rank {rank} of {len(found.draws)}, score {short(float(scores.score[setting]))}",
            label(draw.preset),
            "; ".join(fact for fact in facts if fact),
        ),
        pictures=tuple(
            Picture(tile, (short(float(reached)),))
            for place in found.outcomes
            for tiles, numbers in zip(place[setting].tiles, place[setting].numbers["reached"], strict=True)
            for tile, reached in zip(tiles, numbers, strict=True)
        ),
        begins=begins,
    )


SHOWS = {"strength": "contrast {}", "high": "high {}", "sparsity": "gray {}"}
"""What is said of the number that a regularizer acts on."""


def of_sweep(swept: Swept) -> Sheet:
    """For every unit a row of each regularizer, from none to too strong."""
    most = max(len(effect.strengths) for effect in EFFECTS)
    return Sheet(
        title="What each regularizer does by itself",
        lead=f"{_where(swept.places)}, {plural(swept.steps, 'step')} at rate 100 from seed {swept.seed}. Below each "
        "picture: the strength, the activation reached, and the number that the regularizer acts on, which is the "
        "contrast (root mean square of the pixels around the mean colour), the share of the power in high frequencies, "
        "or the share of gray pixels. Images are shown around gray, each by its largest value.",
        columns=(("none", 1), *((" ", 1),) * (most - 1), ("strong", 1)),
        rows=tuple(
            _effect(place, effects, unit, effect)
            for place, effects in zip(swept.places, swept.outcomes, strict=True)
            for unit in range(len(place.units))
            for effect in range(len(EFFECTS))
        ),
    )


def _effect(place: Place, effects: tuple[tuple[Outcome, ...], ...], unit: int, which: int) -> Row:
    effect = EFFECTS[which]
    strengths = ("none", *(f"{strength:g}" for strength, _ in effect.strengths))
    return Row(
        title=effect.name,
        lines=(effect.option,),
        pictures=tuple(
            Picture(outcome.tiles[unit, 0], (said, _reached(outcome, unit), _shown(outcome, unit, effect.shows)))
            for said, outcome in zip(strengths, effects[which], strict=True)
        ),
        begins=_named(place, place.units[unit]) if which == 0 else "",
    )


def _reached(outcome: Outcome, unit: int) -> str:
    return f"reached {short(float(outcome.numbers['reached'][unit, 0]))}"


def _shown(outcome: Outcome, unit: int, what: str) -> str:
    value = float(outcome.numbers[what][unit, 0])
    return SHOWS[what].format(short(value) if what == "strength" else share(value))


def _named(place: Place, unit: int) -> str:
    """`conv2, unit 3`, of an output also its label."""
    model = place.model
    label = f": {model.labels[unit]}" if model.labels and model.outline.has_classes(place.layer) else ""
    return f"{place.layer.name}, unit {unit}{label}"


def _where(places: tuple[Place, ...]) -> str:
    layers = ", ".join(place.layer.name for place in places)
    return f"{places[0].model.section.name}: {plural(sum(len(place.units) for place in places), 'unit')} of {layers}"


def page(sheet: Sheet) -> str:
    """One file that opens from disk, loads nothing and runs nothing."""
    count = sum(len(row.pictures) for row in sheet.rows)
    embed = for_screen(count)

    def shown(row: Row) -> Iterator[Shown]:
        for picture in row.pictures:
            yield Shown(embed(picture.pixels[None], 1), picture.lines)

    rows = [(row, list(shown(row))) for row in sheet.rows]
    return fill("sheet.html", sheet=sheet, rows=rows, version=__version__)
