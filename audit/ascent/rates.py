"""Learning-rate policies: how far an image goes along its gradient, for pixels of 0..255."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import PydanticCustomError
from torch import Tensor

Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1, strict=True)]
Points = Float[Tensor, "image ..."]
PerImage = Float[Tensor, " image"]


@dataclass(frozen=True)
class Slope:
    """Where a batch stands at a step: the gradient, its squared norm, what was reached, and Adam's [image, 2, ...]."""

    gradient: Points
    square: PerImage
    score: PerImage
    moments: Points
    step: int

    def of(self, rows: slice) -> "Slope":
        """Some of the rows."""
        return Slope(self.gradient[rows], self.square[rows], self.score[rows], self.moments[rows], self.step)


class Policy(BaseModel):
    """A policy is its options, and one method; each row of a batch is moved by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @abstractmethod
    def move(self, point: Points, slope: Slope) -> None:
        """Moves `point` uphill in place."""


class Progress(Policy):
    """A rate that promises the same progress at every step: min(max, progress / ||gradient||^2)."""

    progress: Positive = Field(description="What a step adds to the activation, to first order.")
    max: Positive = Field(description="Highest rate, where the gradient is small.")

    def move(self, point: Points, slope: Slope) -> None:
        """point + min(max, progress / ||gradient||^2) * gradient."""
        _along(point, slope, (self.progress / slope.square).clamp(max=self.max))


class Probability(Policy):
    """Progress for a unit that ends at 1, a softmax's: its steps get smaller the nearer it is (progress01)."""

    early: Positive = Field(description="What a step adds to the probability at most, to first order.")
    late: Positive = Field(description="Share of what is missing to 1 that a step adds at most.")
    max: Positive = Field(description="Highest rate, where the gradient is small.")

    def move(self, point: Points, slope: Slope) -> None:
        """point + min(max, min(early, late * (1 - score)) / ||gradient||^2) * gradient."""
        wanted = (self.late * (1 - slope.score)).clamp(max=self.early)
        _along(point, slope, (wanted / slope.square).clamp(max=self.max))


class MeanChange(Policy):
    """Every step changes the pixels by the same amount on average (Oygard's deepdraw)."""

    mean_change: Positive = Field(description="Mean absolute change of a pixel value in a step.")

    def move(self, point: Points, slope: Slope) -> None:
        """point + mean_change / mean|gradient| * gradient; where the gradient is 0 the point stays."""
        mean = slope.gradient.flatten(1).abs().mean(1)
        _along(point, slope, torch.where(mean > 0, self.mean_change / mean, 0))


class Adam(Policy):
    """Adaptive moments, uphill (Kingma and Ba 2015, algorithm 1); what Fourier coordinates are usually climbed with."""

    adam: Positive = Field(description="Step size: alpha.")
    beta1: Share = Field(0.9, description="Decay of the mean gradient.")
    beta2: Share = Field(0.999, description="Decay of the mean squared gradient.")
    epsilon: Positive = Field(1e-8, description="Added to the root of the mean squared gradient.")

    def move(self, point: Points, slope: Slope) -> None:
        """point + alpha * mean / (sqrt(mean square) + epsilon), both corrected for their start at zero."""
        mean, spread = slope.moments.unbind(1)
        mean.lerp_(slope.gradient, 1 - self.beta1)
        spread.lerp_(slope.gradient.square(), 1 - self.beta2)
        given1, given2 = (1 - beta ** (slope.step + 1) for beta in (self.beta1, self.beta2))
        root = (spread / given2).sqrt_().add_(self.epsilon)
        point.addcdiv_(mean, root, value=self.adam / given1)


def _along(point: Points, slope: Slope, rate: PerImage) -> None:
    point.addcmul_(slope.gradient, rate.view(-1, *[1] * (point.dim() - 1)))


POLICIES: dict[str, type[Policy]] = {
    "progress": Progress,
    "late": Probability,
    "mean_change": MeanChange,
    "adam": Adam,
}
"""The policies that are tables, by the key that only they have."""


def policy(value: Any) -> float | Policy:
    """A learning rate as audit.toml writes it: a number, or the table of a policy.

    pydantic.ValidationError with each mistake at its own key, not at a branch of a union.
    """
    if isinstance(value, Policy):
        return value
    if not isinstance(value, dict):
        return TypeAdapter(Positive).validate_python(value)
    kind = next((kind for key, kind in POLICIES.items() if key in value), None)
    if kind is None:
        raise PydanticCustomError(
            "learning_rate", "write a number, or a table with one of: {keys}", {"keys": ", ".join(POLICIES)}
        )
    return kind.model_validate(value)


def caption(rate: float | Policy) -> str:
    """`rate 100`, `rate 2 / |g|^2 up to 100`, `adam 0.05`."""
    match rate:
        case Progress():
            return f"rate {rate.progress:g} / |g|^2 up to {rate.max:g}"
        case Probability():
            return f"rate min({rate.early:g}, {rate.late:g} (1 - p)) / |g|^2 up to {rate.max:g}"
        case MeanChange():
            return f"mean change {rate.mean_change:g}"
        case Adam():
            return f"adam {rate.adam:g}"
        case Policy():
            return repr(rate)
        case _:
            return f"rate {rate:g}"
