"""Detectors: a planted one is found and named, noise is not, numbers are those of plain loops over pictures."""

from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from audit.data.concepts import Grouping, of_labels
from audit.errors import Unavailable
from audit.records import Table
from audit.stream.auc import lower_bound, upper_bound
from audit.stream.detectors import DIRECTIONS, Detectors
from tests.stream.feeding import fed, merged, noise, same

PICTURES = 150
LABELS = {image: image * 7 % 5 for image in range(PICTURES) if image % 6}
STRIPED = np.where(np.arange(PICTURES) % 4 == 3, -1, np.arange(PICTURES) % 4 == 0)
CLASSES = of_labels(LABELS, 7, PICTURES)
CONCEPTS = [Grouping(np.where(STRIPED < 0, -1, 1 - STRIPED), 1), Grouping(np.arange(PICTURES) % 3, 3)]


def detectors(folder: Path, **asked: list[Grouping]) -> Detectors:
    return Detectors(asked or {"class": [CLASSES], "concept": CONCEPTS}, folder / "peaks.npy", 3)


def planted() -> torch.Tensor:
    """Of rectified noise unit 0 is for class 2, unit 1 for what is striped, unit 2 dead."""
    maps = noise(PICTURES)
    for image in range(PICTURES):
        maps[image, 0, 1, 2] = 9.0 if LABELS.get(image) == 2 else 0.0
        maps[image, 1, 0, 0] = 7.0 + image if STRIPED[image] == 1 else 0.0
    return maps


def test_planted_detectors_are_found_and_noise_is_not(tmp_path: Path) -> None:
    found = fed(detectors(tmp_path), planted(), 70, 80).compute("layer").columns
    assert found["detected_class"].tolist() == [2, -1, -1, -1, -1]
    assert found["detected_concept"].tolist() == [-1, 0, -1, -1, -1]
    assert found["class_auc"][0] == 1
    assert found["concept_auc"][1] == 1
    assert found["class_auc_low"][0] > 0.7
    assert (found["class_auc_low"][2:] < 0.5).all()
    assert (found["class_auc_high"][2:] > 0.5).all()
    assert (found["label_purity"][0], found["label_count"][0]) == (1, 1)
    assert found["concept_purity"][1] == 1
    assert found["class_auc"][2] == 0.5
    assert np.isnan(found["label_purity"][2])


def test_all_columns_equal_their_definitions(tmp_path: Path) -> None:
    maps = planted()
    found = fed(detectors(tmp_path), maps, 31, 119).compute("layer").columns
    targets = {
        "class": [{i: label == target for i, label in LABELS.items()} for target in range(5)],
        "concept": [
            {i: STRIPED[i] == 1 for i in range(PICTURES) if STRIPED[i] >= 0},
            *({i: i % 3 == kind for i in range(PICTURES)} for kind in range(3)),
        ],
    }
    for name, unit in product(targets, range(5)):
        peaks = maps[:, unit].amax(dim=(1, 2)).double().numpy()
        best = (-1.0,)
        for number, has in enumerate(targets[name]):
            own, others = (
                [peaks[i] for i, value in has.items() if value is wanted or value == wanted] for wanted in (True, False)
            )
            area = np.mean([(one > other) + (one == other) / 2 for one, other in product(own, others)])
            counts = np.array([len(own)]), np.array([len(others)]), 5 * len(targets[name])
            low, high = (float(bound(np.array([area]), *counts)[0]) for bound in (lower_bound, upper_bound))
            if low > best[0]:
                best = (low, area, high, number)
        low, area, high, number = best
        numbers = [found[f"{name}_auc{end}"][unit] for end in ("_low", "", "_high")]
        assert numbers == pytest.approx([low, area, high])
        assert found[f"detected_{name}"][unit] == (number if low > 0.5 else -1)
        known = targets[name][number]
        shown = sorted((i for i in known if peaks[i] > min(peaks[i] for i in known)), key=lambda i: (-peaks[i], i))[:9]
        if name == "class" and shown:
            counted = Counter(LABELS[i] for i in shown)
            assert found["label_purity"][unit] == max(counted.values()) / len(shown)
            assert found["label_count"][unit] == len(counted)
        elif shown:
            assert found["concept_purity"][unit] == np.mean([known[i] for i in shown])


def test_blocks_of_units_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fed(detectors(tmp_path), planted())
    monkeypatch.setattr("audit.stream.detectors.AT_ONCE", 2 * PICTURES)
    same(fed(detectors(tmp_path), planted()).compute("layer"), whole.compute("layer"))


