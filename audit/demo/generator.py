"""Pictures of stripes and coloured shapes, drawn when they are asked for: (seed, split, index) -> picture and label."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from numpy.random import Generator

from audit.errors import DataError, nearest

SIZE = 64
"""Height and width of a picture in pixels."""

CLASSES = (
    "horizontal stripes, coarse",
    "horizontal stripes, fine",
    "vertical stripes, coarse",
    "vertical stripes, fine",
    "rising stripes, coarse",
    "rising stripes, fine",
    "falling stripes, coarse",
    "falling stripes, fine",
    "red disc",
    "red square",
    "green disc",
    "blue square",
)
"""What a picture can show; the label of a picture is its place in this list."""

SPLITS = ("train", "test")

ORIENTATION = {"vertical": 0.0, "rising": 45.0, "horizontal": 90.0, "falling": 135.0}
"""Degrees of the direction in which stripes change, x to the right and y down: as in `audit.model.filters.describe`."""

FREQUENCY = {"coarse": (0.06, 0.10), "fine": (0.17, 0.25)}
"""Cycles per pixel, lowest and highest."""

HUE = {"red": 0.0, "green": 120.0, "blue": 240.0}
"""Degrees on the colour circle."""

_Y, _X = (np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2).astype(np.float32)
_Plane = Float[np.ndarray, "y x"]
_Colour = Float[np.ndarray, " 3"]


@dataclass(frozen=True)
class DemoPictures:
    """`count` labelled pictures; picture i is made anew at every access and depends on (seed, split, i) alone.

    A picture shows one of `CLASSES`, drawn at random, over a background of 1/f noise (most of it gray, some of it
    colour) and under pixel noise:

    - stripes: a sine grating in a round window with a soft edge. The class says orientation (to 8 degrees) and
      frequency (coarse: 0.06 to 0.10 cycles per pixel, fine: 0.17 to 0.25); phase, contrast, tint, place and size of
      the window are random. "Rising" stripes run from the lower left to the upper right.
    - shapes: a disc or a square with a soft edge. The class says form and hue (to 20 degrees); place, size (radius 8 to
      18 pixels), tilt (to 20 degrees), saturation and brightness are random.

    To ask for more than one cue, a stripes picture also holds a small blob of any colour, and a shapes picture a weak
    patch of gray stripes of any orientation and frequency, both behind what the label names.
    """

    count: int = 1000
    seed: int = 1
    split: str = "test"

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise DataError(f'the demo pictures have no split "{self.split}"{nearest(self.split, SPLITS)}')
        if self.count < 1:
            raise DataError(f"{self.count} demo pictures were asked for; count must be at least 1")
        if self.seed < 0:
            raise DataError(f"the demo pictures have no seed {self.seed}; seed must be at least 0")

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels."""
        return CLASSES

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[UInt8[np.ndarray, "64 64 3"], int]:
        """The picture (RGB) and its label; IndexError outside 0 .. count - 1."""
        if not 0 <= index < self.count:
            raise IndexError(f"no demo picture {index}; there are {self.count}, counted from 0")
        rng = np.random.default_rng((self.seed, SPLITS.index(self.split), int(index)))
        label = int(rng.integers(len(CLASSES)))
        return _picture(CLASSES[label], rng), label


def pictures(count: int = 1000, seed: int = 1, split: str = "test") -> DemoPictures:
    """`count` pictures of the split "train" or "test"; DataError names what cannot be had."""
    return DemoPictures(count, seed, split)


def _picture(name: str, rng: Generator) -> UInt8[np.ndarray, "64 64 3"]:
    canvas = _background(rng)
    if "stripes" in name:
        orientation, _, frequency = name.replace(",", "").split()
        _blob(canvas, rng)
        _stripes(canvas, ORIENTATION[orientation], FREQUENCY[frequency], rng.uniform(0.15, 0.4), rng)
    else:
        colour, form = name.split()
        band = FREQUENCY["fine" if rng.random() < 0.5 else "coarse"]
        _stripes(canvas, rng.uniform(0, 180), band, rng.uniform(0.0, 0.08), rng)
        _shape(canvas, HUE[colour], _FORMS[form], rng)
    noise = rng.standard_normal(canvas.shape, dtype=np.float32) * np.float32(rng.uniform(0.01, 0.05))
    return np.asarray(np.rint(np.clip(canvas + noise, 0, 1) * 255), dtype=np.uint8)


