"""The name of a statistic -> the reducers that measure it."""

from collections.abc import Mapping
from dataclasses import dataclass

from audit.stream.firing import Firing
from audit.stream.moments import Moments
from audit.stream.reducer import Reducer
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
    """Histogram and quantiles."""
    from audit.stream.histogram import Distribution

    return [Distribution()]


def correlations(truth: Truth) -> list[Reducer]:
    """Which units of a layer say the same."""
    from audit.stream.correlation import Correlation

    return [Correlation()]


def selectivity(truth: Truth) -> list[Reducer]:
    """Which class each unit prefers, and how much."""
    from audit.stream.selectivity import Selectivity

    return [Selectivity(truth.labels, truth.classes)]


def maps(truth: Truth) -> list[Reducer]:
    """How sparse and how local the maps of the units are."""
    from audit.stream.maps import Maps

    return [Maps()]
