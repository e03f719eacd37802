"""Claims: what was measured -> what holds here; too little never holds."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from audit.claims.rank import held, rank
from audit.claims.supplement import of_distributions, of_filters, of_layers, outlier_share, spread
from audit.records import Histogram, Layer, Outline

RANDOM = np.random.default_rng(0)


def filters(count: int = 40, sign: float = -1.0, noise: float = 0.1) -> dict[str, np.ndarray]:
    frequency = np.linspace(0.05, 0.5, count)
    shaken = sign * frequency + noise * 0.1 * RANDOM.normal(size=count)
    return {
        "frequency": frequency,
        "is_colour": np.zeros(count),
        "colourfulness": np.zeros(count),
        "mean_activated": 1 + shaken,
        "next_weight": 1 - shaken,
        "gradient_energy": 1 - shaken,
    }


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    truth = 6 / np.pi * np.arcsin(0.6 / 2)  # Spearman's of a normal pair with correlation 0.6
    pairs = RANDOM.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=(2000, 40))
    found = [rank(sample[:, 0], sample[:, 1]) for sample in pairs]
    assert np.mean([one.low <= truth <= one.high for one in found]) == pytest.approx(0.95, abs=0.015)
    assert found[0].measured == pytest.approx(spearmanr(pairs[0, :, 0], pairs[0, :, 1]).statistic)


def test_a_claim_holds_is_contradicted_or_neither() -> None:
    up, noise = np.arange(20.0), RANDOM.normal(size=20)
    assert held("grows", rank(up, up), 1, "").outcome == "holds"
    assert held("grows", rank(up, -up), 1, "").outcome == "contradicted"
    assert held("falls", rank(up, -up), -1, "").outcome == "holds"
    assert held("grows", rank(up, noise), 1, "").outcome == "inconclusive"


def test_too_few_or_equal_numbers_are_inconclusive() -> None:
    for pair in [(np.arange(5.0), np.arange(5.0)), (np.arange(9.0), np.ones(9)), (np.full(9, np.nan), np.arange(9.0))]:
        found = rank(*pair)
        assert np.isnan(found.measured)
        assert (found.low, found.high) == (-1, 1)
        assert held("grows", found, 1, "").outcome == "inconclusive"


def test_a_network_as_in_the_paper_agrees_with_it() -> None:
    assert [claim.outcome for claim in of_filters(filters())] == ["holds"] * 3


def test_a_network_the_other_way_round_contradicts_it() -> None:
    assert [claim.outcome for claim in of_filters(filters(sign=1.0))] == ["contradicted"] * 3


def test_colour_filters_are_not_asked_for_their_frequency() -> None:
    columns = filters()
    columns["is_colour"][:35] = 1
    columns["mean_activated"][:35] = 100 * columns["frequency"][:35]
    assert [claim.count for claim in of_filters(columns)] == [5, 5, 5]


def test_colourful_filters_of_low_frequency_are_two_streams() -> None:
    columns = filters()
    columns["colourfulness"] = 1 - columns["frequency"]
    assert [claim.outcome for claim in of_filters(columns)][-1] == "holds"


def test_what_was_not_measured_is_not_claimed() -> None:
    assert list(of_filters({})) == []
    columns = filters()
    del columns["next_weight"], columns["gradient_energy"]
    assert len(list(of_filters(columns))) == 1


def test_the_outliers_of_a_layer_carry_their_share() -> None:
    assert outlier_share(np.array([10.0] + [1.0] * 19)) == pytest.approx(100 / 119)
    assert outlier_share(np.ones(100)) == pytest.approx(0.05)
    assert outlier_share(np.array([np.nan, 2.0, 0.0])) == 1.0
    assert np.isnan(outlier_share(np.zeros(3)))
    assert np.isnan(outlier_share(np.array([np.nan])))


def test_outliers_that_grow_with_depth_are_seen() -> None:
    layers = [Layer(f"relu{depth}", "ReLU", (40, 4, 4), 0, True, f"relu{depth}", None) for depth in range(10)]
    columns = {
        layer.name: {"std": np.array([1.0 + depth] + [1.0] * 39), "mean": np.ones(40)}
        for depth, layer in enumerate(layers)
    }
    (claim,) = of_layers(Outline((3, 8, 8), tuple(layers)), columns)
    assert claim.outcome == "holds"
    assert claim.count == 10
    table = spread(Outline((3, 8, 8), tuple(layers)), columns)
    assert table.columns["layer"].tolist() == [layer.name for layer in layers]
    assert table.columns["outliers"][9] == pytest.approx((100 + 1) / (100 + 39))
    assert not table.columns["means"].any()


def distributions(shapes: list[np.ndarray]) -> tuple[Histogram, np.ndarray]:
    edges = np.concatenate([[0.0], np.geomspace(1e-3, 1e4, 200)])
    counts = np.array([np.histogram(values, edges)[0] for values in shapes])
    mean = np.array([values.mean() for values in shapes])
    return Histogram("relu", np.tile(edges, (len(shapes), 1)), counts), mean


def test_units_that_differ_in_scale_only_have_one_shape() -> None:
    shapes = [scale * RANDOM.exponential(size=20_000) for scale in (0.1, 1.0, 3.0, 50.0)]
    (claim,) = of_distributions(*distributions(shapes))
    assert claim.outcome == "holds"
    assert claim.high < 0.03


def test_units_of_different_shapes_are_told_apart() -> None:
    shapes = [RANDOM.exponential(size=20_000), 1 + 0.01 * RANDOM.random(20_000), RANDOM.pareto(1.5, 20_000) + 1e-3]
    (claim,) = of_distributions(*distributions(shapes))
    assert claim.outcome == "contradicted"


def test_units_that_were_not_finite_do_not_hide_a_layers_spread() -> None:
    layers = (Layer("relu", "ReLU", (4,), 0, True, "relu", None), Layer("bare", "ReLU", (4,), 0, True, "bare", None))
    columns = {
        "relu": {"std": np.array([1.0, 1.0, np.nan, 1.0]), "mean": np.array([1.0, 3.0, np.nan, 2.0])},
        "bare": {},
    }
    table = spread(Outline((3, 8, 8), layers), columns)
    assert table.columns["layer"].tolist() == ["relu"]
    assert table.columns["means"][0] == pytest.approx(np.std([1, 3, 2]) / 2)
    assert table.columns["outliers"][0] == pytest.approx(1 / 3)


def test_a_block_that_ends_in_a_relu_does_not_count_it_twice() -> None:
    kinds = ("ReLU", "Fire", "Dropout", "silu", "MaxPool2d")
    layers = tuple(Layer(kind, kind, (4,), 0, True, kind, None) for kind in kinds)
    columns = {kind: {"std": np.ones(4), "mean": np.ones(4)} for kind in kinds}
    assert spread(Outline((3, 8, 8), layers), columns).columns["layer"].tolist() == ["ReLU", "silu"]
