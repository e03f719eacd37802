"""Peaks, and what is known of the pictures -> which units find a class or a concept, beside random directions.

Zhou et al. 2015 and Yosinski et al. 2015 see units that detect faces or text though nobody labelled them. Whether units
are special is told by random directions of the layer's space, as in Bau et al. 2017 (section 3.2).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from audit.data.concepts import Grouping
from audit.errors import Unavailable
from audit.records import Scalars, Table
from audit.stream.auc import areas, lower_bound, upper_bound
from audit.stream.best import Best, best, joined, purity, testable
from audit.stream.reducer import Activations
from audit.stream.rows import Rows

DIRECTIONS = 64
"""Random directions of a layer that its units are compared with."""

AT_ONCE = 2**21
"""Peaks in memory at the end: the others are on disk."""

CLASS, CONCEPT = "class", "concept"


class Detectors:
    """The peak of every unit in every picture, and that of random directions, in a file beside `file` until the end.

    `asked` are the groupings of pictures by class, and by concepts if there are any; only pictures of known group
    count. A direction is a sum of the units with normal weights, of length 1; `seed` draws them.
    """

    def __init__(self, asked: Mapping[str, Sequence[Grouping]], file: Path, seed: int) -> None:
        self.asked = {name: groupings for name, groupings in asked.items() if groupings}
        self.seed = seed
        self.rows = Rows(file)
        self._weights: Float[Tensor, "unit direction"] | None = None
        self._best: dict[str, Best] = {}

    def update(self, batch: Activations) -> None:
        peaks = batch.summary.peak
        self.rows.append(batch.images, torch.cat([peaks, self._along(batch.maps).to(peaks)], dim=1))

    def merge(self, other: "Detectors") -> None:
        self.rows.merge(other.rows)

    def compute(self, layer: str) -> Scalars:
        """Per unit, each NaN (-1) for a unit whose peak was not finite in some picture; of 9 strongest pictures only
        those count on which the unit is above its lowest peak.

        `detected_class`: the output whose pictures the unit tells from all others, -1 where none surely.
        `class_auc`, `class_auc_low`, `class_auc_high`: of the class with the highest lower end, over all pairs of a
        picture of it and another one, with a 95 % interval for all units and classes of the layer together.
        `label_purity`, `label_purity_low`, `label_purity_high`: share of the 9 strongest pictures that have the label
        which most of them have, with its own 95 % interval; NaN for a unit that is constant.
        `label_count`: different labels among them.
        The same of concepts: `detected_concept` (a row of the table "concepts"), `concept_auc`, `concept_auc_low`,
        `concept_auc_high`, and `concept_purity`, `concept_purity_low`, `concept_purity_high`: share of the strongest
        pictures that have the concept, of those of which it is known.

        Raises Unavailable without a class, or a given concept, of which there are enough pictures and others.
        """
        columns: dict[str, Float[np.ndarray, " unit"]] = {}
        for name, found in self._found(layer).items():
            columns |= _columns(name, found)
        return Scalars(layer, {name: column[: self._units] for name, column in columns.items()})

    def summary(self, layer: str) -> Table:
        """Table "detectors", a row for classes and one for concepts, as far as they are known:

        `layer`, `of` ("class" or "concept"), `targets` of which there are pictures enough, `units`, `unmeasured` (the
        numbers of those that were not finite, as text), `detectors` (units that surely find a target) and
        `random_detectors` (share of the random directions that do), `auc` and `random_auc` (median of the best ones),
        `purity` and `random_purity` (mean); `versus`, the probability that the best AUC of a unit is above that of a
        random direction, with its 95 % interval `versus_low` and `versus_high`: 0.5 where units are nothing special.
        """
        rows = [self._row(layer, name, found) for name, found in self._found(layer).items()]
        return Table("detectors", {name: np.array([row[name] for row in rows]) for name in rows[0]})

    @property
    def _units(self) -> int:
        return self.rows.units - DIRECTIONS

    def _along(self, maps: Float[Tensor, "image unit y x"]) -> Float[Tensor, "image direction"]:
        """The peak of each random direction in each picture."""
        if self._weights is None:
            drawn = np.random.default_rng(self.seed).normal(size=(maps.shape[1], DIRECTIONS))
            kind = torch.promote_types(maps.dtype, torch.float32)
            self._weights = torch.from_numpy(drawn / np.linalg.norm(drawn, axis=0)).to(maps.device, kind)
        rows = maps.detach().permute(0, 2, 3, 1).flatten(1, 2).to(self._weights.dtype)
        return (rows @ self._weights).amax(dim=1)

    def _found(self, layer: str) -> dict[str, Best]:
        """What units, and behind them directions, find, by the name of what was asked."""
        if not self._best:
            self._best = {name: self._of(name) for name in self.asked if self._testable(name).any()}
        if CONCEPT in self.asked and CONCEPT not in self._best:
            raise Unavailable(f"no concept {self._enough(CONCEPT)}")
        if not self._best:
            raise Unavailable(f"detectors in {layer} tell classes apart, and no class {self._enough(CLASS)}")
        return self._best

    def _testable(self, name: str) -> Bool[np.ndarray, " target"]:
        return testable(self.asked[name], self._images, self._units)

    def _enough(self, name: str) -> str:
        """What is missing, where not even a perfect detector could be told from chance."""
        return (
            f"has enough of the {len(self._images)} pictures, and leaves enough others, for a perfect one of "
            f"{self._units} units to be told from chance: show more pictures of each {name}"
        )

    @cached_property
    def _images(self) -> Int[np.ndarray, " image"]:
        return np.array(self._stored["image"]) if self.rows.pictures else np.zeros(0, np.int64)

    @cached_property
    def _stored(self) -> np.ndarray:
        return self.rows.read()

    def _of(self, name: str) -> Best:
        asked = self._testable(name)
        step = max(1, AT_ONCE // max(len(self._images), len(asked)))
        order = np.argsort(self._images, kind="stable")
        parts = []
        for start in range(0, self.rows.units, step):
            peaks = self._stored["code"][:, start : start + step][order]
            pairs = self._units * int(asked.sum())
            parts.append(best(peaks, self._images[order], self.asked[name], asked, pairs))
        return joined(parts)

    def _row(self, layer: str, name: str, found: Best) -> dict[str, object]:
        units, directions = slice(0, self._units), slice(self._units, None)
        columns, sure = _columns(name, found), found.low > 0.5
        pure = columns["label_purity" if name == CLASS else "concept_purity"]
        versus, low, high = _versus(found.auc[units], found.auc[directions])
        return {
            "layer": layer,
            "of": name,
            "targets": int(self._testable(name).sum()),
            "units": self._units,
            "unmeasured": ", ".join(map(str, np.flatnonzero(np.isnan(found.auc[units])))),
            "detectors": int(sure[units].sum()),
            "random_detectors": float(sure[directions].mean()),
            "auc": _over_known(np.median, found.auc[units]),
            "random_auc": _over_known(np.median, found.auc[directions]),
            "purity": _over_known(np.mean, pure[units]),
            "random_purity": _over_known(np.mean, pure[directions]),
            "versus": versus,
            "versus_low": low,
            "versus_high": high,
        }


def _columns(name: str, found: Best) -> dict[str, Float[np.ndarray, " unit"]]:
    having = found.commonest if name == CLASS else found.own
    word = "label" if name == CLASS else name
    share = zip(
        (f"{word}_purity", f"{word}_purity_low", f"{word}_purity_high"), purity(having, found.count), strict=True
    )
    columns = {
        f"detected_{name}": found.detected(),
        f"{name}_auc": found.auc,
        f"{name}_auc_low": found.low,
        f"{name}_auc_high": found.high,
        **dict(share),
    }
    return columns | ({"label_count": np.where(found.count > 0, found.different, np.nan)} if name == CLASS else {})


def _versus(
    units: Float[np.ndarray, " unit"], directions: Float[np.ndarray, " direction"]
) -> tuple[float, float, float]:
    """Probability that a unit is above a direction, with its 95 % interval; NaN where one of both is not known."""
    units, directions = units[~np.isnan(units)], directions[~np.isnan(directions)]
    group = np.repeat([0, 1], [len(units), len(directions)])
    area = areas(np.concatenate([units, directions])[:, None], group, 2)[0]
    counts = np.array([len(units)]), np.array([len(directions)])
    return float(area[0]), float(lower_bound(area, *counts)[0]), float(upper_bound(area, *counts)[0])


def _over_known(mean: Callable[..., np.floating], values: Float[np.ndarray, " unit"]) -> float:
    known = values[~np.isnan(values)]
    return float(mean(known)) if len(known) else float("nan")


class Summary:
    """The table that goes with detectors; it measures nothing itself."""

    def __init__(self, seen: Detectors) -> None:
        self.seen = seen

    def update(self, batch: Activations) -> None:
        """Nothing: `seen` is updated itself."""

    def merge(self, other: "Summary") -> None:
        """Nothing: `seen` is merged itself."""

    def compute(self, layer: str) -> Table:
        """`Detectors.summary`."""
        return self.seen.summary(layer)
