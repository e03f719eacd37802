"""First-layer filters with known frequency, orientation, colour and smoothness are measured as such."""

import cmath
import math
import random
from collections.abc import Callable

import numpy as np
import pytest

from audit.model.filters import BINS, describe, smoothness

RNG = np.random.default_rng(7)


def gabor(size: int, frequency: float, degrees: float, phase: float = 0.0, width: float = 0.25) -> np.ndarray:
    """A gray Gabor (3 equal channels) whose wave changes along `degrees` (x to the right, y down)."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    angle = math.radians(degrees)
    wave = np.cos(2 * np.pi * frequency * (x * math.cos(angle) + y * math.sin(angle)) + phase)
    plane = wave * np.exp(-(x**2 + y**2) / (2 * (width * size) ** 2))
    return np.repeat(plane[None], 3, axis=0)


def blob(size: int, colour: tuple[float, float, float]) -> np.ndarray:
    """A Gaussian blob of one colour."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    plane = np.exp(-(x**2 + y**2) / (2 * (size / 4) ** 2))
    return np.array(colour)[:, None, None] * plane


def bank(*filters: np.ndarray) -> np.ndarray:
    return np.stack(filters).astype(np.float32)


@pytest.mark.parametrize("size", [7, 9, 11])
@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 120, 150])
def test_a_planted_gabor_is_measured_at_its_frequency_and_orientation(size: int, degrees: float) -> None:
    frequencies = [2 / size, 0.3, 0.35]
    measured = describe(bank(*(gabor(size, frequency, degrees, phase=0.4) for frequency in frequencies)))
    assert measured["frequency"] == pytest.approx(frequencies, abs=0.2 / size)  # a fifth of the filter's own bin
    difference = (measured["orientation"] - degrees + 90) % 180 - 90
    assert np.abs(difference).max() < 4


def test_vertical_stripes_have_orientation_zero_and_horizontal_ones_ninety() -> None:
    vertical = np.tile(np.array([1, 1, -1, -1, 1, 1, -1, -1.0]), (3, 8, 1))
    measured = describe(bank(vertical, vertical.transpose(0, 2, 1)))
    assert measured["orientation"].tolist() == [0, 90]
    assert measured["frequency"] == pytest.approx([0.25, 0.25], abs=0.02)


def test_stripes_from_the_lower_left_to_the_upper_right_have_orientation_forty_five() -> None:
    y, x = np.mgrid[:9, :9]
    rising = np.repeat(np.cos(2 * np.pi * 0.15 * (x + y))[None], 3, axis=0)  # constant along x + y, that is upwards
    assert describe(bank(rising))["orientation"] == pytest.approx(45, abs=3)


def test_colour_blobs_are_told_from_gray_edges() -> None:
    colours = [blob(9, (1, -1, 0)), blob(9, (-0.3, -0.3, 1)), blob(9, (0, 1, 0))]
    edges = [gabor(9, 0.2, 30), gabor(9, 0.3, 120), blob(9, (1, 1, 1)), blob(9, (1, 0.8, 1.2))]
    measured = describe(bank(*colours, *edges))
    assert measured["is_colour"].tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert measured["colourfulness"][0] == pytest.approx(1)
    assert measured["colourfulness"][2] == pytest.approx(2 / 3)
    assert measured["colourfulness"][3] == pytest.approx(0, abs=1e-12)
    assert measured["frequency"][:3].max() < 0.15 < measured["frequency"][3:5].min()


def test_gabors_and_blobs_are_smoother_than_their_shuffled_weights() -> None:
    measured = describe(bank(gabor(9, 0.1, 20), gabor(9, 0.25, 90), blob(9, (1, -1, 0))))
    assert (measured["smoother_than_null"] > 0.99).all()
    assert (measured["smoothness"] < 1).all()


@pytest.mark.parametrize("gray", [True, False])
@pytest.mark.parametrize("size", [3, 7, 11])
def test_noise_is_as_smooth_as_its_null_whether_gray_or_coloured(gray: bool, size: int) -> None:
    noise = RNG.normal(size=(400, 1 if gray else 3, size, size))
    measured = describe(np.repeat(noise, 3, axis=1) if gray else noise)
    share = measured["smoother_than_null"]
    ranks = np.sort(share)
    distance = np.abs(ranks - (np.arange(400) + 0.5) / 400).max()
    assert distance < 0.1  # Kolmogorov distance to uniform; 0.081 has a chance of 1 %, ties and one null add a little
    assert (share > 0.99).mean() < 0.04
    assert measured["smoothness"].mean() == pytest.approx(1, abs=0.05)


def test_shuffled_weights_have_smoothness_one_on_average_over_all_arrangements() -> None:
    filter_ = RNG.normal(size=(2, 3, 3))
    arrangements = np.array([random.Random(i).sample(range(9), 9) for i in range(20000)])
    assert smoothness(filter_, arrangements).mean() == pytest.approx(1, abs=0.005)


def test_a_checkerboard_is_the_roughest_arrangement() -> None:
    board = np.indices((8, 8)).sum(axis=0) % 2 * 2.0 - 1
    measured = describe(bank(board[None]))
    assert measured["smoothness"] == pytest.approx(2 * 63 / 64)
    assert measured["smoother_than_null"].tolist() == [0]


