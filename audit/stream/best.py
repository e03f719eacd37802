"""Peaks of units, groupings of pictures -> the group that each unit finds best, and what its strongest pictures are."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

from audit.data.concepts import Grouping
from audit.stream.auc import areas_of_ranks, lower_bound, ranks, upper_bound, wilson

STRONGEST = 9
"""Pictures of a unit of which labels are counted, as many as are shown."""

Peaks = Float[np.ndarray, "image unit"]


@dataclass(frozen=True)
class Best:
    """Of each unit: the `target` with the highest lower end, counted through all groupings, its AUC and interval.

    Of the unit's `count` strongest pictures `own` are of that target, `commonest` of the group that most of them are
    of, and they are of `different` groups. Numbers are NaN (counts 0) for a unit that was not finite somewhere.
    """

    target: Int[np.ndarray, " unit"]
    auc: Float[np.ndarray, " unit"]
    low: Float[np.ndarray, " unit"]
    high: Float[np.ndarray, " unit"]
    count: Int[np.ndarray, " unit"]
    own: Int[np.ndarray, " unit"]
    commonest: Int[np.ndarray, " unit"]
    different: Int[np.ndarray, " unit"]

    def detected(self) -> Float[np.ndarray, " unit"]:
        """The target where the interval is above 0.5, else -1."""
        return np.asarray(np.where(self.low > 0.5, self.target, -1.0))


def testable(
    groupings: Sequence[Grouping], images: Int[np.ndarray, " image"], units: int
) -> Bool[np.ndarray, " target"]:
    """Which targets have enough pictures, and leave enough others, for a perfect one of so many units to be sure of it.

    That is known before any unit is looked at, so the others are not among the comparisons.
    """
    own, others = _counts(groupings, images)
    some = (own > 0) & (others > 0)
    return np.asarray(some & (lower_bound(np.ones(len(own)), own, others, units * int(some.sum())) > 0.5))


def best(
    peaks: Peaks,
    images: Int[np.ndarray, " image"],
    groupings: Sequence[Grouping],
    asked: Bool[np.ndarray, " target"],
    comparisons: int,
) -> Best:
    """Of the targets that are `asked` for, at least one; intervals hold for so many `comparisons` together.

    `images` are the rows' indices, ascending: of equally strong pictures the earlier is the stronger one.
    """
    known = [(one.group[images] >= 0, one) for one in groupings]
    ranked = {key: ranks(peaks[rows]) for key, rows in {rows.tobytes(): rows for rows, _ in known}.items()}
    areas = np.concatenate(
        [areas_of_ranks(ranked[rows.tobytes()], one.group[images][rows], one.targets) for rows, one in known]
    )
    own, others = _counts(groupings, images)[..., None]
    low = np.where(asked[:, None] & ~np.isnan(areas), lower_bound(areas, own, others, comparisons), -np.inf)
    target, units = low.argmax(axis=0), np.arange(peaks.shape[1])
    auc = areas[target, units]
    high = upper_bound(auc, own[target, 0], others[target, 0], comparisons)
    finite = np.isfinite(peaks).all(axis=0)
    numbers = [np.where(finite, value, np.nan) for value in (auc, low[target, units], high)]
    return Best(target, *numbers, *np.where(finite, _strongest(peaks, images, groupings, target), 0))


def joined(parts: Sequence[Best]) -> Best:
    """Of all units, in the order of the parts."""
    return Best(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Best)))


def purity(having: Int[np.ndarray, " unit"], count: Int[np.ndarray, " unit"]) -> list[Float[np.ndarray, " unit"]]:
    """Share and 95 % interval; NaN where there is no picture."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return [having / count, *wilson(having, count)]


def _counts(groupings: Sequence[Grouping], images: Int[np.ndarray, " image"]) -> Int[np.ndarray, "2 target"]:
    """Pictures of each target, and the others that are known."""
    counts = [(np.bincount(one.group[images] + 1, minlength=one.targets + 1)[1:], one.targets) for one in groupings]
    return np.concatenate([[own[:targets], own.sum() - own[:targets]] for own, targets in counts], axis=1)


def _strongest(
    peaks: Peaks, images: Int[np.ndarray, " image"], groupings: Sequence[Grouping], target: Int[np.ndarray, " unit"]
) -> Int[np.ndarray, "4 unit"]:
    """(count, own, commonest, different) of each unit, by the grouping of its target."""
    counted, first = np.zeros((4, len(target)), np.int64), 0
    for one in groupings:
        mine = np.flatnonzero((target >= first) & (target < first + one.targets))
        group = one.group[images]
        counted[:, mine] = _counted(peaks[np.ix_(group >= 0, mine)], group[group >= 0], target[mine] - first)
        first += one.targets
    return counted


def _counted(
    peaks: Peaks, group: Int[np.ndarray, " image"], target: Int[np.ndarray, " unit"]
) -> Int[np.ndarray, "4 unit"]:
    """The same within one grouping; only pictures count on which the unit is above its lowest peak."""
    order = np.argsort(-peaks, axis=0, kind="stable")[:STRONGEST]
    above = np.take_along_axis(peaks, order, axis=0) > peaks.min(axis=0, initial=np.inf)
    groups = np.where(above, group[order], -1)
    alike = ((groups[:, None] == groups) & above).sum(axis=1)
    ordered = np.sort(groups, axis=0)
    changes = (np.diff(ordered, axis=0, prepend=-1) > 0).sum(axis=0)
    return np.stack(
        [above.sum(axis=0), (groups == target).sum(axis=0), (alike * above).max(axis=0, initial=0), changes]
    )
