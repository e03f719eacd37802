"""Neighbours that are kept, against plain loops; equally far ones as the mean over all orders."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn import manifold

from audit.analyses.neighbours import agreement, kept, nearest, trustworthiness


def points(count: int, axes: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, axes))


def apart(values: np.ndarray) -> np.ndarray:
    return np.asarray(cdist(values, values))


def in_order(distances: np.ndarray, one: int) -> list[int]:
    """The others, nearest first."""
    return sorted((other for other in range(len(distances)) if other != one), key=lambda other: distances[one, other])


def by_loops(distances: np.ndarray, plane: np.ndarray, count: int) -> tuple[float, float]:
    """Trustworthiness (Venna and Kaski 2001, equation 1), and the share of the neighbours that are kept."""
    total, cost, common = len(distances), 0, 0
    for one in range(total):
        truly, shown = in_order(distances, one), in_order(plane, one)[:count]
        for other in shown:
            rank = truly.index(other) + 1
            cost += max(0, rank - count)
            common += other in truly[:count]
    return 1 - 2 * cost / (total * count * (2 * total - 3 * count - 1)), common / (total * count)


@given(st.integers(9, 30), st.integers(1, 4), st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_numbers_are_those_of_plain_loops(total: int, count: int, seed: int) -> None:
    codes, plane = points(total, 6, seed), points(total, 2, seed + 100)
    plane[:, 0] += codes[:, 0]
    near = nearest(apart(plane), count)
    expected, common = by_loops(apart(codes), apart(plane), count)
    assert trustworthiness(apart(codes), near, count) == pytest.approx(expected)
    assert trustworthiness(apart(codes), near, count) == pytest.approx(
        manifold.trustworthiness(codes, plane, n_neighbors=count)
    )
    assert kept(nearest(apart(codes), count), near, count) == pytest.approx(common)


def test_who_keeps_all_is_trusted_and_who_turns_all_around_is_not() -> None:
    line = np.arange(20.0)[:, None]
    assert trustworthiness(apart(line), nearest(apart(line), 4), 4) == 1
    assert kept(nearest(apart(line), 4), nearest(apart(line), 4), 4) > 0.8  # the ends of the four are equally far
    turned = apart(line).max() - apart(line)
    assert trustworthiness(apart(line), nearest(turned, 4), 4) < 0.2


def test_the_equally_far_share_what_is_left_as_in_the_mean_over_all_orders() -> None:
    corners = np.indices((2, 3)).reshape(2, -1).T
    distances = apart(corners)
    counted, orders = np.zeros((6, 6)), list(permutations(range(6)))
    for order in orders:
        for one in range(6):
            others = [other for other in order if other != one]
            counted[one, sorted(others, key=lambda other: distances[one, other])[:2]] += 1
    np.testing.assert_allclose(nearest(distances, 2), counted / len(orders))


@given(st.permutations(range(12)), st.integers(1, 5))
@settings(deadline=None, max_examples=25)
def test_the_order_of_the_pictures_does_not_matter(order: list[int], count: int) -> None:
    codes, grid = np.round(points(12, 3, 0)), np.indices((3, 4)).reshape(2, -1).T
    labels = np.arange(12) % 3 - 1
    mixed = np.array(order)
    found = [
        (
            trustworthiness(apart(those), nearest(apart(places), count), count),
            kept(nearest(apart(those), count), nearest(apart(places), count), count),
            agreement(nearest(apart(places), count), names),
        )
        for those, places, names in ((codes, grid, labels), (codes[mixed], grid[mixed], labels[mixed]))
    ]
    assert found[0] == pytest.approx(found[1])


def test_labels_agree_as_in_plain_loops_and_unknown_ones_say_nothing() -> None:
    plane, labels = points(15, 2, 3), np.array([0, 0, 1, 1, 2, -1, 0, 1, -1, 0, 1, 1, 0, -1, 0])
    distances, shares = apart(plane), []
    for one in range(15):
        known = [other for other in in_order(distances, one)[:4] if labels[other] >= 0]
        if known and labels[one] in (0, 1):  # nobody else has the label 2
            shares.append(sum(labels[other] == labels[one] for other in known) / len(known))
    assert agreement(nearest(distances, 4), labels) == pytest.approx(np.mean(shares))
    assert np.isnan(agreement(nearest(distances, 4), np.full(15, -1)))
    assert np.isnan(agreement(nearest(distances, 4), np.arange(15)))
