"""The name of a statistic -> the reducers that measure it."""

from collections.abc import Mapping
from dataclasses import dataclass

from audit.stream.correlation import Correlation
from audit.stream.firing import Firing
from audit.stream.histogram import Distribution
from audit.stream.maps import Maps
from audit.stream.moments import Moments
from audit.stream.reducer import Reducer
from audit.stream.saturation import Saturation
from audit.stream.selectivity import Selectivity
from audit.stream.strongest import Strongest


@dataclass(frozen=True)
class Truth:
    """What is known of the pictures: image index -> output index, and how many outputs there are."""

    labels: Mapping[int, int]
    classes: int


def activations(truth: Truth) -> list[Reducer]:
    """Mean, spread and extremes, how often the units fire, the strongest and the weakest images."""
    return [Moments(), Firing(), Strongest()]


def distributions(truth: Truth) -> list[Reducer]:
    """Histogram, quantiles, and how often a unit is at its largest value."""
    return [Distribution(), Saturation()]


def correlations(truth: Truth) -> list[Reducer]:
    """Which units of a layer say the same."""
    return [Correlation()]


def selectivity(truth: Truth) -> list[Reducer]:
    """Which class each unit prefers, and how much."""
    return [Selectivity(truth.labels, truth.classes)]


def maps(truth: Truth) -> list[Reducer]:
    """How sparse and how local the maps of the units are."""
    return [Maps()]
