"""Scores of settings: each number against a loop, planted settings in the right order, unknown numbers at the end."""

import numpy as np
import pytest

from audit.search.scores import relative, scores, standing

NAMES = ("reached", "slope", "sparsity", "variation", "probability", "agreement")


def numbers(settings: int, units: int = 3, seeds: int = 2, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    made = {name: random.uniform(0.1, 5, (settings, units, seeds)) for name in NAMES}
    made["slope"] *= -1
    return made


def test_reached_is_a_share_of_the_best_on_that_unit() -> None:
    made = numbers(7)["reached"]
    found = relative(made)
    for setting, unit, seed in np.ndindex(made.shape):
        best = max(made[:, unit, :].flat)
        assert found[setting, unit, seed] == pytest.approx(made[setting, unit, seed] / best)


def test_what_never_fired_has_reached_nothing_and_a_unit_that_nobody_excites_is_left_out() -> None:
    reached = np.array([[[2.0], [-1.0]], [[np.nan], [-2.0]], [[-3.0], [np.nan]]])
    found = relative(reached)
    assert found[:, 0, 0].tolist() == [1, 0, 0]
    assert np.isnan(found[:, 1]).all()
    made = numbers(3, 2, 1) | {"reached": reached}
    assert scores(made, np.full(2, -2.0)).reached.tolist() == [1, 0, 0]


def test_the_distance_is_from_the_slope_of_pictures_at_that_unit_s_size() -> None:
    made, natural = numbers(5), np.array([-1.0, -2.0, -3.0])
    found = scores(made, natural)
    for setting in range(5):
        distances = [abs(made["slope"][setting, unit, seed] - natural[unit]) for unit in range(3) for seed in range(2)]
        assert found.distance[setting] == pytest.approx(sum(distances) / 6)
        assert found.sparsity[setting] == pytest.approx(made["sparsity"][setting].mean())


def test_standing_is_the_share_of_the_others_that_are_lower() -> None:
    assert standing(np.array([3.0, 1.0, 2.0, np.nan, 9.0])).tolist() == [0.75, 0.25, 0.5, 0, 1]
    assert standing(np.array([1.0, 1.0, 5.0])).tolist() == [0.25, 0.25, 1]
    assert standing(np.array([4.0])).tolist() == [1]


@pytest.mark.parametrize(
    ("name", "better"), [("reached", 2.0), ("sparsity", 2.0), ("variation", 0.5), ("probability", 2.0)]
)
def test_a_setting_that_is_better_in_one_number_scores_higher(name: str, better: float) -> None:
    made = {key: np.ones((3, 2, 1)) for key in NAMES}
    made[name][1] *= better
    found = scores(made, np.full(2, -2.0)).score
    assert found[1] > found[0] == found[2]


def test_a_natural_slope_scores_higher() -> None:
    made = {key: np.ones((3, 1, 1)) for key in NAMES}
    made["slope"] = np.array([-0.5, -2.1, -4.0]).reshape(3, 1, 1)
    found = scores(made, np.array([-2.0])).score
    assert found[1] > found[0] > found[2]


def test_a_gray_picture_is_not_good_for_being_smooth() -> None:
    made = numbers(20) | {"probability": np.full((20, 3, 2), np.nan)}
    made["reached"][4], made["slope"][4], made["sparsity"][4], made["variation"][4] = 0, np.nan, 1e3, 0
    found = scores(made, np.full(3, -2.0))
    assert found.score[4] == pytest.approx((0 + 2 / 3) / 2)
    assert np.isnan(found.distance[4])
    assert np.isfinite(found.score).all()


def test_recognition_is_a_third_of_the_score_only_where_it_was_measured() -> None:
    made = {key: np.ones((2, 1, 1)) for key in NAMES}
    made["probability"] = np.array([0.1, 0.9]).reshape(2, 1, 1)
    found = scores(made, np.array([-2.0])).score
    assert found[1] - found[0] == pytest.approx(1 / 3)
    unasked = scores(made | {"probability": np.full((2, 1, 1), np.nan)}, np.array([-2.0])).score
    assert unasked.tolist() == [0.5, 0.5]


def test_settings_are_compared_by_what_describes_their_images() -> None:
    found = scores(numbers(4), np.full(3, -2.0))
    assert found.numbers.shape == (4, 4)
    assert found.numbers[:, 1].tolist() == found.slope.tolist()
