"""Planted images have the numbers that they were planted with."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.ascent import quality

SIZES = [(48, 48), (90, 61), (130, 130)]


def noise(slope: float, size: tuple[int, int], count: int = 12, channels: int = 3) -> np.ndarray:
    """Images [image, channel, y, x] whose power falls with that power of the frequency, cut out of larger ones."""
    height, width = (2 * side for side in size)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    frequency[0, 0] = np.inf
    white = np.random.default_rng(0).normal(size=(count, channels, height, width))
    shaped = np.fft.ifft2(np.fft.fft2(white) * frequency ** (slope / 2)).real
    return np.asarray(40 * shaped[:, :, : size[0], : size[1]] / shaped.std())


def waves(cycles: tuple[float, float], size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """A single grating of (y, x) cycles per pixel, in three channels."""
    y, x = np.mgrid[: size[0], : size[1]]
    return np.tile(100 * np.cos(2 * np.pi * (cycles[0] * y + cycles[1] * x)), (1, 3, 1, 1))


# Spectra


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("slope", [0.0, -1.0, -2.0, -3.0])
def test_the_slope_is_that_of_the_noise(slope: float, size: tuple[int, int]) -> None:
    found = quality.spectrum_slope(noise(slope, size))
    assert found.mean() == pytest.approx(slope, abs=0.12)
    assert found.std() < 0.15


def test_the_slope_knows_neither_scale_nor_colour() -> None:
    images = noise(-2.0, (40, 40), 3)
    colour = np.array([5.0, -60.0, 90.0])[:, None, None]
    np.testing.assert_allclose(quality.spectrum_slope(3 * images + colour), quality.spectrum_slope(images), atol=1e-6)


def test_the_slope_is_that_of_a_plain_loop() -> None:
    images = noise(-1.5, (21, 26), 2, channels=2)
    window = np.outer(np.sin(np.pi * np.arange(1, 22) / 22) ** 2, np.sin(np.pi * np.arange(1, 27) / 27) ** 2)
    for image, found in zip(images, quality.spectrum_slope(images), strict=True):
        rings: dict[int, list[float]] = {}
        means = [(channel * window).sum() / window.sum() for channel in image]
        power = sum(np.abs(np.fft.fft2((c - mean) * window)) ** 2 for c, mean in zip(image, means, strict=True))
        for row, column in np.ndindex(21, 26):
            y, x = min(row, 21 - row) / 21, min(column, 26 - column) / 26
            rings.setdefault(round(21 * np.hypot(y, x)), []).append(power[row, column])
        known = [ring for ring in sorted(rings) if 2 <= ring < 21 / 2]
        expected = np.polyfit(np.log(known), np.log([np.mean(rings[ring]) for ring in known]), 1)[0]
        assert found == pytest.approx(expected, rel=1e-9)


def test_there_is_no_slope_of_one_colour_nor_of_a_few_pixels() -> None:
    assert np.isnan(quality.spectrum_slope(np.full((2, 3, 32, 32), 7.0))).all()
    assert np.isnan(quality.spectrum_slope(noise(0.0, (8, 32), 2))).all()
    assert np.isfinite(quality.spectrum_slope(noise(0.0, (9, 32), 2))).all()


def test_one_image_that_is_not_finite_has_no_slope_and_spoils_no_other() -> None:
    images = noise(-2.0, (32, 32), 2)
    images[0, 1, 4, 4] = np.nan
    assert np.isnan(quality.spectrum_slope(images)[0])
    assert np.isfinite(quality.spectrum_slope(images)[1])


@pytest.mark.parametrize(
    ("cycles", "share"), [((0.0, 0.1), 0), ((0.1, 0.12), 0), ((0.0, 0.3), 1), ((0.25, 0.25), 1), ((0.45, 0.45), 1)]
)
def test_a_grating_has_all_its_power_at_its_frequency(cycles: tuple[float, float], share: float) -> None:
    assert quality.high_frequency_share(waves(cycles))[0] == pytest.approx(share, abs=1e-3)


def test_of_white_noise_all_frequencies_have_the_same_share() -> None:
    assert quality.high_frequency_share(noise(0.0, (64, 64))).mean() == pytest.approx(1 - np.pi / 16, abs=0.005)
    assert np.isnan(quality.high_frequency_share(np.zeros((1, 3, 16, 16)))[0])


# Pixels


def test_gray_pixels_are_those_of_the_mean_colour() -> None:
    images = np.zeros((3, 3, 10, 10))
    images[1, 2, :5] = 30.0
    images[2] = 0.5
    images[2, 0, 0, 0] = -0.51
    assert quality.sparsity(images).tolist() == [1.0, 0.5, 0.99]


def test_hoyer_counts_from_all_pixels_to_a_single_one() -> None:
    images = np.zeros((4, 3, 4, 4))
    images[0] = -7.0
    images[1, 1, 2, 3] = 0.1
    images[2, :, :1] = 5.0  # 4 of 16 pixels equally strong: (4 - 2) / (4 - 1)
    found = quality.hoyer(images)
    np.testing.assert_allclose(found[:3], [0, 1, 2 / 3], atol=1e-12)
    assert np.isnan(found[3])
    np.testing.assert_allclose(quality.hoyer(1e-3 * images[:3]), found[:3], atol=1e-12)


def test_the_variation_of_a_ramp_is_its_slopes() -> None:
    y, x = np.mgrid[:9, :14]
    ramps = np.stack([np.zeros((3, 9, 14)), np.tile(3.0 * x, (3, 1, 1)), np.tile(2.0 * x - 5.0 * y, (3, 1, 1))])
    np.testing.assert_allclose(quality.total_variation(ramps), [0, 3, 7])
    np.testing.assert_allclose(quality.total_variation(np.arange(6.0).reshape(1, 1, 6, 1)), [1])


def test_extreme_pixels_are_black_or_white_in_some_channel() -> None:
    mean = np.array([0.4, 0.5, 0.6])[:, None, None]
    images = np.full((3, 3, 10, 10), 20.0)
    images[1, 0, :3] = -255 * 0.4
    images[2, 2, :, :1] = 255 * 0.4
    images[2, 1, 0] = 255 * 0.5 - 0.4
    np.testing.assert_allclose(quality.extreme_share(images, mean), [0, 0.3, 0.19])


# Repetition


@pytest.mark.parametrize("size", [(12, 10), (16, 16), (7, 20)])
def test_a_motif_that_repeats_has_a_peak_of_one(size: tuple[int, int]) -> None:
    motif = np.random.default_rng(1).normal(size=(1, 3, *size))
    assert quality.autocorrelation_peak(np.tile(motif, (1, 1, 4, 4)))[0] == pytest.approx(1, abs=1e-6)
    assert quality.autocorrelation_peak(waves((0.0, 1 / 8)))[0] == pytest.approx(1, abs=1e-3)


def test_what_does_not_repeat_has_no_peak() -> None:
    y, x = np.mgrid[:64, :64]
    blob = np.exp(-((y - 30.0) ** 2 + (x - 33.0) ** 2) / 50)[None, None]
    assert quality.autocorrelation_peak(blob)[0] < 0.1
    assert quality.autocorrelation_peak(noise(0.0, (64, 64))).max() < 0.1
    assert quality.autocorrelation_peak(noise(-2.0, (64, 64))).mean() < 0.2
    assert np.isnan(quality.autocorrelation_peak(np.full((1, 3, 16, 16), 4.0))[0])


def test_the_peak_is_that_of_a_plain_loop() -> None:
    images = noise(-1.0, (11, 14), 3)
    for image, found in zip(images, quality.autocorrelation_peak(images), strict=True):
        centred = image - image.mean(axis=(1, 2), keepdims=True)
        moves = {}
        for down in range(-5, 6):
            for right in range(-7, 8):
                here = centred[:, max(-down, 0) : 11 - max(down, 0), max(-right, 0) : 14 - max(right, 0)]
                there = centred[:, max(down, 0) : 11 - max(-down, 0), max(right, 0) : 14 - max(-right, 0)]
                moves[down, right] = (here * there).sum() / np.sqrt((here**2).sum() * (there**2).sum())
        distances = {move: round(float(np.hypot(*move))) for move in moves}
        means = [np.mean([moves[m] for m in moves if distances[m] == ring]) for ring in range(9)]
        apart = next(ring for ring in range(9) if means[ring] <= 0)
        assert found == pytest.approx(max(moves[m] for m in moves if distances[m] >= apart), rel=1e-9)


# Diversity


def test_the_distance_is_the_mean_over_all_pairs() -> None:
    codes = np.random.default_rng(2).normal(size=(5, 7))
    pairs = [(a, b) for index, a in enumerate(codes) for b in codes[:index]]
    cosines = [a @ b / np.sqrt((a @ a) * (b @ b)) for a, b in pairs]
    assert quality.mean_pairwise_distance(codes) == pytest.approx(1 - np.mean(cosines), rel=1e-12)


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=5), st.integers(0, 99))
@settings(max_examples=30)
def test_the_distance_knows_no_scale(scales: list[float], seed: int) -> None:
    code = np.random.default_rng(seed).normal(size=9)
    alike = np.outer(scales, code)
    assert quality.mean_pairwise_distance(alike) == pytest.approx(0, abs=1e-12)
    assert quality.mean_pairwise_distance(np.stack([code, -code])) == pytest.approx(2)
    assert quality.mean_pairwise_distance(np.eye(len(scales))) == pytest.approx(1)


def test_a_distance_needs_two_codes_that_say_something() -> None:
    assert np.isnan(quality.mean_pairwise_distance(np.ones((1, 3))))
    assert np.isnan(quality.mean_pairwise_distance(np.array([[1.0, 2.0], [0.0, 0.0]])))
