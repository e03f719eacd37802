"""Optimized images of several layers -> how much they vary from start to start, and whether more so with depth.

Yosinski et al. 2015 see it in their figure of all layers. Varying is measured on the pixels, the only numbers that
images of all layers have in common: each layer's own activations tell apart what that layer can tell apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from audit.claims.rank import Rank, held
from audit.records import Claim, Outline, Pictures, Table

SOURCE = "Yosinski et al. 2015"

LAYERS = 4
"""Fewer pictured layers say nothing of depth."""

UNITS = 3
"""Fewer units of a layer have no interval."""

DRAWS = 2000
PIXELS, CODES = "pixel_diversity", "diversity"


@dataclass(frozen=True)
class Varying:
    """How far apart the images of each unit of a layer are, made by one preset from several starts; 0..2."""

    layer: str
    preset: str
    pixels: Float[np.ndarray, " unit"]
    codes: Float[np.ndarray, " unit"]


def variations(outline: Outline, pictures: Sequence[Pictures]) -> list[Table]:
    """Table "variation", a row per layer, by depth, and preset; none where no unit has several images.

    `units` with several images; `pixels`, mean over them of the mean distance (1 - cosine) between the images of a
    unit, with `low` and `high`, its 95 % interval (percentiles of `DRAWS` bootstrap samples of the units; NaN with
    fewer than `UNITS`); `codes`, the same mean of the layer's own activations, NaN where they are all 0.
    """
    rows = _varying(outline, pictures)
    if not rows:
        return []
    intervals = [_interval(row.pixels) for row in rows]
    columns = {
        "layer": np.array([row.layer for row in rows]),
        "preset": np.array([row.preset for row in rows]),
        "units": np.array([len(row.pixels) for row in rows], np.int64),
        "pixels": np.array([row.pixels.mean() for row in rows]),
        "low": np.array([low for low, _ in intervals]),
        "high": np.array([high for _, high in intervals]),
        "codes": np.array(
            [row.codes[np.isfinite(row.codes)].mean() if np.isfinite(row.codes).any() else np.nan for row in rows]
        ),
    }
    return [Table("variation", columns)]


def of_variation(outline: Outline, pictures: Sequence[Pictures]) -> Iterator[Claim]:
    """A claim per preset with which at least `LAYERS` layers were pictured.

    The number is the rank correlation of depth and a layer's mean; its interval comes from bootstrap samples of each
    layer's units, so it speaks of these layers.
    """
    rows = _varying(outline, pictures)
    for preset in dict.fromkeys(row.preset for row in rows):
        layers = [row.pixels for row in rows if row.preset == preset]
        if len(layers) >= LAYERS:
            text = f"The deeper a layer, the more its images vary from start to start (preset {preset})."
            yield held(text, _with_depth(layers), 1, SOURCE)


def _varying(outline: Outline, pictures: Sequence[Pictures]) -> list[Varying]:
    """By depth. A layer whose rectifier is pictured too is left out: it is climbed there in the same way."""
    found = {record.layer: record for record in pictures if PIXELS in record.numbers}
    layers = [layer for layer in outline.layers if layer.name in found]
    kept = [layer for layer in layers if layer.rectifier or layer.activation not in found]
    rows = [row for layer in kept for row in _of_presets(found[layer.name])]
    return [row for row in rows if len(row.pixels)]


def _of_presets(record: Pictures) -> Iterator[Varying]:
    each = record.tiles.shape[1] // len(record.groups)
    for index, preset in enumerate(record.groups):
        pixels, codes = (record.numbers[name][:, index * each] for name in (PIXELS, CODES))
        known = np.isfinite(pixels)
        yield Varying(record.layer, preset, pixels[known], codes[known])


def _interval(values: Float[np.ndarray, " unit"]) -> tuple[float, float]:
    return (float("nan"), float("nan")) if len(values) < UNITS else interval_of_mean(values)


def interval_of_mean(values: Float[np.ndarray, " value"]) -> tuple[float, float]:
    """The 95 % interval of their mean: percentiles of `DRAWS` bootstrap samples, the same in every run."""
    low, high = np.quantile(_means(values, np.random.default_rng(0)), [0.025, 0.975])
    return float(low), float(high)


def _means(values: Float[np.ndarray, " unit"], random: np.random.Generator) -> Float[np.ndarray, " draw"]:
    """Of bootstrap samples of the units."""
    return np.asarray(values[random.integers(0, len(values), (DRAWS, len(values)))].mean(axis=1))


def _with_depth(layers: Sequence[Float[np.ndarray, " unit"]]) -> Rank:
    measured = _correlation(np.array([[values.mean() for values in layers]]))[0]
    if min(map(len, layers)) < UNITS or not np.isfinite(measured):
        return Rank(float(measured), -1.0, 1.0, len(layers))
    random = np.random.default_rng(0)
    drawn = _correlation(np.stack([_means(values, random) for values in layers], axis=1))
    low, high = np.quantile(np.nan_to_num(drawn, nan=0.0), [0.025, 0.975])
    return Rank(float(measured), float(low), float(high), len(layers))


def _correlation(means: Float[np.ndarray, "draw layer"]) -> Float[np.ndarray, " draw"]:
    """Spearman's, of depth and each row; NaN where all layers are alike."""

    from scipy.stats import rankdata

    depth = np.arange(means.shape[1]) - (means.shape[1] - 1) / 2
    ranks = rankdata(means, axis=1) - (means.shape[1] + 1) / 2
    norms = np.sqrt(np.square(ranks).sum(axis=1) * np.square(depth).sum())
    found: Float[np.ndarray, " draw"] = np.divide(
        ranks @ depth, norms, out=np.full(len(ranks), np.nan), where=norms > 0
    )
    return found
