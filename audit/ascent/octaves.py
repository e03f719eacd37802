"""Octaves: a picture that is enlarged while it is climbed, with less blur and smaller steps as it goes (Oygard 2016).

While the picture is larger than the canvas, each step works on a crop near its centre, so that a pattern that is larger
than what one unit sees can grow together. The schedules are those of the author's deepdraw.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from torch import Tensor

from audit.ascent.rates import MeanChange, Positive, Slope
from audit.ascent.regularizers.blur import along_axes, blurred

SPREAD = 0.3  # standard deviation of a crop's origin, of what the picture is larger than the canvas
Pictures = Float[Tensor, "image channel height width"]  # whole ones, which grow
Larger = Float[Tensor, "image channel larger_height larger_width"]
Crops = Float[Tensor, "image channel y x"]
Origins = Int[Tensor, "image 2"]
NotNegative = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]
listed = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)


class Octave(BaseModel):
    """Some steps at one size; `blur` and `rate` go from their first value towards their second, linearly.

    The second is never quite reached: step i of n has first + (second - first) * i / n.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    steps: int = Field(gt=0, description="How many steps.")
    blur: Annotated[tuple[NotNegative, NotNegative], listed] = Field(
        description="Standard deviation, in pixels, of the Gaussian after every step: from, to."
    )
    rate: Annotated[tuple[Positive, Positive], listed] = Field(
        description="Mean absolute change of a pixel value in a step, of 0..255: from, to."
    )
    zoom: float = Field(1.0, ge=1, description="By how much the picture is enlarged before the first step.")


@dataclass(frozen=True)
class Moment:
    """What happens at one step: the picture is enlarged by `zoom`, moved by `rate` on average, and blurred."""

    zoom: float
    blur: float
    rate: float


@lru_cache
def schedule(octaves: tuple[Octave, ...]) -> tuple[Moment, ...]:
    """The steps of all octaves, one after the other."""
    return tuple(
        Moment(
            octave.zoom if step == 0 else 1.0,
            _towards(octave.blur, step, octave.steps),
            _towards(octave.rate, step, octave.steps),
        )
        for octave in octaves
        for step in range(octave.steps)
    )


def origins(octaves: tuple[Octave, ...], seed: int, size: tuple[int, int]) -> Int[np.ndarray, "look 2"]:
    """Where the crop of each step begins in the picture (y, x), and where the middle of the finished picture does.

    `size` is that of the canvas, and of the crops. An origin is normal around the middle with 0.3 of what the picture
    is larger, kept inside, cut down to whole pixels; the same for the same seed whoever shares its batch.
    """
    moments, reached, excess = schedule(octaves), np.array(size), []
    for moment in moments:
        reached = enlarged_size(reached, moment.zoom)
        excess.append(reached - size)
    larger = np.array(excess, dtype=np.int64).reshape(len(moments), 2)
    drawn = np.random.default_rng((seed, 0, 1)).normal(larger / 2, SPREAD * larger)  # another stream than transforms'
    middle = (reached - size)[None] // 2
    return np.concatenate([np.clip(drawn, 0, larger).astype(np.int64), middle])


def enlarged_size(size: Int[np.ndarray, "2"], zoom: float) -> Int[np.ndarray, "2"]:
    """The size of the enlarged picture, rounded as scipy.ndimage.zoom does: 224 -> 235 -> 247 -> 259 by 1.05."""

    return np.array([round(float(length) * zoom) for length in size])


def enlarged(pictures: Pictures, octaves: tuple[Octave, ...], step: int) -> Larger:
    """The pictures as they enter a step: at an octave's first one enlarged, by cubic splines."""
    moments = schedule(octaves)
    if step == len(moments) or moments[step].zoom == 1:
        return pictures
    lengths = pictures.shape[-2:]
    return along_axes(
        pictures, *(zoom_matrix(length, moments[step].zoom, pictures.dtype, pictures.device) for length in lengths)
    )


