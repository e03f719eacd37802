"""The state of a batch of ascents: a job (what to excite, how, from which seed) per row."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.ascent.octaves import origins
from audit.ascent.presets import Preset
from audit.ascent.rates import Adam
from audit.ascent.start import start_image
from audit.ascent.transforms import drawn

Status = Literal["ok", "zero-gradient", "non-finite"]
STATUSES: tuple[Status, ...] = ("ok", "zero-gradient", "non-finite")
Images = Float[Tensor, "image channel y x"]


@dataclass(frozen=True)
class Direction:
    """A weight for each unit of what is climbed: a direction of the layer's space (Szegedy et al. 2014), or a sum."""

    name: str
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Job:
    """One image to optimize: for which unit or direction, how, from which seed.

    `strongest` is the mean of the unit's strongest pictures, for a preset that starts from it (`start_image`).
    """

    unit: int | Direction
    preset: Preset
    seed: int = 0
    strongest: Float[np.ndarray, "channel y x"] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Optimized:
    """What became of a job: images as float32 pixels of 0..255 minus the mean, and how they came about.

    `best_image` is the one on which the unit did what it was pushed to most, `first_image` the first on which it was
    the strongest of its layer at that position, or, for a preset that shows that, a class was certain (None if never),
    `last_image` the last one looked at. `best` and `last` are the activations there (0 if a rectifier is off);
    `best_step` is -1 and `best` not a number if no finite activation was ever seen, `majority_step` is -1 without a
    `first_image`. `steps` is how many images were looked at: fewer than the preset has if the gradient became exactly 0
    ("zero-gradient"), or if the activation or the gradient was not finite ("non-finite").
    """

    job: Job
    best_image: Float[np.ndarray, "channel y x"]
    first_image: Float[np.ndarray, "channel y x"] | None
    last_image: Float[np.ndarray, "channel y x"]
    best: float
    best_step: int
    last: float
    majority_step: int
    steps: int
    status: Status
    whole_image: Float[np.ndarray, "channel y2 x2"] | None = None
    batch: int | None = None

    @property
    def image(self) -> Float[np.ndarray, "channel y x"]:
        """The one that the preset shows; the best one where the unit never was the strongest."""
        match self.job.preset.shown:
            case "last":
                return self.last_image
            case "first" | "certain" if self.first_image is not None:
                return self.first_image
            case _:
                return self.best_image


