"""Decay is a multiplication."""

import torch

from audit.ascent.regularizers.decay import Decay

IMAGES = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_decay_multiplies_by_what_is_left():
    for step in (0, 1, 7):
        decayed = Decay(strength=0.3).apply(IMAGES.clone(), IMAGES, step)
        torch.testing.assert_close(decayed, IMAGES * 0.7, rtol=1e-15, atol=0)


def test_decay_of_nothing_changes_nothing():
    assert torch.equal(Decay(strength=0).apply(IMAGES.clone(), IMAGES, 0), IMAGES)


def test_stronger_decay_leaves_smaller_images():
    norms = [Decay(strength=strength).apply(IMAGES.clone(), IMAGES, 0).norm() for strength in (0, 0.1, 0.5, 1)]
    assert norms == sorted(norms, reverse=True)
    assert norms[-1] == 0
