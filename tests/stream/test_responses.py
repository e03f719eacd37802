"""What units answer to a few pictures: the same pictures and numbers however the pictures come."""

import numpy as np
import torch
from hypothesis import given, settings

from audit.records import Responses
from audit.stream.responses import PICTURES, Answering, spread
from tests.stream.feeding import SEEDS, SIZES, fed, merged, noise


def test_the_answers_are_the_peaks_of_pictures_spread_evenly() -> None:
    maps = noise(images=600)
    found = fed(Answering(600), maps, 250, 250, 100).compute("conv")
    assert found.layer == "conv"
    assert len(found.images) == PICTURES
    assert found.images[0] == 0
    assert set(np.diff(found.images)) == {2, 3}
    np.testing.assert_array_equal(found.value, maps.amax(dim=(2, 3)).T[:, found.images].numpy())


def test_of_few_pictures_all_are_answered() -> None:
    assert spread(5).tolist() == [0, 1, 2, 3, 4]
    assert spread(0).tolist() == []
    assert fed(Answering(23), noise()).compute("conv").value.shape == (5, 23)


@given(SIZES, SEEDS)
@settings(deadline=None, max_examples=40)
def test_any_split_equals_all_at_once(sizes: list[int], seed: int) -> None:
    maps = noise(images=sum(sizes), seed=seed)
    whole = fed(Answering(len(maps)), maps).compute("conv")
    for other in (fed(Answering(len(maps)), maps, *sizes), merged(lambda: Answering(len(maps)), maps, sizes)):
        found = other.compute("conv")
        np.testing.assert_array_equal(found.images, whole.images)
        np.testing.assert_array_equal(found.value, whole.value)


def test_pictures_that_were_not_shown_are_left_out() -> None:
    found = fed(Answering(600), torch.ones(2, 3, 4, 4), first=1).compute("conv")
    assert isinstance(found, Responses)
    assert found.images.tolist() == [2]
    assert fed(Answering(600), torch.ones(1, 3, 4, 4), first=1).compute("conv").value.shape == (3, 0)
