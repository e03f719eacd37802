"""Layers, units and a number of draws -> ranked settings, and the four of them that complement each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from audit.ascent.presets import Preset
from audit.model.load import Model
from audit.search.asked import Place
from audit.search.choice import complementary, look, ranked
from audit.search.draws import Draw
from audit.search.outcomes import Outcome, outcomes
from audit.search.scores import Scores, scores
from audit.store.work import Work


@dataclass(frozen=True)
class Found:
    """The settings of a search, what they made of each place, and how they were judged.

    `outcomes[p][s]` is what setting s made of place p; `natural[p]` the slope that pictures have there; `chosen` the
    complementary settings, best first.
    """

    places: tuple[Place, ...]
    seeds: tuple[int, ...]
    draws: tuple[Draw, ...]
    outcomes: tuple[tuple[Outcome, ...], ...]
    natural: tuple[float, ...]
    scores: Scores
    chosen: tuple[int, ...]

    @cached_property
    def order(self) -> tuple[int, ...]:
        """All settings, best first."""
        return tuple(ranked(self.scores.score).tolist())

    @cached_property
    def names(self) -> Mapping[int, str]:
        """What the chosen settings are called in audit.toml: {17: "found-1", ...}."""
        return {setting: f"found-{number}" for number, setting in enumerate(self.chosen, start=1)}

    @property
    def presets(self) -> Mapping[str, Preset]:
        """The chosen settings by their names."""
        return {name: self.draws[setting].preset for setting, name in self.names.items()}


def search(
    places: Sequence[Place],
    settings: Sequence[Draw],
    seeds: Sequence[int],
    natural: Sequence[float],
    *,
    work: Work,
    second: Model | None = None,
    advance: Callable[[int], None],
) -> Found:
    """Makes the images of all settings, scores them and chooses; `advance` hears of steps."""
    presets = [draw.preset for draw in settings]
    made = tuple(tuple(outcomes(place, presets, seeds, work=work, second=second, advance=advance)) for place in places)
    judged = scores(_numbers(made), np.repeat(np.array(natural), [len(place.units) for place in places]))
    chosen = complementary(judged.score, judged.numbers, _looks(made))
    return Found(tuple(places), tuple(seeds), tuple(settings), made, tuple(natural), judged, chosen)


def _numbers(made: Sequence[Sequence[Outcome]]) -> dict[str, Float[np.ndarray, "setting unit seed"]]:
    """Each number of every image, the units of all places one after the other."""
    names = made[0][0].numbers
    return {
        name: np.concatenate([np.stack([one.numbers[name] for one in of_place]) for of_place in made], axis=1)
        for name in names
    }


def _looks(made: Sequence[Sequence[Outcome]]) -> Float[np.ndarray, "setting value"]:
    """What the images of each setting look like from afar, all of them in a row."""
    return np.concatenate([np.stack([look(one.tiles).reshape(-1) for one in of_place]) for of_place in made], axis=1)