def oracle_power(filter_: np.ndarray, fy: float, fx: float) -> float:
    """Power of one frequency, straight from the definition of the Fourier transform."""
    total = 0.0
    for plane in filter_:
        mean = sum(plane.ravel()) / plane.size
        terms = (
            (plane[y, x] - mean) * cmath.exp(-2j * math.pi * (fy * y + fx * x)) for y, x in np.ndindex(*plane.shape)
        )
        total += abs(sum(terms)) ** 2
    return total


def test_the_dominant_frequency_agrees_with_its_definition() -> None:
    for filter_ in RNG.normal(size=(2, 2, 3, 4)):
        grid = [(fy / BINS, fx / BINS) for fy in range(-BINS // 2, BINS // 2, 2) for fx in range(0, BINS // 2 + 1, 2)]
        fy, fx = max(grid, key=lambda wave: oracle_power(filter_, *wave))
        measured = describe(filter_[None])
        assert measured["frequency"][0] == pytest.approx(math.hypot(fy, fx), abs=2.1 / BINS)
        angle = math.radians(measured["orientation"][0])
        wave = measured["frequency"][0] * math.sin(angle), measured["frequency"][0] * math.cos(angle)
        assert oracle_power(filter_, *wave) >= oracle_power(filter_, fy, fx) * (1 - 1e-12)


def oracle_smoothness(filter_: np.ndarray) -> float:
    """Geary's C, one pair of neighbours at a time."""
    channels, height, width = filter_.shape
    squares, pairs = 0.0, 0
    for y, x in np.ndindex(height, width):
        for other in ((y + 1, x), (y, x + 1)):
            if other[0] < height and other[1] < width:
                squares += sum((filter_[c, y, x] - filter_[c, *other]) ** 2 for c in range(channels))
                pairs += 1
    variance = sum(filter_[c].var(ddof=1) for c in range(channels))
    return squares / pairs / (2 * variance)


def test_smoothness_and_its_null_agree_with_their_definition() -> None:
    filter_ = RNG.normal(size=(3, 4, 5)).cumsum(axis=2)
    measured = describe(filter_[None])
    own = oracle_smoothness(filter_)
    assert measured["smoothness"][0] == pytest.approx(own)
    pixels = filter_.reshape(3, 20)
    shuffled = [oracle_smoothness(pixels[:, RNG.permutation(20)].reshape(3, 4, 5)) for _ in range(1000)]
    share = np.mean([null > own for null in shuffled])
    assert measured["smoother_than_null"][0] == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize(
    ("filter_", "known"),
    [
        (np.full((3, 7, 7), 0.1), {"colourfulness": 0, "is_colour": 0}),
        (np.zeros((3, 7, 7)), {}),
        (np.zeros((1, 7, 7)), {"colourfulness": 0, "is_colour": 0}),
        (np.array([1.0, -1, 0])[:, None, None], {"colourfulness": 1, "is_colour": 1}),
        (np.arange(12.0).reshape(3, 2, 2) % 4, {"colourfulness": 0, "is_colour": 0}),
        (np.where(np.arange(147).reshape(3, 7, 7) == 5, np.nan, 1.0), {}),
        (np.where(np.arange(147).reshape(3, 7, 7) == 5, np.inf, 1.0), {}),
    ],
    ids=["constant", "zero", "zero with one channel", "1x1", "2x2", "a nan", "an infinity"],
)
def test_what_does_not_exist_is_nan(filter_: np.ndarray, known: dict[str, float]) -> None:
    measured = {name: column[0] for name, column in describe(bank(filter_)).items()}
    assert {name: value for name, value in measured.items() if not np.isnan(value)} == pytest.approx(known, abs=1e-9)


def test_one_channel_is_never_colour() -> None:
    measured = describe(RNG.normal(size=(5, 1, 7, 7)))
    assert measured["colourfulness"].tolist() == [0] * 5
    assert np.isfinite(list(measured.values())).all()


@pytest.mark.parametrize(
    "change", [lambda w: w * 1e-30, lambda w: w * 1e30, lambda w: -w], ids=["tiny", "huge", "sign"]
)
def test_the_scale_and_the_sign_of_a_filter_mean_nothing(change: Callable[[np.ndarray], np.ndarray]) -> None:
    weight = RNG.normal(size=(4, 3, 7, 7))
    before, after = describe(weight), describe(change(weight))
    assert before == {name: pytest.approx(column) for name, column in after.items()}


def test_the_null_depends_on_the_seed_alone() -> None:
    weight = RNG.normal(size=(8, 3, 5, 5))
    first, second, other = describe(weight), describe(weight), describe(weight, seed=1)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["smoother_than_null"], other["smoother_than_null"])
    assert other["smoother_than_null"] == pytest.approx(first["smoother_than_null"], abs=0.08)


def test_a_filter_is_described_the_same_whatever_stands_beside_it() -> None:
    weight = RNG.normal(size=(6, 3, 5, 5))
    whole, alone = describe(weight), describe(weight[4:5])
    assert {name: column[4] for name, column in whole.items()} == {name: column[0] for name, column in alone.items()}


def test_no_filters_are_empty_columns() -> None:
    assert {column.shape for column in describe(np.zeros((0, 3, 7, 7))).values()} == {(0,)}
