"""Settings -> the images that they make of some units of a layer, as pictures and numbers; finished settings are kept.

The settings are climbed in portions that fill a batch, each portion in one ascent, so that a search can be stopped
between any two of them and images at full size are never held but for one portion.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from audit.analyses.optimized import FIRST_GRADIENT
from audit.ascent import quality
from audit.ascent.loop import ascend
from audit.ascent.memory import default_batch
from audit.ascent.presets import Preset
from audit.ascent.rows import Job, Optimized
from audit.data.display import centred, rgb
from audit.measurement import code_digest
from audit.model.load import Model
from audit.records import Pictures, Table
from audit.search.asked import Place
from audit.search.recognition import recognised
from audit.search.thumbnails import thumbnail
from audit.store.work import Made, Work, key

KIND = "search"


@dataclass(frozen=True)
class Outcome:
    """What a setting made of some units of a layer: small pictures, and numbers of the images at full size.

    "reached" is the activation, "strength" the root mean square of the pixels around the mean colour. Of the image as
    it is shown, scaled by its largest value: "slope", "high", "sparsity", "variation" (audit.ascent.quality). What a
    second model says of the unit's class: "probability", "agreement".
    """

    tiles: UInt8[np.ndarray, "unit seed y x 3"]
    numbers: Mapping[str, Float[np.ndarray, "unit seed"]]


def outcomes(
    place: Place,
    presets: Sequence[Preset],
    seeds: Sequence[int],
    *,
    work: Work,
    second: Model | None = None,
    advance: Callable[[int], None],
) -> list[Outcome]:
    """Of every preset in order; `advance` hears of steps. What the same things made before is not made again."""
    names = {preset: _key(place, preset, seeds, second) for preset in presets}
    found: dict[Preset, Outcome] = {}
    for preset, name in names.items():
        if (kept := work.get(name)) is not None:
            found[preset] = _restored(kept, place, seeds)
            advance(preset.steps * len(place.units) * len(seeds))
    missing = sorted((preset for preset in names if preset not in found), key=lambda preset: -preset.steps)
    size = _portion(place, seeds)
    for portion in (missing[start : start + size] for start in range(0, len(missing), size)):
        for preset, outcome in zip(portion, _made(place, portion, seeds, second, advance), strict=True):
            work.put(names[preset], _kept(outcome, place))
            found[preset] = outcome
    return [found[preset] for preset in presets]


def count_steps(place: Place, presets: Sequence[Preset], seeds: Sequence[int]) -> int:
    """How many steps `outcomes` will report."""
    return sum(preset.steps for preset in dict.fromkeys(presets)) * len(place.units) * len(seeds)


def _portion(place: Place, seeds: Sequence[int]) -> int:
    """How many settings fill a batch."""
    return max(1, default_batch(place.canvas.size, place.model.device) // (len(place.units) * len(seeds)))


def _made(
    place: Place,
    presets: Sequence[Preset],
    seeds: Sequence[int],
    second: Model | None,
    advance: Callable[[int], None],
) -> list[Outcome]:
    model = place.model
    images = ascend(
        model.network,
        place.layer,
        [Job(unit, preset, seed) for preset in presets for unit in place.units for seed in seeds],
        place.canvas,
        mean=model.mean,
        std=model.std,
        first_gradient=FIRST_GRADIENT if place.section.rates == "scaled" else None,
        listener=_Steps(advance),
    )
    each = len(place.units) * len(seeds)
    return [_outcome(images[start : start + each], place, second) for start in range(0, len(images), each)]


def _outcome(images: Sequence[Optimized], place: Place, second: Model | None) -> Outcome:
    """Of one preset's images, unit by unit."""
    top, left, bottom, right = place.canvas.crop
    pixels = np.stack([image.image for image in images])
    field = pixels[:, :, top:bottom, left:right]
    shown = centred(field)
    around = 255 * (shown - 0.5)
    numbers = {
        "reached": np.array([_reached(image) for image in images], np.float64),
        "strength": np.sqrt(np.square(field.astype(np.float64)).mean(axis=(1, 2, 3))),
        "slope": quality.spectrum_slope(around),
        "high": quality.high_frequency_share(around),
        "sparsity": quality.sparsity(around),
        "variation": quality.total_variation(around),
        **recognised(second, pixels, place, [image.job.unit for image in images]),
    }
    shape = len(place.units), len(images) // len(place.units)
    tiles = thumbnail(rgb(shown))
    return Outcome(
        tiles.reshape(*shape, *tiles.shape[1:]),
        {name: np.asarray(column, np.float64).reshape(shape) for name, column in numbers.items()},
    )


def _reached(image: Optimized) -> float:
    """The activation on the image that is shown: the last one, or the best."""
    return image.last if image.job.preset.shown == "last" else image.best


def _key(place: Place, preset: Preset, seeds: Sequence[int], second: Model | None) -> str:
    section = place.model.section
    return key(
        search="setting",
        code=code_digest(),
        weights=place.model.digest,
        device=place.model.device.type,
        input=[section.input, section.mean, section.std],
        layer=place.layer.name,
        units=place.units,
        canvas=place.section.canvas,
        rates=place.section.rates,
        preset=repr(preset),
        seeds=list(seeds),
        second=None if second is None else [second.digest, second.section.mean, second.section.std],
    )


def _kept(outcome: Outcome, place: Place) -> list[Made]:
    """As records: the pictures, and a row of numbers for each."""
    units, seeds = outcome.tiles.shape[:2]
    captions = (("",) * seeds,) * units
    pictures = Pictures(place.layer.name, KIND, place.units, outcome.tiles, captions, (), "")
    return [pictures, Table(KIND, {name: column.reshape(-1) for name, column in outcome.numbers.items()})]


def _restored(kept: Sequence[Made], place: Place, seeds: Sequence[int]) -> Outcome:
    pictures, table = kept
    assert isinstance(pictures, Pictures)
    assert isinstance(table, Table)
    shape = len(place.units), len(seeds)
    return Outcome(pictures.tiles[:], {name: column.reshape(shape) for name, column in table.columns.items()})


@dataclass(frozen=True)
class _Steps:
    """Hears of the steps of every portion and hands them on."""

    hand_on: Callable[[int], None]

    def begin(self, work: str, total: int) -> None: ...

    def advance(self, work: str, steps: int) -> None:
        self.hand_on(steps)

    def end(self, work: str) -> None: ...
