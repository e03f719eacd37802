"""Two versions of a network -> how far apart their activations and gradients are at the start images of some jobs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from audit.ascent.canvas import Canvas
from audit.ascent.loop import Ground, seen
from audit.ascent.objective import Reading, activations_at, frozen
from audit.ascent.rows import Job, Rows
from audit.errors import AuditError
from audit.model.precision import exact_arithmetic
from audit.records import Layer

ROWS = 8
"""Start images that are compared, at most."""


@dataclass(frozen=True)
class Difference:
    """What another version of a network makes of each start image.

    `activation` is the norm of the difference of all activations that are read, over the norm of these activations;
    `cosine` is that between the two gradients, 1 where both are exactly 0.
    """

    activation: Float[np.ndarray, " row"]
    cosine: Float[np.ndarray, " row"]

    def __str__(self) -> str:
        """`activations differ by 0.31 % (0.42 % at worst), gradients have a cosine of 0.9998 (0.9995 at worst)`."""
        mean, worst = 100 * self.activation.mean(), 100 * self.activation.max()
        return (
            f"activations differ by {mean:.2g} % ({worst:.2g} % at worst), "
            f"gradients have a cosine of {self.cosine.mean():.4f} ({self.cosine.min():.4f} at worst)"
        )


def difference(
    exact: nn.Module,
    other: nn.Module,
    layer: Layer,
    jobs: Sequence[Job],
    canvas: Canvas,
    *,
    mean: Float[Tensor, "channel 1 1"],
    std: Float[Tensor, "channel 1 1"],
    others: Sequence[Reading] = (),
) -> Difference:
    """At the start images of up to ROWS of the jobs of the first preset, evenly spread; numbers as `ascend` takes them.

    AuditError if `other` does not run.
    """
    chosen = _spread([job for job in jobs if job.preset == jobs[0].preset])
    readings = (Reading(layer, canvas.position), *others)
    expected, slope = _first_look(exact, readings, chosen, canvas, mean=mean, std=std)
    try:
        found, other_slope = _first_look(other, readings, chosen, canvas, mean=mean, std=std)
    except RuntimeError as error:
        words = " ".join(str(error).split())[:200]
        raise AuditError(f'the network does not run in bfloat16: {words}; leave it at precision = "float32"') from error
    return Difference(_relative(expected, found), _cosine(slope.flatten(1), other_slope.flatten(1)))


def _first_look(
    network: nn.Module,
    readings: Sequence[Reading],
    jobs: Sequence[Job],
    canvas: Canvas,
    *,
    mean: Float[Tensor, "channel 1 1"],
    std: Float[Tensor, "channel 1 1"],
) -> tuple[Float[Tensor, "image unit"], Float[Tensor, "image ..."]]:
    """The activations of the start images, and the gradients there."""
    units = sum(reading.layer.units for reading in readings)
    with frozen(network), exact_arithmetic(), torch.no_grad(), activations_at(network, *readings) as activations:
        ground = Ground.of(activations, units, mean, std)
        _, reached, gradient = seen(ground, Rows.of(jobs, units, canvas.size, mean), jobs[0].preset, 0)
    return reached, gradient


def _spread(jobs: Sequence[Job]) -> list[Job]:
    count = min(len(jobs), ROWS)
    return [jobs[place * len(jobs) // count] for place in range(count)]


def _relative(expected: Float[Tensor, "image unit"], found: Float[Tensor, "image unit"]) -> Float[np.ndarray, " image"]:
    apart, size = (value.double().norm(dim=1) for value in (found - expected, expected))
    return torch.where(apart == 0, 0, apart / size).cpu().numpy()


def _cosine(one: Float[Tensor, "image value"], other: Float[Tensor, "image value"]) -> Float[np.ndarray, " image"]:
    both = (one == 0).all(1) & (other == 0).all(1)
    found = torch.nn.functional.cosine_similarity(one.double(), other.double())
    return torch.where(both, 1, found).cpu().numpy()
