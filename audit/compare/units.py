"""What two runs know of a layer's units -> pairs: which unit of B is which of A, and what became of it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np
from jaxtyping import Bool, Float, Int

from audit.compare.changes import Fate, Pair
from audit.compare.matching import Answers, Correlations, correlations, matched

ALIKE = 1e-3
"""Relative difference of the numbers of two units that are too rare to be recognised and still taken for the same."""

DRIFTED_BELOW = 0.9
"""Correlation below which a unit has drifted: a fifth of what it says of pictures is new."""


@dataclass(frozen=True)
class Units:
    """What a run knows of a layer's units; None for what it does not.

    `silent`: never active on any picture. `profile`: numbers that tell rare units apart, a row per unit.
    """

    count: int
    digests: tuple[str, ...] | None
    answers: Answers | None
    silent: Bool[np.ndarray, " unit"]
    profile: Float[np.ndarray, "unit number"]


def paired(a: Units, b: Units, drifted_below: float = DRIFTED_BELOW) -> tuple[Pair, ...]:
    """Every unit of A and of B once, by A's order, then those that only B has. Nothing where nothing is known."""
    if a.answers is None or b.answers is None:
        return tuple(_by_weights(a, b))
    return tuple(_by_answers(a, b, correlations(a.answers, b.answers), drifted_below))


def _by_weights(a: Units, b: Units) -> Iterator[Pair]:
    if a.digests is None or b.digests is None:
        return
    nobody = np.full(a.count, -1)
    for one, other in _all(nobody, a, b):
        if one is None or other is None:
            yield Pair(one, other, "appeared" if one is None else "gone")
        else:
            yield Pair(one, other, "same" if a.digests[one] == b.digests[other] else "re-trained")


def _by_answers(a: Units, b: Units, correlation: Correlations, drifted_below: float) -> Iterator[Pair]:
    for one, other in _all(matched(correlation), a, b):
        if one is None or other is None:
            yield Pair(one, other, "appeared" if one is None else "gone")
        else:
            measured = float(correlation[one, other])
            fate = _fate(a, b, one, other, correlation=measured, drifted_below=drifted_below)
            yield Pair(one, other, fate, measured)


def _fate(a: Units, b: Units, one: int, other: int, *, correlation: float, drifted_below: float) -> Fate:
    if a.silent[one] or b.silent[other]:
        return "same" if a.silent[one] and b.silent[other] else "died" if b.silent[other] else "appeared"
    if np.isnan(correlation):
        return "same" if np.allclose(a.profile[one], b.profile[other], ALIKE, 1e-9) else "unclear"
    return "same" if correlation >= drifted_below else "drifted"


def with_places(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The same, where units that are what they were, but elsewhere, have moved, or swapped if two changed places."""
    to = {pair.a: pair.b for pair in pairs if pair.fate == "same" and pair.a != pair.b}
    return tuple(
        replace(pair, fate="swapped" if to.get(pair.b) == pair.a else "moved") if pair.a in to else pair
        for pair in pairs
    )


def _all(found: Int[np.ndarray, " unit_a"], a: Units, b: Units) -> Iterator[tuple[int | None, int | None]]:
    """The matched pairs and the rest: by equal weights, then by index, then silent ones first and in their order."""
    to = {one: int(other) for one, other in enumerate(found.tolist()) if other >= 0}
    taken = set(to.values())
    rest_a = [one for one in range(a.count) if one not in to]
    rest_b = [other for other in range(b.count) if other not in taken]
    to |= _alike(rest_a, rest_b, a, b)
    rest_a, rest_b = _without(rest_a, to), _without(rest_b, to.values())
    to |= {one: one for one in set(rest_a) & set(rest_b)}
    rest_a, rest_b = _without(rest_a, to), _without(rest_b, to.values())
    rest_a.sort(key=lambda unit: not a.silent[unit])
    rest_b.sort(key=lambda unit: not b.silent[unit])
    left = dict(zip_longest(rest_a, rest_b[: len(rest_a)]))
    yield from ((one, to[one] if one in to else left[one]) for one in range(a.count))
    yield from ((None, other) for other in sorted(rest_b[len(rest_a) :]))


def _alike(rest_a: Sequence[int], rest_b: Sequence[int], a: Units, b: Units) -> dict[int, int]:
    """Units with equal weights; of several with the same that which is where it was, else the first."""
    if a.digests is None or b.digests is None:
        return {}
    there = defaultdict(list)
    for other in rest_b:
        there[b.digests[other]].append(other)
    stay = {one: one for one in rest_a if one in there[a.digests[one]]}
    for one in stay:
        there[a.digests[one]].remove(one)
    return stay | {one: there[a.digests[one]].pop(0) for one in rest_a if one not in stay and there[a.digests[one]]}


def _without(units: Sequence[int], taken: object) -> list[int]:
    gone = set(taken)  # type: ignore[call-overload]
    return [unit for unit in units if unit not in gone]