def test_any_split_equals_all_at_once_whatever_comes_first(tmp_path: Path) -> None:
    maps = planted()
    whole = fed(detectors(tmp_path), maps, 50, 60, 40)
    same(merged(lambda: detectors(tmp_path), maps, [50, 60, 40]).compute("layer"), whole.compute("layer"))
    turned = fed(detectors(tmp_path), maps[90:], first=90)
    turned.merge(fed(detectors(tmp_path), maps[:90]))
    same(turned.compute("layer"), whole.compute("layer"))


def test_a_unit_that_is_not_finite_is_named_and_not_measured(tmp_path: Path) -> None:
    maps = planted()
    maps[7, 3, 0, 0], maps[6, 4, 0, 0] = torch.nan, torch.inf
    reducer = fed(detectors(tmp_path), maps)
    found, table = reducer.compute("layer").columns, reducer.summary("layer")
    for name, column in found.items():
        measured = column >= 0 if name.startswith("detected") else np.isfinite(column)
        assert not measured[3:].any()
        assert measured[0] or name == "detected_concept"
    assert table.columns["unmeasured"].tolist() == ["3, 4"] * 2


def test_random_directions_are_their_sums_of_units(tmp_path: Path) -> None:
    maps = planted()
    reducer = fed(detectors(tmp_path), maps, 50, 100)
    weights = np.random.default_rng(3).normal(size=(5, DIRECTIONS))
    weights /= np.linalg.norm(weights, axis=0)
    expected = np.einsum("ud,nuyx->ndyx", weights, maps.double().numpy()).max(axis=(2, 3))
    np.testing.assert_allclose(reducer.rows.read()["code"][:, 5:], expected, rtol=1e-4, atol=1e-5)


def special(folder: Path, maps: torch.Tensor) -> Table:
    return fed(detectors(folder, **{"class": [CLASSES]}), maps).summary("layer")


def test_units_that_are_special_are_told_from_a_layer_in_which_any_direction_is_as_good(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = torch.tensor([LABELS.get(image, 5) for image in range(PICTURES)])
    maps = torch.from_numpy(random.normal(size=(PICTURES, 60, 1, 1))).float()
    turned = special(tmp_path, maps).columns
    assert turned["versus_low"][0] < 0.5 < turned["versus_high"][0]
    maps[:, :, 0, 0] += 2 * (labels[:, None] == torch.arange(60) % 5)
    axes = special(tmp_path, maps).columns
    assert axes["versus_low"][0] > 0.8
    assert axes["detectors"][0] > 50
    assert axes["random_auc"][0] < axes["auc"][0] - 0.1
    assert axes["purity"][0] > axes["random_purity"][0] + 0.2
    assert (axes["layer"][0], axes["of"][0], axes["targets"][0], axes["units"][0]) == ("layer", "class", 5, 60)


def test_the_same_seed_gives_the_same_bits(tmp_path: Path) -> None:
    one, other = (fed(detectors(tmp_path), planted(), 70, 80) for _ in range(2))
    for name, column in one.summary("layer").columns.items():
        assert column.tolist() == other.summary("layer").columns[name].tolist()


@pytest.mark.parametrize("labels", [{}, {3: 1, 4: 1}, {image: image for image in range(PICTURES)}])
def test_without_two_classes_of_enough_pictures_it_is_unavailable(tmp_path: Path, labels: dict[int, int]) -> None:
    classes = [of_labels(labels, PICTURES, PICTURES)] if labels else []
    with pytest.raises(Unavailable, match="no class has enough of the 150 pictures"):
        fed(Detectors({"class": classes, "concept": []}, tmp_path / "peaks.npy", 0), planted()).compute("layer")


def test_a_concept_that_all_pictures_have_is_unavailable_and_classes_do_not_hide_that(tmp_path: Path) -> None:
    alike = Grouping(np.zeros(PICTURES, np.int64), 1)
    with pytest.raises(Unavailable, match="no concept has enough"):
        fed(detectors(tmp_path, **{"class": [CLASSES], "concept": [alike]}), planted()).compute("layer")


def test_peaks_leave_nothing_on_disk(tmp_path: Path) -> None:
    reducer = fed(detectors(tmp_path), planted())
    reducer.compute("layer")
    del reducer
    assert list(tmp_path.iterdir()) == []


@pytest.mark.cuda
def test_cuda_measures_what_the_cpu_does(tmp_path: Path) -> None:
    maps = planted()
    same(
        fed(detectors(tmp_path), maps.cuda(), 70, 80).compute("layer"),
        fed(detectors(tmp_path), maps, 70, 80).compute("layer"),
        1e-6,
    )
