"""Optimized images of all pictured layers -> the paper's figure: a few runs per unit, as large as what the unit sees.

Yosinski et al. 2015, figure 4: deep layers first, four runs of each unit, every image at the size of its unit's
receptive field, so that it shows how much larger and more complex units' subjects grow with depth.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from audit.records import Layer, Pictures, Report
from audit.render.pages.sections import NOTHING
from audit.render.sprites import Embedded, true_size
from audit.render.wording import BY, link, place
from audit.store.sprites import grid
from audit.words import plural

RUNS = 4
PREFERRED = "yosinski-3"
"""The preset that the paper shows where it has room for one; otherwise the first one of a layer."""

ACROSS = 4
"""Width of the figure, in inputs."""

MOST = 12
"""Units of a layer."""

SIDE = 224
"""Pixels on a screen that the longer side of a small input is enlarged to, at most and by a whole number."""


@dataclass(frozen=True)
class Runs:
    """Some images of a unit as one picture, `width` pixels of the input wide; `href` leads to the unit or its layer."""

    href: str
    chip: str
    label: str
    alt: str
    image: Embedded
    width: int


@dataclass(frozen=True)
class Level:
    """Units of one layer."""

    name: str
    href: str
    text: str
    units: tuple[Runs, ...]


@dataclass(frozen=True)
class TrueSize:
    """The figure: a pixel of the input is `zoom` pixels of a screen; on paper `across` of them are the whole width."""

    text: str
    levels: tuple[Level, ...]
    zoom: int
    across: int


def figure_of(report: Report, known: Container[tuple[str, int]] = ()) -> TrueSize | None:
    """The figure; None if fewer than two layers have images. It leads to units that are `known` to have a place."""
    _, height, width = report.outline.input_shape
    optimized = {pictures.layer: pictures for pictures in report.pictures if pictures.kind == "optimized"}
    shown = [
        (layer, optimized[layer.name])
        for layer in reversed(report.outline.layers)
        if layer.name in optimized and 0 not in optimized[layer.name].tiles.shape
    ]
    if len(shown) < 2:
        return None
    across = ACROSS * (width + 2)
    levels = [_level(layer, pictures, report, across, known) for layer, pictures in shown]
    presets = dict.fromkeys(_preset(pictures) for _, pictures in shown)
    text = (
        f"Deep layers first; {plural(RUNS, 'run')} per unit at most, of {' and '.join(presets)}. Every image is as "
        "large as what its unit sees: all of them are drawn to one scale."
    )
    return TrueSize(text, tuple(levels), max(1, SIDE // max(height, width)), across)


def _level(layer: Layer, pictures: Pictures, report: Report, across: int, known: Container[tuple[str, int]]) -> Level:
    labels = report.labels if report.outline.has_classes(layer) and len(report.labels) == layer.units else ()
    units = list(_fitting(layer, pictures, labels, across, known))
    left_out = len(pictures.units) - len(units)
    more = [f"{plural(left_out, 'more unit')} below"] if left_out else []
    field = f"sees {BY.join(map(str, layer.field.size))} pixels" if layer.field else "sees the whole input"
    return Level(layer.name, link(place("layer", layer.name)), ", ".join([field, *more]), tuple(units))


def _fitting(
    layer: Layer, pictures: Pictures, labels: Sequence[str], across: int, known: Container[tuple[str, int]]
) -> Iterator[Runs]:
    """As many units as stand side by side, at least one."""
    preset = _preset(pictures)
    count = len(pictures.captions[0]) // max(len(pictures.groups), 1)
    first = count * (pictures.groups.index(preset) if pictures.groups else 0)
    count = min(count, RUNS)
    width = grid(count)[1] * (pictures.tiles.shape[3] + 1) - 1
    made = [row for row, captions in enumerate(pictures.captions) if not captions[first].lower().startswith(NOTHING)]
    for row in made[: max(1, min(MOST, across // (width + 1)))]:
        unit = pictures.units[row]
        yield Runs(
            href=link(place(*(("unit", layer.name, unit) if (layer.name, unit) in known else ("layer", layer.name)))),
            chip=str(unit),
            label=labels[unit] if labels else "",
            alt=f"{preset} of unit {unit} of {layer.name}, {plural(count, 'run')}",
            image=true_size(pictures.tiles[row, first : first + count]),
            width=width,
        )


def _preset(pictures: Pictures) -> str:
    return PREFERRED if PREFERRED in pictures.groups else (pictures.groups or ("one preset",))[0]
