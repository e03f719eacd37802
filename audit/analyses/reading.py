"""A unit, and a picture under many covers -> what the unit says of each; computed where a cover changes something."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from audit.analyses.windows import Window
from audit.ascent.lighter import lighter
from audit.config import Said
from audit.data.preprocess import normalized
from audit.model.incremental import Incremental, NotFollowedError
from audit.model.load import Model
from audit.model.looking import looking
from audit.model.outline import maps
from audit.records import Layer

BLOCK = 7
"""Covers along each axis that share a forward pass."""

ROUNDING = 1e-4
"""Of a value: by more than that, two ways of computing it do not agree."""

Picture = Float[np.ndarray, "channel y x"]


@dataclass(frozen=True)
class Place:
    """A unit, and the position (y, x) at which it is read."""

    unit: int
    where: tuple[int, int]


class Reading:
    """What units of a layer say of pictures of 0..1: an activation, or a probability among the classes."""

    def __init__(self, model: Model, layer: Layer, of: Said, incremental: Incremental):
        self._model, self._layer, self._of, self._incremental = model, layer, of, incremental
        self._run: Callable[[Tensor], None] = lambda _: None
        self._where = 0, 0
        self._said: list[Float[Tensor, "picture unit"]] = []

    def visit(self, _: str, output: Tensor) -> None:
        """Writes down what all units say at the place that is read."""
        values = self._incremental.at(maps(output, self._layer.layout), self._where).double()
        self._said.append(values.softmax(1) if self._of == "probability" else values.clone())

    def by(self, run: Callable[[Tensor], None]) -> "Reading":
        """Itself, from now on running the network by `run`, which shows the layer to `visit`."""
        self._run = run
        return self

    def of(self, picture: Picture, place: Place) -> float:
        """Of one picture."""
        return float(self._answers(self._network_input(picture), place)[0])

    def with_and_without(
        self, picture: Picture, filled: Picture, covers: Sequence[Window], place: Place
    ) -> tuple[float, Float[np.ndarray, " cover"]]:
        """Of the picture, and of the picture under each of the covers, which show what is there of `filled`.

        A cover is read both ways first: a network that mixes pictures sees every one by itself.
        """
        whole, tried = self.of(picture, place), covers[len(covers) // 2]
        plainly = self.of(covered(picture, filled, tried), place)
        quickly = self._under(picture, filled, [tried], place)
        if quickly is None or abs(quickly[0] - plainly) > ROUNDING * max(abs(plainly), abs(whole)):
            return whole, np.array([self.of(covered(picture, filled, cover), place) for cover in covers])
        found = np.empty(len(covers))
        for part in blocks(covers):
            said = self._under(picture, filled, [covers[cover] for cover in part], place)
            assert said is not None
            found[part] = said
        return whole, found

    def _under(
        self, picture: Picture, filled: Picture, covers: Sequence[Window], place: Place
    ) -> Float[np.ndarray, " cover"] | None:
        """None where the network changes maps in a way that cannot be followed."""
        shown = self._network_input(filled)
        boxes = [shown[0, :, top:bottom, left:right] for top, left, bottom, right in covers]
        first = np.array([cover[:2] for cover in covers])
        begun = self._incremental.begin(self._network_input(picture), torch.stack(boxes), first)
        try:
            with self._incremental:
                return self._answers(begun, place)
        except NotFollowedError:
            return None

    def _answers(self, shown: Tensor, place: Place) -> Float[np.ndarray, " picture"]:
        self._where = place.where
        self._run(shown)
        said: Float[np.ndarray, " picture"] = self._said.pop()[:, place.unit].cpu().numpy()
        return said

    def _network_input(self, picture: Picture) -> Float[Tensor, "1 channel y x"]:
        return normalized(torch.from_numpy(np.ascontiguousarray(picture))[None], self._model.mean, self._model.std)


@contextmanager
def reading_of(model: Model, layer: Layer, of: Said) -> Iterator[Reading]:
    """Units of the layer, read from a lighter copy of the network, its normalisations folded."""
    reading = Reading(model, layer, of, Incremental())
    network = lighter(model.network, model.outline.input_shape, {layer.name})
    with looking(network, [layer.name], reading.visit) as run:
        yield reading.by(run)


def covered(picture: Picture, filled: Picture, cover: Window) -> Picture:
    """The picture with the cover on it."""
    top, left, bottom, right = cover
    result = picture.copy()
    result[:, top:bottom, left:right] = filled[:, top:bottom, left:right]
    return result


def blocks(covers: Sequence[Window]) -> list[list[int]]:
    """Which covers are tried together: neighbours, whose reach ends at the same borders of the map."""
    tops, lefts = (sorted({cover[axis] for cover in covers}) for axis in (0, 1))
    found: dict[tuple[int, int], list[int]] = {}
    for number, (top, left, *_) in enumerate(covers):
        found.setdefault((tops.index(top) // BLOCK, lefts.index(left) // BLOCK), []).append(number)
    return list(found.values())
