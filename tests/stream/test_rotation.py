"""Units against random directions of the same layer: a planted layer of detectors, and the same layer turned."""

from collections import Counter

import numpy as np
import pytest
import torch

from audit.claims.directions import of_directions
from audit.errors import Unavailable
from audit.records import Table
from audit.render.charts.directions import purities
from audit.render.charts.drawing import BLUE, ORANGE
from audit.stream import rotation as module
from audit.stream.reducer import Activations
from audit.stream.rotation import Rotation, purity, rotation

CLASSES, EACH = 12, 15
PICTURES = CLASSES * EACH
LABELS = {image: image % CLASSES for image in range(PICTURES)}


def detectors() -> torch.Tensor:
    """A unit per class, on two positions: on for its class at one of them, a little noise elsewhere."""
    random = np.random.default_rng(0)
    maps = random.uniform(0, 0.3, (PICTURES, CLASSES, 2, 1))
    for image in range(PICTURES):
        maps[image, LABELS[image], image % 2, 0] = random.uniform(1, 2)
    return torch.from_numpy(maps).float()


def measured(maps: torch.Tensor, seed: int = 0, batch: int = 50) -> Table:
    reducer = Rotation(LABELS, CLASSES, seed)
    for first in range(0, len(maps), batch):
        images = torch.arange(first, min(first + batch, len(maps)))
        reducer.update(Activations(maps[first : first + batch], images))
    return reducer.compute("relu")


def test_a_rotation_is_orthonormal_and_the_same_for_the_same_seed() -> None:
    turned = rotation(7, 3)
    np.testing.assert_allclose(turned @ turned.T, np.eye(7), atol=1e-12)
    assert (turned == rotation(7, 3)).all()
    assert not np.allclose(turned, rotation(7, 4))


def test_purity_of_both_is_that_of_plain_loops() -> None:
    maps = detectors()
    table = measured(maps, seed=5)
    turned = rotation(CLASSES, 5)
    for kind, weights in (("unit", np.eye(CLASSES)), ("direction", turned)):
        for index in range(CLASSES):
            peaks = [
                max(
                    sum(weights[index, unit] * float(maps[image, unit, y, 0]) for unit in range(CLASSES))
                    for y in (0, 1)
                )
                for image in range(PICTURES)
            ]
            best = sorted(range(PICTURES), key=lambda image, peaks=peaks: -peaks[image])[:9]
            most = Counter(LABELS[image] for image in best).most_common(1)[0][1]
            row = (table.columns["of"] == kind) & (table.columns["index"] == index)
            assert table.columns["purity"][row].tolist() == [most / 9]


def test_detectors_are_purer_than_their_directions() -> None:
    table = measured(detectors())
    units, directions = (table.columns["purity"][table.columns["of"] == of] for of in ("unit", "direction"))
    assert (units == 1).all()
    assert directions.mean() < 0.8
    information = table.columns["class_information"]
    assert information[:CLASSES].mean() > information[CLASSES:].mean()
    (claim,) = of_directions([table])
    assert claim.outcome == "contradicted"
    assert claim.measured == pytest.approx(units.mean() - directions.mean())
    assert claim.low < claim.measured < claim.high


def test_of_a_layer_that_is_turned_already_no_difference_is_found() -> None:
    turned = torch.from_numpy(rotation(CLASSES, 99)).float()
    maps = torch.einsum("du,iuyx->idyx", turned, detectors())
    (claim,) = of_directions([measured(maps)])
    assert claim.low <= 0 <= claim.high
    assert claim.outcome != "contradicted"


def test_parts_merged_are_the_whole() -> None:
    maps = detectors()
    first, second = Rotation(LABELS, CLASSES, 0), Rotation(LABELS, CLASSES, 0)
    first.update(Activations(maps[:70], torch.arange(70)))
    second.update(Activations(maps[70:], torch.arange(70, PICTURES)))
    first.merge(second)
    merged, whole = first.compute("relu"), measured(maps, batch=PICTURES)
    assert (merged.columns["purity"] == whole.columns["purity"]).all()
    np.testing.assert_allclose(merged.columns["class_information"], whole.columns["class_information"])


def test_a_unit_that_seldom_fires_has_no_purity() -> None:
    maps = torch.zeros(PICTURES, CLASSES, 1, 1)
    maps[:4, 0] = 1.0  # four pictures; the others are its least
    maps[:6, 1] = 1.0
    columns = measured(maps).columns
    assert np.isnan(columns["purity"][0])
    assert columns["purity"][1] == pytest.approx(1 / 6)
    assert np.isnan(columns["purity"][2:CLASSES]).all()
    assert np.isnan(purity([1, 1, 1, 1]))
    (claim,) = of_directions([measured(maps)])
    assert claim.outcome == "inconclusive"
    assert np.isnan(claim.measured)


def test_what_cannot_be_measured_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    unlabelled = Rotation({}, CLASSES, 0)
    unlabelled.update(Activations(detectors(), torch.arange(PICTURES)))
    with pytest.raises(Unavailable, match="no labelled pictures"):
        unlabelled.compute("relu")
    monkeypatch.setattr(module, "MOST_UNITS", 4)
    with pytest.raises(Unavailable, match="relu has 12 units"):
        measured(detectors())


def test_the_chart_shows_units_and_directions_of_every_layer() -> None:
    chart = purities(measured(detectors()))
    assert chart is not None
    assert "relu" in chart.svg
    assert BLUE in chart.svg
    assert ORANGE in chart.svg
    nothing = Table("directions", {name: np.array([]) for name in ("layer", "of", "purity")})
    assert purities(nothing) is None
