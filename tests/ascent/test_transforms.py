"""Transforms sample the picture where their formula says, each row by its own draws."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from audit import registry
from audit.ascent.transforms import Transform, drawn, transformed
from audit.ascent.transforms.jitter import Jitter
from audit.ascent.transforms.rotate import Rotate
from audit.ascent.transforms.scale import Scale

ALL = (Jitter(pixels=2.5), Scale(share=0.2), Rotate(degrees=30))


def pictures(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, 11, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def by_hand(picture: np.ndarray, transforms: tuple[Transform, ...], draws: np.ndarray) -> np.ndarray:
    """Every pixel of the changed picture looked up in the picture, plane by plane, by scipy."""
    height, width = picture.shape[1:]
    down, across = np.mgrid[:height, :width].astype(float)
    x, y = across - (width - 1) / 2, down - (height - 1) / 2
    for transform, (first, second) in reversed(list(zip(transforms, draws.reshape(-1, 2), strict=True))):
        match transform:
            case Jitter():
                farthest = min(transform.pixels, transform.share * min(height, width))
                x, y = x + (2 * first - 1) * farthest, y + (2 * second - 1) * farthest
            case Scale():
                factor = 1 + (2 * first - 1) * transform.share
                x, y = x / factor, y / factor
            case Rotate():
                angle = np.radians((2 * first - 1) * transform.degrees)
                x, y = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
    places = [y + (height - 1) / 2, x + (width - 1) / 2]
    return np.stack([map_coordinates(plane, places, order=1, mode="reflect") for plane in picture])


@pytest.mark.parametrize("transforms", [*((one,) for one in ALL), ALL, ALL[::-1], (Jitter(pixels=8, share=0.1),)])
def test_the_picture_is_sampled_where_the_transforms_say(transforms):
    draws = torch.rand(2, 2 * len(transforms), generator=torch.Generator().manual_seed(3)).double()
    found = transformed(pictures(), transforms, draws).numpy()
    for row, picture in enumerate(pictures().numpy()):
        np.testing.assert_allclose(found[row], by_hand(picture, transforms, draws[row].numpy()), atol=1e-10)


def test_the_gradient_is_the_finite_difference():
    draws = torch.full((1, 6), 0.8, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda shown: transformed(shown, ALL, draws), pictures(1)[:, :1, :4, :5].requires_grad_()
    )


def test_draws_in_the_middle_leave_the_picture_as_it_is():
    found = transformed(pictures(), ALL, torch.full((2, 6), 0.5, dtype=torch.float64))
    np.testing.assert_allclose(found.numpy(), pictures().numpy(), atol=1e-12)


def test_a_seed_draws_the_same_numbers_whatever_comes_after():
    short, long = drawn(ALL, seed=4, steps=10), drawn(ALL, seed=4, steps=30)
    assert short.shape == (10, 6)
    assert np.array_equal(short, long[:10])
    assert not np.array_equal(short, drawn(ALL, seed=5, steps=10))
    assert 0 <= long.min() < 0.1
    assert 0.9 < long.max() < 1


def test_every_registered_transform_is_one_and_knows_its_name():
    for name in registry.names("transform"):
        component = registry.load("transform", name)
        assert issubclass(component, Transform)
        assert component.model_fields["transform"].default == name
