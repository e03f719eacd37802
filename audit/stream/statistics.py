"""The name of a statistic -> the reducers that measure it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.data.concepts import Grouping, of_labels
from audit.stream.codes import Codes
from audit.stream.correlation import Correlation, Directions
from audit.stream.detectors import CLASS, CONCEPT, Detectors, Summary
from audit.stream.firing import Firing
from audit.stream.histogram import Distribution
from audit.stream.maps import Maps
from audit.stream.moments import Moments
from audit.stream.reducer import Reducer
from audit.stream.responses import Answering
from audit.stream.rotation import Rotation
from audit.stream.saturation import Saturation
from audit.stream.selectivity import Selectivity
from audit.stream.strongest import Strongest, Weakest


@dataclass(frozen=True)
class Asked:
    """What reducers are told.

    `labels` are image index -> output index, `classes` is how many outputs there are, `kept` how many images of a unit
    are kept, and `file` where a layer's codes are written. There are `images` pictures, of which `concepts` say what
    people know; `seed` makes what is random.
    """

    labels: Mapping[int, int]
    classes: int
    kept: int
    file: Path
    images: int
    concepts: Sequence[Grouping]
    seed: int


def activations(asked: Asked) -> list[Reducer]:
    """Mean, spread and extremes, how often the units fire, the strongest and the weakest images, and responses."""
    return [Moments(), Firing(), Strongest(asked.kept), Weakest(asked.kept), Answering(asked.images)]


def distributions(asked: Asked) -> list[Reducer]:
    """Histogram, quantiles, and how often a unit is at its largest value."""
    return [Distribution(), Saturation()]


def correlations(asked: Asked) -> list[Reducer]:
    """Which units of a layer say the same, and in how many directions they vary."""
    correlation = Correlation()
    return [correlation, Directions(correlation)]


def selectivity(asked: Asked) -> list[Reducer]:
    """Which class each unit prefers, and how much."""
    return [Selectivity(asked.labels, asked.classes)]


def detectors(asked: Asked) -> list[Reducer]:
    """Which units find a class or a concept, beside random directions."""
    classes = [of_labels(asked.labels, asked.classes, asked.images)] if asked.labels else []
    found = Detectors({CLASS: classes, CONCEPT: asked.concepts}, asked.file, asked.seed)
    return [found, Summary(found)]


def rotation(asked: Asked) -> list[Reducer]:
    """How pure units are, and as many random directions."""
    return [Rotation(asked.labels, asked.classes, asked.seed)]


def maps(asked: Asked) -> list[Reducer]:
    """How sparse and how local the maps of the units are."""
    return [Maps()]


def codes(asked: Asked) -> list[Reducer]:
    """A vector per picture, on disk."""
    return [Codes(asked.file)]