@dataclass
class Rows:
    """One row per job, those of most steps first; all on the device.

    `point` is what is moved: the pixels of 0..255 minus the mean, or a parametrization's coordinates; `image` the last
    one looked at, `best_image` and `first_image` as in Optimized. `weights` are those of the activations in what is
    climbed, `unit` the one of a single unit (-1: a direction), `push` is 1 or -1. `gain` scales the gradient. Rows
    of one `group` (unit and preset) repel each other with strength `diversity`.
    `moments` are Adam's, `draws` the random numbers of the transforms; without these they are empty. Of octaves `point`
    is the whole picture, and `image` the part of it that begins at the step's `origins`. `best` and `last` are scores,
    pushed activations; `status` counts in STATUSES.
    """

    point: Float[Tensor, "image ..."]
    image: Images
    best_image: Images
    first_image: Images
    weights: Float[Tensor, "image unit"]
    unit: Int[Tensor, " image"]
    gain: Float[Tensor, " image"]
    group: Int[Tensor, " image"]
    diversity: Float[Tensor, " image"]
    moments: Float[Tensor, "image moment ..."]
    draws: Float[Tensor, "image step number"]
    origins: Int[Tensor, "image look 2"]
    best: Float[Tensor, " image"]
    best_step: Int[Tensor, " image"]
    last: Float[Tensor, " image"]
    majority_step: Int[Tensor, " image"]
    steps: Int[Tensor, " image"]
    status: Int[Tensor, " image"]

    @staticmethod
    def of(jobs: Sequence[Job], units: int, size: tuple[int, int], mean: Float[Tensor, "channel 1 1"]) -> "Rows":
        """The start of each job; `mean` is that of pixels of 0..1 and brings device and precision."""
        point = _sent(np.stack([_start(job, size, mean) for job in jobs]), mean)
        image = mean.new_zeros((len(jobs), len(mean), *size))
        score = mean.new_full((len(jobs),), -torch.inf)
        never = torch.full((len(jobs),), -1, device=mean.device)
        moments = 2 if any(isinstance(job.preset.learning_rate, Adam) for job in jobs) else 0
        draws = [drawn(job.preset.transforms, job.seed, job.preset.steps) for job in jobs]
        begin = np.stack([origins(job.preset.octaves, job.seed, size) for job in jobs])
        longest = max(len(own) for own in draws)
        return Rows(
            point=point,
            image=image,
            best_image=image.clone(),
            first_image=image.clone(),
            weights=_sent(np.stack([_weights(job, units) for job in jobs]), mean),
            unit=torch.tensor([job.unit if isinstance(job.unit, int) else -1 for job in jobs], device=mean.device),
            gain=torch.ones_like(score),
            group=torch.tensor(_groups(jobs), device=mean.device),
            diversity=mean.new_tensor([job.preset.diversity for job in jobs]),
            moments=point.new_zeros((len(point), moments, *point.shape[1:])),
            draws=_sent(np.stack([np.pad(own, ((0, longest - len(own)), (0, 0))) for own in draws]), mean),
            origins=torch.from_numpy(begin).to(mean.device),
            best=score,
            best_step=never.clone(),
            last=torch.full_like(score, torch.nan),
            majority_step=never.clone(),
            steps=torch.zeros_like(never),
            status=torch.zeros_like(never),
        )

    def apart(self) -> Float[Tensor, "image image"]:
        """How strongly each two rows repel each other: those of one group, while both have not stopped."""
        alike = self.group[:, None] == self.group
        climbing = self.status == 0
        return torch.where(alike & climbing[:, None] & climbing, self.diversity[:, None], 0)

    def only(self, kept: Sequence[int]) -> "Rows":
        """The rows of these numbers, in this order."""
        where = torch.tensor(kept, device=self.image.device, dtype=torch.long)
        return Rows(**{field.name: getattr(self, field.name)[where] for field in fields(self)})

    def results(self, jobs: Sequence[Job], rectified: bool) -> list[Optimized]:
        """What became of every row; `rectified` activations are not below 0."""
        best, first, last = (images.float().cpu().numpy() for images in (self.best_image, self.first_image, self.image))
        whole = self.point.float().cpu().numpy() if jobs[0].preset.octaves else None
        numbers = zip(self.best.tolist(), self.last.tolist(), strict=True)
        counts = zip(
            *(count.tolist() for count in (self.best_step, self.majority_step, self.steps, self.status)), strict=True
        )
        return [
            Optimized(
                job=job,
                best_image=best[row],
                first_image=first[row] if majority_step >= 0 else None,
                last_image=last[row],
                best=_activation(highest, job, rectified) if best_step >= 0 else float("nan"),
                best_step=best_step,
                last=_activation(latest, job, rectified),
                majority_step=majority_step,
                steps=steps,
                status=STATUSES[status],
                whole_image=None if whole is None or STATUSES[status] != "ok" else whole[row],
            )
            for row, (job, (highest, latest), (best_step, majority_step, steps, status)) in enumerate(
                zip(jobs, numbers, counts, strict=True)
            )
        ]


def group(job: Job) -> tuple[int | Direction, Preset]:
    """What images that repel each other have in common."""
    return job.unit, job.preset


def _groups(jobs: Sequence[Job]) -> list[int]:
    numbers: dict[tuple[int | Direction, Preset], int] = {}
    return [numbers.setdefault(group(job), len(numbers)) for job in jobs]


def _activation(score: float, job: Job, rectified: bool) -> float:
    """What was pushed; a unit that is pushed down is followed below its rectifier."""
    if job.preset.push == "down":
        return -score
    return float(np.maximum(score, 0)) if rectified else score


def _start(job: Job, size: tuple[int, int], mean: Float[Tensor, "channel 1 1"]) -> Float[np.ndarray, "..."]:
    preset = job.preset
    if preset.parametrization is not None:
        return preset.parametrization.start(job.seed, (len(mean), *size))
    return start_image(preset.start, job.seed, size, mean.double().cpu().numpy(), job.strongest)


def _weights(job: Job, units: int) -> Float[np.ndarray, " {units}"]:
    push = -1.0 if job.preset.push == "down" else 1.0
    if isinstance(job.unit, Direction):
        return push * np.array(job.unit.weights)
    weights = np.zeros(units)
    weights[job.unit] = push
    return weights


def _sent(values: Float[np.ndarray, "..."], like: Float[Tensor, "channel 1 1"]) -> Float[Tensor, "..."]:
    return torch.from_numpy(values).to(device=like.device, dtype=like.dtype)
