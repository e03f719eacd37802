"""Some units of a layer -> what each regularizer alone does to their images, from none to too strong.

The figure of the effects of regularization in Yosinski et al. 2015: a row for each regularizer, strength grows to the
right, and too much of any of them fails.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from audit.ascent.presets import Preset
from audit.ascent.regularizers import Regularizer
from audit.ascent.regularizers.blur import Blur
from audit.ascent.regularizers.clip_contribution import ClipContribution
from audit.ascent.regularizers.clip_norm import ClipNorm
from audit.ascent.regularizers.decay import Decay
from audit.search.asked import Place
from audit.search.draws import cut
from audit.search.outcomes import Outcome, outcomes
from audit.store.work import Work

BARE = Preset(steps=500, learning_rate=100.0, shown="last")
"""What a regularizer is added to: the rate of the toolbox's own examples, and nothing else.

The best image would hide what too much of a regularizer does: it is then the start."""


@dataclass(frozen=True)
class Effect:
    """A regularizer in growing strength; `option` is what grows, `shows` the number that it acts on."""

    name: str
    option: str
    shows: str
    strengths: tuple[tuple[float, Regularizer], ...]


EFFECTS = (
    Effect(
        "decay", "strength", "strength",
        tuple((value, Decay(strength=value)) for value in (0.0001, 0.001, 0.01, 0.03, 0.1, 0.3)),
    ),
    Effect(
        "blur", "width", "high",
        tuple((value, Blur(width=value, every=1)) for value in (0.3, 0.4, 0.5, 0.7, 1.0, 2.0)),
    ),
    Effect(
        "clip-norm", "percentile", "sparsity",
        tuple((value, ClipNorm(percentile=value)) for value in (10.0, 30.0, 50.0, 70.0, 85.0, 95.0)),
    ),
    Effect(
        "clip-contribution", "percentile", "sparsity",
        tuple((value, ClipContribution(percentile=value)) for value in (10.0, 30.0, 50.0, 70.0, 85.0, 95.0)),
    ),
)  # fmt: skip
"""The rows of the figure; the first column, without any regularizer, is the same for all of them."""


@dataclass(frozen=True)
class Swept:
    """`outcomes[p][e][k]`: what the k-th strength of effect e made of place p; the 0-th is no regularizer at all."""

    places: tuple[Place, ...]
    seed: int
    steps: int
    outcomes: tuple[tuple[tuple[Outcome, ...], ...], ...]


def settings(steps: int | None) -> list[list[Preset]]:
    """For each effect the presets of its row, from none on."""
    bare = cut(BARE, steps)
    return [
        [bare, *(bare.model_copy(update={"regularizers": (regularizer,)}) for _, regularizer in effect.strengths)]
        for effect in EFFECTS
    ]


def sweep(
    places: Sequence[Place], seed: int, steps: int | None, *, work: Work, advance: Callable[[int], None]
) -> Swept:
    """Makes the images of all strengths; `advance` hears of steps."""
    rows = settings(steps)
    flat = [preset for row in rows for preset in row]
    made = []
    for place in places:
        left = iter(outcomes(place, flat, (seed,), work=work, advance=advance))
        made.append(tuple(tuple(next(left) for _ in row) for row in rows))
    return Swept(tuple(places), seed, rows[0][0].steps, tuple(made))
