"""How much optimized images vary by depth: planted layers hold, contradict, or say too little."""

import numpy as np
import pytest

from audit.claims.variation import of_variation, variations
from audit.records import Layer, Outline, Pictures

RANDOM = np.random.default_rng(0)


def layer(name: str, activation: str | None = None) -> Layer:
    rectifier = activation == name
    return Layer(name, "ReLU" if rectifier else "Conv2d", (50, 1, 1), 1, rectifier, activation, None)


def pictures(name: str, pixels: np.ndarray, presets: tuple[str, ...] = ("p",)) -> Pictures:
    """Two images per preset of as many units as there are numbers."""
    units, tiles = len(pixels), 2 * len(presets)
    numbers = {key: np.repeat(pixels[:, None], tiles, axis=1) for key in ("pixel_diversity", "diversity", "activation")}
    blank, captions = np.zeros((units, tiles, 1, 1, 3), np.uint8), (("",) * tiles,) * units
    return Pictures(name, "optimized", tuple(range(units)), blank, captions, presets, "", numbers)


def planted(means: list[float], units: int = 30, noise: float = 0.02) -> tuple[Outline, list[Pictures]]:
    """A layer per mean, in the order of execution; the records in another order."""
    names = [f"conv{index}" for index in range(len(means))]
    records = [
        pictures(name, mean + noise * RANDOM.normal(size=units)) for name, mean in zip(names, means, strict=True)
    ]
    return Outline((3, 8, 8), tuple(map(layer, names))), records[::-1]


@pytest.mark.parametrize(
    ("means", "outcome"),
    [
        ([0.1, 0.3, 0.5, 0.7], "holds"),
        ([0.7, 0.5, 0.3, 0.1], "contradicted"),
        ([0.3, 0.7, 0.1, 0.5, 0.3], "inconclusive"),
        ([0.5, 0.5, 0.5, 0.5], "inconclusive"),
    ],
)
def test_the_claim_is_held_against_the_layers(means: list[float], outcome: str) -> None:
    (claim,) = of_variation(*planted(means))
    assert claim.outcome == outcome
    assert claim.count == len(means)
    assert claim.low <= claim.measured <= claim.high


def test_three_layers_say_nothing_of_depth() -> None:
    assert list(of_variation(*planted([0.1, 0.3, 0.5]))) == []
    assert len(variations(*planted([0.1, 0.3, 0.5]))) == 1


def test_two_units_of_a_layer_are_too_few_for_an_interval() -> None:
    outline, records = planted([0.1, 0.3, 0.5, 0.7], units=2)
    (claim,) = of_variation(outline, records)
    assert (claim.outcome, claim.measured, claim.low, claim.high) == ("inconclusive", pytest.approx(1), -1, 1)
    (table,) = variations(outline, records)
    assert np.isnan(table.columns["low"]).all()


def test_a_layer_and_its_rectifier_are_counted_once() -> None:
    outline = Outline((3, 8, 8), (layer("conv", "relu"), layer("relu", "relu"), layer("fc")))
    (table,) = variations(outline, [pictures(name, np.full(4, 0.5)) for name in ("conv", "relu", "fc")])
    assert table.columns["layer"].tolist() == ["relu", "fc"]
    (alone,) = variations(outline, [pictures(name, np.full(4, 0.5)) for name in ("conv", "fc")])
    assert alone.columns["layer"].tolist() == ["conv", "fc"]


def test_the_table_has_the_mean_over_the_units_that_are_known() -> None:
    values = np.array([0.2, 0.4, np.nan, 0.9])
    outline = Outline((3, 8, 8), (layer("conv"), layer("fc")))
    (table,) = variations(outline, [pictures("conv", values, ("p", "q")), pictures("fc", np.full(3, np.nan))])
    assert table.columns["preset"].tolist() == ["p", "q"]
    assert table.columns["units"].tolist() == [3, 3]
    np.testing.assert_allclose(table.columns["pixels"], 0.5)
    assert variations(outline, [pictures("fc", np.full(3, np.nan))]) == []


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    outline, covered = Outline((3, 8, 8), (layer("conv"),)), []
    for _ in range(300):
        (table,) = variations(outline, [pictures("conv", 0.5 + 0.1 * RANDOM.normal(size=40))])
        covered.append(table.columns["low"][0] <= 0.5 <= table.columns["high"][0])
    assert np.mean(covered) == pytest.approx(0.94, abs=0.04)  # the percentile bootstrap is a little too narrow
