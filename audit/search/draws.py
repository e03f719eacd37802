"""A seed and a number -> a random setting of the ascent, over ranges that hold the four of Yosinski et al. 2015."""

import math
from dataclasses import dataclass

import numpy as np

from audit.ascent.presets import Preset
from audit.ascent.rates import Progress
from audit.ascent.regularizers import Regularizer
from audit.ascent.regularizers.blur import Blur
from audit.ascent.regularizers.clip_contribution import ClipContribution
from audit.ascent.regularizers.clip_norm import ClipNorm
from audit.ascent.regularizers.decay import Decay


@dataclass(frozen=True)
class Range:
    """Where an option is drawn from, both ends included: evenly, or evenly over its logarithm."""

    low: float
    high: float
    logarithmic: bool = False

    def at(self, share: float) -> float:
        """The number that far along, three digits of it."""
        if self.logarithmic:
            return _short(math.exp(math.log(self.low) + share * math.log(self.high / self.low)))
        return _short(self.low + share * (self.high - self.low))


STEPS = (500, 750, 1000)
"""How many steps a setting may have: what the toolbox gives for the rows of Table 1."""

PRESENT = 0.5
"""Probability of each regularizer to be part of a setting, and of a rate to be a progress."""

RANGES = {
    "decay": Range(1e-5, 0.5, logarithmic=True),
    "blur width": Range(0.3, 3.0, logarithmic=True),
    "blur every": Range(1.0, 10.0),
    "clip-norm": Range(1.0, 95.0),
    "clip-contribution": Range(1.0, 95.0),
    "rate": Range(10.0, 1000.0, logarithmic=True),
    "progress": Range(0.5, 8.0, logarithmic=True),
    "progress max": Range(10.0, 1e8, logarithmic=True),
}
"""Of each option: wide enough for Table 1, with as much room again around it."""


@dataclass(frozen=True)
class Draw:
    """Setting `number` of a search: drawn from `seed` and `number` alone, so that more draws keep the first ones."""

    number: int
    seed: int
    preset: Preset


def draws(count: int, seed: int, steps: int | None = None) -> tuple[Draw, ...]:
    """The first `count` settings of a seed, each cut to at most `steps`."""
    return tuple(Draw(number, seed, cut(drawn(number, seed), steps)) for number in range(count))


def drawn(number: int, seed: int) -> Preset:
    """Every option is drawn, also of what is left out: what one setting has moves no option of it."""
    random = np.random.default_rng([seed, number])
    steps = STEPS[random.integers(len(STEPS))]
    value = {option: limits.at(random.random()) for option, limits in RANGES.items()}
    regularizers: dict[str, Regularizer] = {
        "decay": Decay(strength=value["decay"]),
        "blur": Blur(width=value["blur width"], every=round(value["blur every"])),
        "clip-norm": ClipNorm(percentile=value["clip-norm"]),
        "clip-contribution": ClipContribution(percentile=value["clip-contribution"]),
    }
    present = random.random(len(regularizers)) < PRESENT
    progress = Progress(progress=value["progress"], max=value["progress max"])
    return Preset(
        steps=steps,
        learning_rate=progress if random.random() < PRESENT else value["rate"],
        regularizers=tuple(one for one, there in zip(regularizers.values(), present, strict=True) if there),
    )


def cut(preset: Preset, steps: int | None) -> Preset:
    """The preset with at most so many steps."""
    return preset if steps is None else preset.model_copy(update={"steps": min(steps, preset.steps)})


def _short(number: float) -> float:
    return float(f"{number:.3g}")