@lru_cache(maxsize=16)
def zoom_matrix(size: int, zoom: float, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "enlarged {size}"]:
    """scipy.ndimage.zoom along one axis, cubic, as a matrix: it is linear."""

    import scipy.ndimage

    matrix = scipy.ndimage.zoom(np.eye(size), (zoom, 1), order=3)
    return torch.from_numpy(matrix).to(device=device, dtype=dtype)


def crops(pictures: Pictures, begin: Origins, size: tuple[int, int]) -> Crops:
    """What of each picture lies at its origin; the pictures themselves where they are no larger."""
    if tuple(pictures.shape[-2:]) == size:
        return pictures
    where = _pixels(pictures, begin, size)
    return pictures.flatten(2).gather(2, where).view(*pictures.shape[:2], *size)


def put_back(pictures: Pictures, begin: Origins, crop: Crops) -> None:
    """The crops written to where they were cut from, in place."""
    if crop.shape == pictures.shape:
        pictures.copy_(crop)
        return
    where = _pixels(pictures, begin, (crop.shape[2], crop.shape[3]))
    pictures.view(*pictures.shape[:2], -1).scatter_(2, where, crop.flatten(2))


def moved(crop: Crops, slope: Slope, octaves: tuple[Octave, ...], darkest: Tensor, brightest: Tensor) -> Crops:
    """One step uphill, kept between the darkest and the brightest pixel, then blurred; after the last step only a look.

    `crop` itself may be changed and returned.
    """
    moments = schedule(octaves)
    if slope.step == len(moments):
        return crop
    moment = moments[slope.step]
    MeanChange(mean_change=moment.rate).move(crop, slope)
    crop.clamp_(darkest, brightest)
    return blurred(crop, moment.blur) if moment.blur else crop


def octaves_caption(octaves: tuple[Octave, ...]) -> str:
    """`200 steps, blur 2.5 to 1.1, mean change 3 to 2.5; enlarged by 1.05, 100 steps, ...`."""
    return "; ".join(
        f"{'' if octave.zoom == 1 else f'enlarged by {octave.zoom:g}, '}{octave.steps} steps, "
        f"blur {octave.blur[0]:g} to {octave.blur[1]:g}, mean change {octave.rate[0]:g} to {octave.rate[1]:g}"
        for octave in octaves
    )


def _towards(ends: tuple[float, float], step: int, steps: int) -> float:
    first, second = ends
    return first + (second - first) * step / steps


def _pixels(pictures: Pictures, begin: Origins, size: tuple[int, int]) -> Int[Tensor, "image channel pixel"]:
    """The numbers of a crop's pixels in each picture, whose lines stand one after the other."""
    down, across = (torch.arange(length, device=begin.device) for length in size)
    lines = begin[:, 0, None] + down
    columns = begin[:, 1, None] + across
    inside = (lines[:, :, None] * pictures.shape[-1] + columns[:, None]).flatten(1)
    return inside[:, None].expand(-1, pictures.shape[1], -1)


# The schedules of the author's notebooks for the last convolution of VGG-S, and for inception_4c of GoogLeNet.
VGG_S = (
    Octave(steps=200, blur=(2.5, 1.1), rate=(3.0, 2.5)),
    Octave(steps=100, blur=(1.1, 0.858), rate=(2.5, 2.0)),
    Octave(steps=100, blur=(0.858, 0.78), rate=(2.0, 1.5), zoom=1.05),
    Octave(steps=50, blur=(0.858, 0.4), rate=(1.5, 0.375), zoom=1.05),
    Octave(steps=25, blur=(0.4, 0.1), rate=(0.375, 0.125), zoom=1.05),
)
GOOGLENET = (
    Octave(steps=200, blur=(2.5, 1.1), rate=(12.0, 10.0)),
    Octave(steps=100, blur=(1.1, 0.858), rate=(10.0, 8.0)),
    Octave(steps=100, blur=(0.858, 0.78), rate=(8.0, 6.0), zoom=1.05),
    Octave(steps=50, blur=(0.858, 0.4), rate=(6.0, 1.5), zoom=1.05),
    Octave(steps=25, blur=(0.4, 0.3), rate=(1.5, 0.5), zoom=1.05),
)
