"""A planting -> the planted checkpoint, and how it and the pictures are shown: one short recipe per kind of defect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from tests.defects import planting as plant
from tests.defects.definitions import Place, Planting
from tests.defects.healthy import Healthy
from tests.defects.planting import State

SILENCE = 10.0
"""A killed filter's bias is lowered by so many times its largest output."""


@dataclass(frozen=True)
class Planted:
    """What an audit is given: weights, what changes in [[models]], what in the pictures.

    `units` are those broken; unit i of the place is what unit `order[i]` was, where they were moved.
    """

    state: State
    shown: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, Any] = field(default_factory=dict)
    units: tuple[int, ...] = ()
    order: tuple[int, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """What a recipe works with."""

    healthy: Healthy
    planting: Planting

    @property
    def state(self) -> State:
        """The healthy weights."""
        return self.healthy.state

    @property
    def place(self) -> Place:
        """Of the units."""
        return self.planting.subject.places[self.planting.place]

    @property
    def amount(self) -> float:
        """The strength, where it is a number."""
        return float(self.planting.strength)

    @property
    def random(self) -> Generator:
        """Starts anew each time."""
        return torch.Generator().manual_seed(self.planting.seed)

    def units(self, count: int) -> list[int]:
        """So many living units, drawn at random; ValueError if there are fewer."""
        living = self.healthy.living(self.place)
        if len(living) < count:
            raise ValueError(f"{self.planting.id}: {count} living units are needed, there are {len(living)}")
        return [living[index] for index in torch.randperm(len(living), generator=self.random)[:count]]


def planted(healthy: Healthy, planting: Planting) -> Planted:
    """The defect, planted; LookupError for a kind without a recipe."""
    kind = planting.defect.kind
    if kind not in RECIPES:
        raise LookupError(f'no recipe plants "{kind}"; there are {", ".join(RECIPES)}')
    return RECIPES[kind](Recipe(healthy, planting))


# Single units


def _killed(recipe: Recipe) -> Planted:
    units = recipe.units(int(recipe.amount))
    peaks, _ = recipe.healthy.activity(recipe.place)
    by = -SILENCE * peaks.amax(0)[units]
    return Planted(plant.biased(recipe.state, recipe.place, units, by), units=tuple(units))


def _zeroed(recipe: Recipe) -> Planted:
    units = recipe.units(int(recipe.amount))
    return Planted(plant.zeroed(recipe.state, recipe.place, units), units=tuple(units))


def _rare(recipe: Recipe) -> Planted:
    units = recipe.units(4)
    peaks = recipe.healthy.activity(recipe.place)[0][:, units].sort(0, descending=True).values
    pictures = max(1, round(recipe.amount * len(peaks)))
    by = -(peaks[pictures - 1] + peaks[pictures]) / 2
    return Planted(plant.biased(recipe.state, recipe.place, units, by), units=tuple(units))


def _always_on(recipe: Recipe) -> Planted:
    units = recipe.units(4)
    _, lowest = recipe.healthy.activity(recipe.place)
    by = -recipe.amount * lowest[units]
    return Planted(plant.biased(recipe.state, recipe.place, units, by), units=tuple(units))


def _constant(recipe: Recipe) -> Planted:
    units = recipe.units(int(recipe.amount))
    peaks, _ = recipe.healthy.activity(recipe.place)
    at = peaks.amax(0)[units] / 2
    return Planted(plant.constant(recipe.state, recipe.place, units, at), units=tuple(units))


def _duplicated(recipe: Recipe) -> Planted:
    return _copied(recipe, copies=int(recipe.amount), noise=0.0)


def _nearly_duplicated(recipe: Recipe) -> Planted:
    return _copied(recipe, copies=2, noise=recipe.amount)


def _copied(recipe: Recipe, copies: int, noise: float) -> Planted:
    source, *others = units = recipe.units(1 + copies)
    state = plant.duplicated(recipe.state, recipe.place, source, others, noise=noise, generator=recipe.random)
    return Planted(state, units=tuple(units))


def _dominated(recipe: Recipe) -> Planted:
    units = recipe.units(1)
    return Planted(plant.louder(recipe.state, recipe.place, units, recipe.amount), units=tuple(units))


def _half_overflow(recipe: Recipe) -> Planted:
    units = range(len(recipe.state[f"{recipe.place.layer}.weight"]))
    return Planted(plant.louder(recipe.state, recipe.place, units, recipe.amount))


def _not_a_number(recipe: Recipe) -> Planted:
    units = recipe.units(int(recipe.amount))
    return Planted(plant.broken(recipe.state, recipe.place, units, float("nan")), units=tuple(units))


def _infinite(recipe: Recipe) -> Planted:
    units = recipe.units(int(recipe.amount))
    return Planted(plant.broken(recipe.state, recipe.place, units, float("inf")), units=tuple(units))


def _reordered(recipe: Recipe) -> Planted:
    count = len(recipe.state[f"{recipe.place.layer}.weight"])
    order = torch.randperm(count, generator=recipe.random).tolist()
    return Planted(plant.reordered(recipe.state, recipe.place, order), order=tuple(order))


# Parts and the whole


def _not_loaded(recipe: Recipe) -> Planted:
    parts = recipe.planting.subject.parts[recipe.planting.place]
    return Planted(plant.not_loaded(recipe.state, recipe.healthy.fresh, parts, recipe.amount, recipe.random))


def _statistics_reset(recipe: Recipe) -> Planted:
    return Planted(plant.statistics_reset(recipe.state, recipe.planting.subject.norms[recipe.planting.place]))


def _statistics_stale(recipe: Recipe) -> Planted:
    norms = recipe.planting.subject.norms[recipe.planting.place]
    return Planted(plant.statistics_stale(recipe.state, norms, recipe.amount, recipe.random))


def _labels_permuted(recipe: Recipe) -> Planted:
    classifier = recipe.planting.subject.classifier
    outputs = len(recipe.state[f"{classifier}.weight"])
    order = ORDERS[str(recipe.planting.strength)](outputs, recipe.random).tolist()
    return Planted(plant.outputs_reordered(recipe.state, classifier, order))


def _shuffled(count: int, random: Generator) -> Int[Tensor, " output"]:
    return torch.randperm(count, generator=random)


def _two_swapped(count: int, random: Generator) -> Int[Tensor, " output"]:
    order = torch.arange(count)
    two = torch.randperm(count, generator=random)[:2]
    order[two] = two.flip(0)
    return order


def _off_by_one(count: int, _: Generator) -> Int[Tensor, " output"]:
    return torch.arange(count).roll(1)


ORDERS: Mapping[str, Callable[[int, Generator], Int[Tensor, " output"]]] = {
    "shuffled": _shuffled,
    "two swapped": _two_swapped,
    "off by one": _off_by_one,
}


def _pruned(recipe: Recipe) -> Planted:
    return Planted(plant.pruned(recipe.state, recipe.amount))


def _quantised(recipe: Recipe) -> Planted:
    return Planted(plant.quantised(recipe.state, int(recipe.amount)))


def _subnormal(recipe: Recipe) -> Planted:
    return Planted(plant.subnormal(recipe.state, recipe.amount))


def _stale(recipe: Recipe) -> Planted:
    return Planted(plant.mixed(recipe.state, recipe.healthy.fresh, recipe.amount))


def _early(recipe: Recipe) -> Planted:
    from audit.demo.train import Recipe as Training
    from audit.demo.train import train

    network, _ = train(Training(steps=int(recipe.amount)), seed=recipe.planting.seed)
    return Planted(dict(network.state_dict()))


def _noisy(recipe: Recipe) -> Planted:
    return Planted(plant.noisy(recipe.state, recipe.amount, recipe.random))


def _bgr(recipe: Recipe) -> Planted:
    return Planted(plant.channels_reversed(recipe.state, recipe.planting.subject.first))


def _rounded(recipe: Recipe) -> Planted:
    return Planted(plant.rounded(recipe.state))


# How pictures are shown, and the pictures


def _normalisation(recipe: Recipe) -> Planted:
    mean, std = NORMALISATIONS[str(recipe.planting.strength)]
    return Planted(recipe.state, shown={"mean": mean, "std": std})


NORMALISATIONS: Mapping[str, tuple[object, object]] = {
    "none": (0.0, 1.0),
    "imagenet": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    "half": (0.5, 0.5),
    "bytes": (0.0, 1 / 255),  # pixels of 0..255
}


def _size(recipe: Recipe) -> Planted:
    """Another input; or, where the short side is set before a crop, another short side."""
    channels, height, width = recipe.healthy.section.input
    resize, times = recipe.healthy.section.resize, recipe.amount
    if resize is not None:
        return Planted(recipe.state, shown={"resize": round(resize * times)})
    return Planted(recipe.state, shown={"input": [channels, round(height * times), round(width * times)]})


def _pictures(recipe: Recipe) -> Planted:
    planting = recipe.planting
    changed = {"defect": planting.defect.kind, "strength": recipe.amount, "seed": planting.seed}
    return Planted(recipe.state, pictures=changed)


RECIPES: Mapping[str, Callable[[Recipe], Planted]] = {
    "killed": _killed,
    "zeroed": _zeroed,
    "rare": _rare,
    "duplicated": _duplicated,
    "nearly-duplicated": _nearly_duplicated,
    "always-on": _always_on,
    "constant": _constant,
    "dominated": _dominated,
    "half-overflow": _half_overflow,
    "not-loaded": _not_loaded,
    "statistics-reset": _statistics_reset,
    "statistics-stale": _statistics_stale,
    "not-a-number": _not_a_number,
    "infinite": _infinite,
    "labels-permuted": _labels_permuted,
    "pruned": _pruned,
    "quantised": _quantised,
    "subnormal": _subnormal,
    "stale": _stale,
    "early": _early,
    "noisy": _noisy,
    "bgr": _bgr,
    "normalisation": _normalisation,
    "size": _size,
    "blurred": _pictures,
    "darkened": _pictures,
    "compressed": _pictures,
    "mislabelled": _pictures,
    "class-missing": _pictures,
    "reordered": _reordered,
    "rounded": _rounded,
}
