"""A Fourier image is the sum of its waves, and its noise has the spectrum and the colours of photographs."""

import numpy as np
import pytest
import torch

from audit.ascent.parametrizations.colours import MIX
from audit.ascent.parametrizations.fourier import Fourier

SHAPES = [(3, 5, 6), (3, 4, 7), (1, 6, 6), (2, 3, 2), (3, 7, 7), (1, 1, 1)]


def by_hand(coordinates: np.ndarray, shape: tuple[int, int, int], decay: float, mixes: bool) -> np.ndarray:
    """Every wave as a cosine, scaled by its frequency; pixel by pixel, colour by colour."""
    _, height, width = shape
    signed = [(down - height if 2 * down > height else down) / height for down in range(height)]
    power, waves = 0.0, np.zeros(shape)
    for ky in range(height):
        for kx in range(width):
            frequency = np.hypot(signed[ky], min(kx, width - kx) / width)
            power += 2 * max(frequency, 1 / max(height, width)) ** (-2 * decay)
    for ky in range(height):
        for kx in range(width // 2 + 1):
            lone = kx == 0 or 2 * kx == width
            amplitude = max(np.hypot(signed[ky], kx / width), 1 / max(height, width)) ** -decay
            amplitude /= np.sqrt(power / (height * width)) * np.sqrt(height * width)
            for y in range(height):
                for x in range(width):
                    angle = 2 * np.pi * (ky * y / height + kx * x / width)
                    real, imaginary = coordinates[:, :, ky, kx]
                    wave = real * np.cos(angle) - imaginary * np.sin(angle)
                    waves[:, y, x] += (np.sqrt(2) if lone else 2) * amplitude * wave
    return 1 / (1 + np.exp(-(np.einsum("dc,cyx->dyx", MIX, waves) if mixes else waves)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("decay", [0.0, 1.0, 1.7])
def test_the_image_is_the_sum_of_its_waves(shape, decay):
    made = Fourier(decay=decay, deviation=2.0)
    start = made.start(3, shape)
    expected = by_hand(start, shape, decay, mixes=shape[0] == 3)
    np.testing.assert_allclose(made.pixels(torch.from_numpy(start)[None], shape)[0], expected, atol=1e-12)


def test_colours_that_are_not_decorrelated_are_the_waves_themselves():
    made = Fourier(decorrelated=False, deviation=1.0)
    start = made.start(3, (3, 4, 5))
    expected = by_hand(start, (3, 4, 5), 1.0, mixes=False)
    np.testing.assert_allclose(made.pixels(torch.from_numpy(start)[None], (3, 4, 5))[0], expected, atol=1e-12)


def logits(made: Fourier, shape: tuple[int, int, int], count: int) -> np.ndarray:
    starts = torch.from_numpy(np.stack([made.start(seed, shape) for seed in range(count)]))
    return torch.logit(made.pixels(starts, shape)).numpy()


@pytest.mark.parametrize("shape", [(3, 7, 7), (3, 32, 24), (1, 8, 64)])
def test_the_start_has_the_deviation_that_was_asked_for_at_every_size(shape):
    assert logits(Fourier(deviation=0.3), shape, 2000).std() == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_the_start_has_a_spectrum_that_falls_as_the_frequency_in_all_directions(size):
    power = (np.abs(np.fft.fft2(logits(Fourier(deviation=0.1), (1, *size), 6000)[:, 0])) ** 2).mean(0)
    frequency = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])[None])
    flat = power * np.maximum(frequency, 1 / max(size)) ** 2
    assert flat.max() / flat.min() < 1.25


def test_the_start_has_the_colours_of_photographs():
    measured = np.array(
        [[0.0728, 0.0646, 0.0591], [0.0646, 0.0698, 0.0665], [0.0591, 0.0665, 0.0774]]
    )  # of the pixels of 500 photographs
    pixels = logits(Fourier(), (3, 8, 8), 4000).transpose(1, 0, 2, 3).reshape(3, -1)
    found = np.cov(pixels)
    np.testing.assert_allclose(found / np.trace(found), measured / np.trace(measured), atol=0.02)
