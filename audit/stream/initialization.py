"""Distribution and scale of a layer's weights -> the usual initialization that gives them."""

import math

CHANCE = 1e-5
"""A distribution is ruled out below this p-value."""


def recognised(
    inputs: int, outputs: int, count: int, *, largest: float, std: float, uniform_p: float, normal_p: float
) -> str:
    """Its name, or nothing; `inputs` and `outputs` are fan-in and fan-out, `largest` the largest magnitude.

    Glorot and Bengio 2010 (Xavier), He et al. 2015 (Kaiming), LeCun 1998. The largest of `count` uniform values is
    within 15 / `count` of its bound but once in 3 million times, the spread of normal ones within 4 standard errors.
    """
    if uniform_p >= CHANCE:
        return _nearest(largest, _bounds(inputs, outputs), -15 / count, 1e-4)
    if normal_p >= CHANCE:
        return _nearest(std, _spreads(inputs, outputs), -4 / math.sqrt(2 * count), 4 / math.sqrt(2 * count))
    return ""


def _bounds(inputs: int, outputs: int) -> dict[str, float]:
    return {
        "PyTorch's default": math.sqrt(1 / inputs),
        "Kaiming uniform": math.sqrt(6 / inputs),
        "Kaiming uniform by fan-out": math.sqrt(6 / outputs),
        "Xavier uniform": math.sqrt(6 / (inputs + outputs)),
        "LeCun uniform": math.sqrt(3 / inputs),
    }


def _spreads(inputs: int, outputs: int) -> dict[str, float]:
    return {
        "Kaiming normal": math.sqrt(2 / inputs),
        "Kaiming normal by fan-out": math.sqrt(2 / outputs),
        "Xavier normal": math.sqrt(2 / (inputs + outputs)),
        "LeCun normal": math.sqrt(1 / inputs),
        "normal of 0.01": 0.01,
        "normal of 0.02": 0.02,
    }


def _nearest(measured: float, known: dict[str, float], low: float, high: float) -> str:
    """The name whose number is nearest, if the measured one is within low .. high of it, relative."""
    off = {name: measured / number - 1 for name, number in known.items()}
    name = min(off, key=lambda name: abs(off[name]))
    return name if low <= off[name] <= high else ""
