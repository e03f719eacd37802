"""Units are recognised by what they answer: permutations come back, ties stay where they are, noise moves nobody."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.compare.matching import ROUNDING, correlations, matched
from audit.compare.units import Units, paired, with_places

SEEDS = st.integers(0, 2**31)


def answers(units: int, seed: int, images: int = 60) -> np.ndarray:
    """Units that have something in common, as those of a network have."""
    random = np.random.default_rng(seed)
    return np.asarray(random.normal(size=(units, images)) + random.normal(size=images), np.float32)


def known(said: np.ndarray | None, *, silent: tuple[int, ...] = (), digests: tuple[str, ...] | None = None) -> Units:
    count = len(said) if said is not None else len(digests or ())
    dead = np.isin(np.arange(count), silent)
    return Units(count, digests, said, dead, np.arange(count, dtype=float)[:, None])


def fates(a: Units, b: Units) -> list[tuple[str, str]]:
    return [(str(pair), pair.fate) for pair in with_places(paired(a, b))]


def test_correlations_are_pearsons() -> None:
    a, b = answers(5, 1), answers(4, 2)
    np.testing.assert_allclose(correlations(a, b), np.corrcoef(a, b)[:5, 5:], atol=1e-12)


def test_a_constant_unit_and_one_that_is_not_finite_correlate_with_nobody() -> None:
    said = answers(4, 3)
    said[1], said[2, 7] = 3.5, np.nan
    found = correlations(said, said)
    assert np.isnan(found[[1, 2]]).all()
    assert np.isnan(found[:, [1, 2]]).all()
    np.testing.assert_allclose(np.diag(found)[[0, 3]], 1)


@given(SEEDS, st.integers(1, 40))
@settings(deadline=None, max_examples=60)
def test_a_permutation_is_recovered_through_rounding(seed: int, units: int) -> None:
    said, order = answers(units, seed), np.random.default_rng(seed + 1).permutation(units)
    noise = 1 + 1e-5 * np.random.default_rng(seed + 2).normal(size=said.shape)
    assert matched(correlations(said, said[order] * noise)).tolist() == np.argsort(order).tolist()


@given(SEEDS, st.integers(2, 20))
@settings(deadline=None, max_examples=60)
def test_units_that_say_the_same_stay_where_they_were(seed: int, units: int) -> None:
    random = np.random.default_rng(seed)
    said = answers(units, seed)[random.integers(0, units, units)]
    noise = 1 + ROUNDING / 100 * random.normal(size=said.shape)
    assert matched(correlations(said, said * noise)).tolist() == list(range(units))


@given(SEEDS)
@settings(deadline=None, max_examples=40)
def test_training_that_changes_all_units_moves_none(seed: int) -> None:
    said = answers(24, seed)
    other = said + np.random.default_rng(seed + 1).normal(size=said.shape).astype(np.float32) * 1.5
    assert matched(correlations(said, other)).tolist() == list(range(24))


def test_units_that_were_permuted_and_trained_a_little_have_moved() -> None:
    said, order = answers(24, 5), np.random.default_rng(6).permutation(24)
    other = said[order] + np.random.default_rng(7).normal(size=said.shape).astype(np.float32) * 0.3
    assert matched(correlations(said, other)).tolist() == np.argsort(order).tolist()


def test_in_a_wider_layer_every_unit_finds_itself_and_new_ones_appear() -> None:
    wide = answers(9, 8)
    a, b = known(wide[[0, 2, 3, 4, 6, 8]]), known(wide)
    assert fates(a, b) == [
        *[("0", "same"), ("1 -> 2", "moved"), ("2 -> 3", "moved"), ("3 -> 4", "moved")],
        *[("4 -> 6", "moved"), ("5 -> 8", "moved"), ("none -> 1", "appeared")],
        *[("none -> 5", "appeared"), ("none -> 7", "appeared")],
    ]
    gone = [fate for fate in fates(b, a) if fate[1] != "moved"]
    assert gone == [("0", "same"), ("1 -> none", "gone"), ("5 -> none", "gone"), ("7 -> none", "gone")]


def test_a_unit_that_never_fires_any_more_has_died_and_the_others_are_what_they_were() -> None:
    said = answers(6, 9)
    dead = said.copy()
    dead[2] = 0
    a, b = known(said), known(dead, silent=(2,))
    assert [fate for fate in fates(a, b) if fate[1] != "same"] == [("2", "died")]
    assert [fate for fate in fates(b, a) if fate[1] != "same"] == [("2", "appeared")]
    assert {fate for _, fate in fates(b, b)} == {"same"}


def test_one_that_died_while_another_came_to_life_is_not_taken_for_it() -> None:
    said = answers(6, 10)
    a, b = said.copy(), said.copy()
    a[1], b[4] = 0, 0
    found = fates(known(a, silent=(1,)), known(b, silent=(4,)))
    assert [fate for fate in found if fate[1] != "same"] == [("1", "appeared"), ("4", "died")]


def test_dead_units_of_a_permuted_layer_take_the_places_that_are_left() -> None:
    said, order = answers(7, 11), np.array([3, 0, 6, 1, 2, 5, 4])
    said[[2, 5]] = 0
    found = paired(known(said, silent=(2, 5)), known(said[order], silent=(4, 5)))
    assert [pair.b for pair in found] == np.argsort(order).tolist()
    assert {pair.fate for pair in with_places(found)} <= {"same", "moved", "swapped"}


def test_two_units_that_exchanged_places_have_swapped() -> None:
    said = answers(5, 12)
    found = fates(known(said), known(said[[0, 3, 2, 1, 4]]))
    assert found == [("0", "same"), ("1 -> 3", "swapped"), ("2", "same"), ("3 -> 1", "swapped"), ("4", "same")]


def test_a_unit_that_answers_otherwise_has_drifted_and_says_how_much_is_left() -> None:
    said = answers(5, 13)
    other = said.copy()
    other[3] = answers(5, 14)[0]
    (drifted,) = [pair for pair in paired(known(said), known(other)) if pair.fate != "same"]
    assert (drifted.a, drifted.b, drifted.fate) == (3, 3, "drifted")
    assert abs(drifted.correlation - np.corrcoef(said[3], other[3])[0, 1]) < 1e-6


def test_units_too_rare_to_be_recognised_are_unclear_unless_their_numbers_agree() -> None:
    said = answers(4, 15)
    said[1] = 0  # on these pictures; it fires on others
    a, b = known(said), known(said)
    assert {fate for _, fate in fates(a, b)} == {"same"}
    other = Units(4, None, said, b.silent, b.profile * 1.1 + 1)
    assert [fate for fate in fates(a, other) if fate[1] != "same"] == [("1", "unclear")]


def test_without_activations_units_are_matched_by_their_weights() -> None:
    a, b = known(None, digests=("p", "q", "q", "r")), known(None, digests=("q", "p", "q", "s"))
    assert fates(a, b) == [("0 -> 1", "swapped"), ("1 -> 0", "swapped"), ("2", "same"), ("3", "re-trained")]
