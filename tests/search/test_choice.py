"""The few that are chosen: against all sets of four one by one, on planted points, and from the better part only."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.search.choice import BETTER, complementary, farthest, features, look, ranked


def smallest(points: np.ndarray, members: tuple[int, ...]) -> float:
    """The distance of the two nearest members."""
    return min(float(np.sqrt(((points[a] - points[b]) ** 2).sum())) for a, b in combinations(members, 2))


@given(st.integers(0, 10_000), st.integers(4, 11), st.integers(1, 4), st.integers(2, 4))
def test_no_other_set_is_farther_apart(seed: int, count: int, dimensions: int, few: int) -> None:
    points = np.random.default_rng(seed).normal(size=(count, dimensions))
    found = farthest(points, few)
    best = max(smallest(points, members) for members in combinations(range(count), few))
    assert len(set(found)) == few
    assert found == tuple(sorted(found))
    assert smallest(points, found) == pytest.approx(best, rel=1e-12)


def test_four_planted_corners_are_found_in_a_crowd() -> None:
    crowd = np.random.default_rng(0).uniform(0.3, 0.7, (60, 2))
    points = np.insert(crowd, [5, 17, 17, 44], [[0, 0], [1, 0], [0, 1], [1, 1]], axis=0)
    assert farthest(points, 4) == (5, 18, 19, 47)


def test_of_equal_sets_the_first_is_taken() -> None:
    assert farthest(np.zeros((6, 2)), 4) == (0, 1, 2, 3)
    assert farthest(np.array([[0.0], [1.0], [0.0], [1.0], [0.0]]), 2) == (0, 1)


def test_more_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match="4 of 3 points"):
        farthest(np.zeros((3, 2)), 4)


def test_only_the_better_part_is_chosen_from() -> None:
    random = np.random.default_rng(2)
    scores, numbers, looks = random.random(100), random.normal(size=(100, 3)), random.random((100, 12))
    looks[np.argsort(scores)[:50]] *= 1000  # the worst are the most different
    found = complementary(scores, numbers, looks)
    better = sorted(range(100), key=lambda setting: -scores[setting])[: round(BETTER * 100)]
    assert set(found) <= set(better)
    assert list(found) == sorted(found, key=lambda setting: -scores[setting])
    points = features(numbers[better], looks[better])
    best = max(smallest(points, members) for members in combinations(range(len(better)), 4))
    assert smallest(points, tuple(better.index(setting) for setting in found)) == pytest.approx(best)


def test_few_settings_leave_four_to_choose() -> None:
    assert complementary(np.array([0.1, 0.4, 0.2, 0.3, 0.0]), np.zeros((5, 1)), np.zeros((5, 1))) == (1, 3, 2, 0)


def test_unknown_scores_rank_last_and_equals_in_their_order() -> None:
    assert ranked(np.array([0.5, np.nan, 0.9, 0.5])).tolist() == [2, 0, 3, 1]


def test_numbers_and_looks_weigh_the_same_whatever_their_size() -> None:
    random = np.random.default_rng(0)
    numbers, looks = random.normal(size=(50, 4)) * [1, 10, 100, 1000] + 7, random.random((50, 192))
    points = features(numbers, looks)
    for part in (points[:, :4], points[:, 4:]):
        squares = [((one - other) ** 2).sum() for one in part for other in part]
        assert np.mean(squares) == pytest.approx(1)
    standard = points[:, :4].std(axis=0)
    np.testing.assert_allclose(standard, standard[0])


def test_an_unknown_number_is_an_average_one_and_a_constant_says_nothing() -> None:
    points = features(np.array([[1.0, 5.0], [np.nan, 5.0], [3.0, 5.0]]), np.zeros((3, 2)))
    assert points[1, 0] == 0
    assert points[0, 0] == -points[2, 0] < 0
    assert (points[:, 1:] == 0).all()


def test_a_picture_is_looked_at_from_afar() -> None:
    tile = np.zeros((16, 16, 3), np.uint8)
    tile[:2, :2] = 255
    tile[14:, 14:, 1] = 51
    seen = look(tile).reshape(8, 8, 3)
    assert seen[0, 0].tolist() == [1, 1, 1]
    assert seen[7, 7].tolist() == pytest.approx([0, 0.2, 0])
    assert seen.sum() == pytest.approx(3.2)
