"""Class means, selectivity and the classes' share of variance against plain loops over pictures."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from audit.errors import Unavailable
from audit.stream.selectivity import Selectivity
from tests.stream.feeding import SEEDS, SIZES, fed, merged, noise, same

LABELS = {image: image * 7 % 4 for image in range(60) if image % 5}


def columns(maps: torch.Tensor, labels: dict[int, int] = LABELS, *sizes: int) -> dict[str, np.ndarray]:
    return dict(fed(Selectivity(labels, 6), maps, *sizes).compute("layer").columns)


def test_all_columns_equal_their_definitions() -> None:
    maps = noise(40)
    found = columns(maps, LABELS, 3, 30, 7)
    images = [image for image in range(40) if image in LABELS]
    truth = np.array([LABELS[image] for image in images])
    for unit in (0, 1, 3, 4):
        peaks = maps[images, unit].amax(dim=(1, 2)).double().numpy()
        means = [peaks[truth == label].mean() for label in range(4)]
        best = int(np.argmax(means))
        rest = np.mean([mean for label, mean in enumerate(means) if label != best])
        within = sum(((peaks[truth == label] - means[label]) ** 2).sum() for label in range(4)) / (len(peaks) - 4)
        assert found["preferred_class"][unit] == best
        assert found["selectivity"][unit] == pytest.approx((means[best] - rest) / (means[best] + rest))
        assert found["class_information"][unit] == pytest.approx(1 - within / peaks.var(ddof=1))


def test_a_unit_for_one_class_is_told_from_one_for_none() -> None:
    maps = noise(60)
    for image, label in LABELS.items():
        maps[image, 0] = 3.0 if label == 2 else 0.0
    found = columns(maps)
    assert found["preferred_class"][0] == 2
    assert found["selectivity"][0] == 1
    assert found["class_information"][0] == pytest.approx(1)
    assert found["selectivity"][1] < 0.5
    assert abs(found["class_information"][1]) < 0.3


def test_class_information_does_not_depend_on_sign_and_scale() -> None:
    maps = noise(60, size=(1, 1))
    moved = columns(-3 * maps - 100)
    np.testing.assert_allclose(moved["class_information"], columns(maps)["class_information"], rtol=1e-5)
    assert np.isnan(moved["selectivity"]).all()


def test_a_dead_unit_is_not_selective() -> None:
    found = columns(noise(60))
    assert found["preferred_class"][2] == 0
    assert np.isnan(found["selectivity"][2])
    assert np.isnan(found["class_information"][2])


def test_classes_without_pictures_are_nobodys_choice() -> None:
    labels = {image: 3 + image % 2 for image in range(23)}
    found = columns(-1 - noise(), labels)
    assert set(found["preferred_class"]) <= {3, 4}


def test_a_unit_that_is_not_finite_is_not_measured() -> None:
    maps = noise(60)
    maps[7, 1, 0, 0], maps[8, 3, 0, 0], maps[5, 0, 0, 0] = torch.nan, torch.inf, torch.nan
    assert 5 not in LABELS
    found = columns(maps)
    assert (found["preferred_class"] == -1).tolist() == [False, True, False, True, False]
    for name in ("selectivity", "class_information"):
        assert np.isnan(found[name])[[1, 3]].all()
        assert np.isfinite(found[name][[0, 4]]).all()


def test_a_picture_of_each_class_says_nothing_of_chance() -> None:
    found = columns(noise(4), {image: image for image in range(4)})
    assert np.isnan(found["class_information"]).all()
    assert np.isfinite(found["selectivity"][[0, 1, 3, 4]]).all()


@pytest.mark.parametrize("labels", [{}, {3: 1, 4: 1}])
def test_without_two_classes_it_is_unavailable(labels: dict[int, int]) -> None:
    with pytest.raises(Unavailable, match="two"):
        columns(noise(), labels)


def test_a_state_that_would_be_too_large_is_unavailable_and_takes_no_memory() -> None:
    reducer = fed(Selectivity(LABELS, 6, most_numbers=29), noise())
    assert reducer.sums is None
    with pytest.raises(Unavailable, match="5 units and there are 6 classes"):
        reducer.compute("layer")


@given(SIZES, SEEDS)
@settings(deadline=None, max_examples=20)
def test_any_split_equals_all_at_once(sizes: list[int], seed: int) -> None:
    maps = noise(sum(sizes) + 6, seed=seed)
    sizes = [*sizes, 6]
    whole, split = fed(Selectivity(LABELS, 6), maps), fed(Selectivity(LABELS, 6), maps, *sizes)
    assert whole.sums is not None
    assert split.sums is not None
    torch.testing.assert_close(split.sums, whole.sums, rtol=1e-12, atol=0)
    torch.testing.assert_close(split.squares, whole.squares, rtol=1e-12, atol=1e-14)
    assert split.pictures.tolist() == whole.pictures.tolist()
    state = merged(lambda: Selectivity(LABELS, 6), maps, sizes)
    assert state.sums is not None
    assert torch.equal(state.sums, split.sums)
    assert torch.equal(state.squares, split.squares)


@pytest.mark.cuda
def test_cuda_measures_what_the_cpu_does() -> None:
    maps = noise(60)
    reducer = fed(Selectivity(LABELS, 6), maps.cuda(), 11, 49)
    same(reducer.compute("layer"), fed(Selectivity(LABELS, 6), maps).compute("layer"), 1e-9)