def _one_over_f() -> Float[np.ndarray, "fy fx"]:
    """Amplitude 1/f, without the mean, scaled so that noise with this spectrum has standard deviation 1."""
    radius = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None, :])
    amplitude = np.divide(1, radius, out=np.zeros_like(radius), where=radius > 0)
    twice = np.full(SIZE // 2 + 1, 2.0)  # rfft holds one of each pair of conjugate columns, but for the first and last
    twice[[0, -1]] = 1
    power = 2 * (amplitude**2 * twice).sum() / SIZE**4
    return np.asarray(amplitude / np.sqrt(power), dtype=np.float32)


_AMPLITUDE = _one_over_f()


def _background(rng: Generator) -> Float[np.ndarray, "y x 3"]:
    """1/f noise about a random gray: one gray plane and a weaker one for each colour channel."""
    parts = rng.standard_normal((2, 4, *_AMPLITUDE.shape), dtype=np.float32)
    gray, *colours = np.fft.irfft2((parts[0] + 1j * parts[1]) * _AMPLITUDE, s=(SIZE, SIZE)).astype(np.float32)
    contrast, colour = rng.uniform(0.05, 0.15), rng.uniform(0.02, 0.06)
    planes = [rng.uniform(0.35, 0.65) + contrast * gray + colour * plane for plane in colours]
    return np.stack(planes, axis=2, dtype=np.float32)


def _stripes(
    canvas: Float[np.ndarray, "y x 3"], degrees: float, band: tuple[float, float], contrast: float, rng: Generator
) -> None:
    """Adds a tinted grating in a round window."""
    angle = np.radians(degrees + rng.uniform(-8, 8))
    frequency, phase = rng.uniform(*band), rng.uniform(0, 2 * np.pi)
    along = _X * np.float32(np.cos(angle)) + _Y * np.float32(np.sin(angle))
    wave = np.sin(np.float32(2 * np.pi * frequency) * along + np.float32(phase))
    window = _soft(np.hypot(*_offset(rng, 12.0)) - np.float32(rng.uniform(14, 30)), 3.0)
    tint = rng.uniform(0.7, 1.0, 3).astype(np.float32)
    canvas += (np.float32(contrast) * wave * window)[:, :, None] * tint


def _shape(canvas: Float[np.ndarray, "y x 3"], hue: float, form: "_Form", rng: Generator) -> None:
    """Paints a shape over what is there."""
    colour = _rgb(hue + rng.uniform(-20, 20), rng.uniform(0.45, 0.95), rng.uniform(0.5, 0.95))
    distance = form(*_offset(rng, 14.0), np.radians(rng.uniform(-20, 20))) - np.float32(rng.uniform(8, 18))
    _paint(canvas, colour, _soft(distance, 0.7))


def _blob(canvas: Float[np.ndarray, "y x 3"], rng: Generator) -> None:
    """Paints a small disc of any colour over what is there, half transparent."""
    colour = _rgb(rng.uniform(0, 360), rng.uniform(0.3, 0.9), rng.uniform(0.4, 0.9))
    distance = np.hypot(*_offset(rng, 24.0)) - np.float32(rng.uniform(3, 7))
    _paint(canvas, colour, np.float32(rng.uniform(0.4, 0.8)) * _soft(distance, 1.0))


def _paint(canvas: Float[np.ndarray, "y x 3"], colour: _Colour, cover: _Plane) -> None:
    canvas += cover[:, :, None] * (colour - canvas)


_Form = Callable[[_Plane, _Plane, float], _Plane]


def _disc(y: _Plane, x: _Plane, tilt: float) -> _Plane:
    """Distance from the centre."""
    return np.asarray(np.hypot(y, x))


def _square(y: _Plane, x: _Plane, tilt: float) -> _Plane:
    """Distance from the centre along the sides, for a square of a disc's area: the side's half is 0.886 of a radius."""
    cos, sin = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    return np.maximum(np.abs(cos * y - sin * x), np.abs(sin * y + cos * x)) / np.float32(np.sqrt(np.pi) / 2)


_FORMS: dict[str, _Form] = {"disc": _disc, "square": _square}


def _offset(rng: Generator, furthest: float) -> tuple[_Plane, _Plane]:
    """(y, x) of every pixel seen from a point at most `furthest` pixels from the centre on each axis."""
    down, right = rng.uniform(-furthest, furthest, 2).astype(np.float32)
    return _Y - down, _X - right


def _soft(distance: _Plane, width: float) -> _Plane:
    """1 inside (negative distance), 0 outside, with an edge about `width` pixels wide."""
    return np.asarray(0.5 - 0.5 * np.tanh(distance / np.float32(width)))


def _rgb(hue: float, saturation: float, value: float) -> _Colour:
    """Hue in degrees, saturation and value in 0 .. 1 -> red, green, blue in 0 .. 1."""
    sector = (np.array([5, 3, 1]) + hue / 60) % 6
    return (value - value * saturation * np.clip(np.minimum(sector, 4 - sector), 0, 1)).astype(np.float32)
