"""Images that excite a direction of a layer's space, a whole layer, or a sum over several, instead of one unit.

Single units are not special: random directions give pictures as good (Szegedy et al. 2014, section 3). A layer's energy
is DeepDream's objective (Mordvintsev et al. 2015).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from audit.analyses.optimized import optimized
from audit.analyses.task import Task
from audit.ascent.objective import Everywhere, Reading, Where
from audit.ascent.rows import Direction
from audit.config import DirectionSection, LayerSection
from audit.errors import SectionError, nearest
from audit.records import Layer, Outline, Pictures


class Directions:
    """Every direction of the section with every preset from `images` start images."""

    needs_data: ClassVar[bool] = False

    def run(self, task: Task) -> Pictures:
        """Tiles as those of optimized units; a row per direction, under its name."""
        outline = task.model.outline
        made = []
        for section in sections(task.section):
            direction = resolved(section, task.layer, outline, task.seed, task.folder)
            readings = [_reading(outline.layer(other.layer), other.reading) for other in section.others]
            made.append(optimized(task, [direction], everywhere(section), readings))
        return Pictures(
            layer=task.layer.name,
            kind="directions",
            units=tuple(range(len(made))),
            tiles=np.concatenate([one.tiles for one in made]),
            captions=tuple(caption for one in made for caption in one.captions),
            groups=made[0].groups,
            note=f"Each is a weighted sum of activations, made larger as a unit's is. {made[0].note}",
            names=tuple(section.name for section in sections(task.section)),
        )


def sections(section: LayerSection) -> tuple[DirectionSection, ...]:
    """The directions that a section lists, or the random ones that it counts."""
    if isinstance(section.directions, str):
        count = int(section.directions.removeprefix("random:"))
        return tuple(DirectionSection(name=f"random direction {number}", random=number) for number in range(count))
    return section.directions


def everywhere(section: DirectionSection) -> Everywhere | None:
    """How the layer is read on the whole input; None: at one position, and so on its receptive field."""
    return None if section.reading == "centre" else section.reading


def resolved(section: DirectionSection, layer: Layer, outline: Outline, seed: int, folder: Path) -> Direction:
    """The weights of the layer's units, and then of those of the other layers.

    SectionError, naming the option, for a unit, a layer or a file that there is not.
    """
    own = _weights(section, layer, seed, folder)
    return Direction(section.name, tuple(np.concatenate([own, *_others(section, outline)]).tolist()))


def _weights(section: DirectionSection, layer: Layer, seed: int, folder: Path) -> Float[np.ndarray, " unit"]:
    if section.units is not None:
        return _at(section.units, layer, "units")
    if section.file is not None:
        return _read(folder / section.file, section.row, layer)
    if section.random is not None:
        drawn = np.random.default_rng((seed, section.random)).normal(size=layer.units)
        return np.asarray(drawn / np.linalg.norm(drawn))
    return np.ones(layer.units)


def _others(section: DirectionSection, outline: Outline) -> Iterator[Float[np.ndarray, " unit"]]:
    for other in section.others:
        names = [layer.name for layer in outline.layers]
        if other.layer not in names:
            raise SectionError("others", f'no layer "{other.layer}"{nearest(other.layer, names)}')
        yield _at(other.units, outline.layer(other.layer), "others")


def _at(weights: Mapping[str, float], layer: Layer, option: str) -> Float[np.ndarray, " unit"]:
    values = np.zeros(layer.units)
    for unit, weight in weights.items():
        if not unit.isdecimal() or int(unit) >= layer.units:
            raise SectionError(
                option, f'no unit {unit} in layer "{layer.name}": it has the units 0 to {layer.units - 1}'
            )
        values[int(unit)] = weight
    return values


def _read(file: Path, row: int, layer: Layer) -> Float[np.ndarray, " unit"]:
    try:
        values = np.atleast_2d(np.load(file, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise SectionError("file", f"{file} cannot be read as .npy: {error}") from None
    if values.ndim != 2 or values.shape[1] != layer.units or not np.issubdtype(values.dtype, np.number):
        needed = f"{layer.name} needs rows of {layer.units} numbers"
        raise SectionError("file", f"{file} holds {values.dtype} of shape {values.shape}; {needed}")
    if row >= len(values):
        raise SectionError("row", f"{file} has {len(values)} rows, 0 to {len(values) - 1}")
    return np.asarray(values[row], np.float64)


def _reading(layer: Layer, reading: str) -> Reading:
    where: Where = layer.centre if reading == "centre" else "mean" if reading == "mean" else "energy"
    return Reading(layer, where)
