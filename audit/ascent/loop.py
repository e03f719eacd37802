"""The ascent: jobs (unit, preset, seed) of a layer -> optimized images, many in one batch (Yosinski et al. 2015).

One step: keep the pixels in 0..255, look at the activation and its gradient, remember the best image, go uphill by the
preset's rate, let the preset's regularizers act in their order. What is looked at is the activation before a ReLU.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from audit.ascent.canvas import Canvas
from audit.ascent.objective import Activations, activations_at, frozen, uphill
from audit.ascent.presets import Preset, Progress
from audit.ascent.start import start_image
from audit.errors import AuditError
from audit.events import Listener, Silence, work
from audit.model.precision import exact_arithmetic, precision
from audit.records import Layer

Status = Literal["ok", "zero-gradient", "non-finite"]
STATUSES: tuple[Status, ...] = ("ok", "zero-gradient", "non-finite")
TINY = 1e-30  # pixels nearer to 0 become 0: blurs and decays make subnormal numbers, ten times slower on a CPU
STRETCH = 50  # steps between two looks from the host: who has stopped leaves the batch, progress is told


@dataclass(frozen=True)
class Job:
    """One image to optimize: which unit, how, from which seed."""

    unit: int
    preset: Preset
    seed: int = 0


@dataclass(frozen=True)
class Optimized:
    """The image on which the unit was strongest, float32 pixels of 0..255 minus the mean, and how it came about.

    `best` and `last` are the unit's activation on that image and on the last one looked at (0 if a rectifier is off);
    `best_step` is -1 and `best` not a number if no finite activation was ever seen. `majority_step` is the first step
    at which the unit was the strongest of its layer at that position, or -1. `steps` is how many images were looked
    at: fewer than the preset has if the gradient became exactly 0 ("zero-gradient"), or if the activation or the
    gradient was not finite ("non-finite").
    """

    job: Job
    image: Float[np.ndarray, "channel y x"]
    best: float
    best_step: int
    last: float
    majority_step: int
    steps: int
    status: Status


def ascend(
    network: nn.Module,
    layer: Layer,
    jobs: Sequence[Job],
    canvas: Canvas,
    *,
    mean: Float[Tensor, "channel 1 1"],
    std: Float[Tensor, "channel 1 1"],
    first_gradient: float | None = None,
    batch: int | None = None,
    listener: Listener | None = None,
) -> list[Optimized]:
    """The optimized images in the order of `jobs`, computed where `mean` is.

    `mean` and `std` are those of pixels of 0..1. Presets and seeds may be mixed freely; what becomes of a job does not
    depend on the others but for rounding. A batch that does not fit into CUDA memory is halved; AuditError if one image
    does not fit, or if a unit does not exist.

    `first_gradient` (a norm, per pixel value of 0..255) is what the first gradient of every image is scaled to, and all
    later ones by the same factor: rates that were found for one network's activations then suit another's. None
    leaves them as they are.
    """
    _check(layer, jobs)
    size = batch or default_batch(canvas.size, mean.device)
    presets = list(dict.fromkeys(job.preset for job in jobs))
    waiting = sorted(range(len(jobs)), key=lambda job: (-jobs[job].preset.steps, presets.index(jobs[job].preset)))
    done: dict[int, Optimized] = {}
    total = sum(job.preset.steps for job in jobs)
    with (
        work(listener or Silence(), f"optimized images of {layer.name}", total) as advance,
        frozen(network),
        exact_arithmetic(),
        torch.no_grad(),
        activations_at(network, layer, canvas.position) as activations,
    ):
        exact = torch.promote_types(precision(network), torch.float32)  # of half a precision only the network makes use
        ground = Ground.of(activations, mean.to(exact), std.to(exact), first_gradient)
        while waiting:
            chosen = waiting[:size]
            climbed = _unless_too_large(ground, [jobs[job] for job in chosen], canvas.size, advance)
            if climbed is None:
                size = _half(len(chosen), layer)
                continue
            done.update(zip(chosen, climbed, strict=True))
            del waiting[: len(chosen)]
    return [_rectified(done[job], layer) for job in range(len(jobs))]


def default_batch(size: tuple[int, int], device: torch.device) -> int:
    """How many images of that size make a good batch: the pixels of 16 (CPU) or 128 pictures of 224 x 224, or less."""
    pictures, most = (16, 256) if device.type == "cpu" else (128, 2048)
    return max(1, min(most, pictures * 224 * 224 // (size[0] * size[1])))


@dataclass(frozen=True)
class Ground:
    """What is climbed: the activations of a layer at one position, over pixels of 0..255 minus the mean."""

    activations: Activations
    mean: Float[Tensor, "channel 1 1"]
    scale: Float[Tensor, "channel 1 1"]
    darkest: Float[Tensor, "channel 1 1"]
    brightest: Float[Tensor, "channel 1 1"]
    first_gradient: float | None

    @staticmethod
    def of(
        activations: Activations,
        mean: Float[Tensor, "channel 1 1"],
        std: Float[Tensor, "channel 1 1"],
        first_gradient: float | None = None,
    ) -> "Ground":
        """`mean` and `std` of pixels of 0..1, as the network was trained with."""
        return Ground(activations, mean, 1 / (255 * std), -255 * mean, 255 - 255 * mean, first_gradient)


@dataclass
class Rows:
    """The state of a batch: one row per job, those of most steps first; all on the device.

    `image` is the present one, `best_image` the best so far. `highest_rate` and `progress` are the preset's policy
    min(highest_rate, progress / ||g||^2), progress infinite where the rate is constant; `gain` scales g. `status`
    counts in STATUSES.
    """

    image: Float[Tensor, "image channel y x"]
    best_image: Float[Tensor, "image channel y x"]
    unit: Int[Tensor, " image"]
    highest_rate: Float[Tensor, " image"]
    progress: Float[Tensor, " image"]
    gain: Float[Tensor, " image"]
    best: Float[Tensor, " image"]
    best_step: Int[Tensor, " image"]
    last: Float[Tensor, " image"]
    majority_step: Int[Tensor, " image"]
    steps: Int[Tensor, " image"]
    status: Int[Tensor, " image"]

    @staticmethod
    def of(jobs: Sequence[Job], size: tuple[int, int], mean: Float[Tensor, "channel 1 1"]) -> "Rows":
        """The start of each job; `mean` is that of pixels of 0..1 and brings device and precision."""
        plain = mean.double().cpu().numpy()
        starts = np.stack([start_image(job.preset.start, job.seed, size, plain) for job in jobs])
        image = torch.from_numpy(starts).to(device=mean.device, dtype=mean.dtype)
        rates = [_policy(job.preset.learning_rate) for job in jobs]
        highest, progress = torch.tensor(rates, device=mean.device, dtype=mean.dtype).unbind(1)
        never = torch.full((len(jobs),), -1, device=mean.device)
        return Rows(
            image=image,
            best_image=image.clamp(-255 * mean, 255 - 255 * mean),
            unit=torch.tensor([job.unit for job in jobs], device=mean.device),
            highest_rate=highest,
            progress=progress,
            gain=torch.ones_like(highest),
            best=torch.full_like(highest, -torch.inf),
            best_step=never.clone(),
            last=torch.full_like(highest, torch.nan),
            majority_step=never.clone(),
            steps=torch.zeros_like(never),
            status=torch.zeros_like(never),
        )

    def only(self, kept: Sequence[int]) -> "Rows":
        """The rows of these numbers, in this order."""
        where = torch.tensor(kept, device=self.image.device, dtype=torch.long)
        return Rows(**{field.name: getattr(self, field.name)[where] for field in fields(self)})


def climb(
    ground: Ground, jobs: Sequence[Job], size: tuple[int, int], advance: Callable[[int], None]
) -> list[Optimized]:
    """One batch from start to end; `jobs` come with most steps first, and leave when their steps are done."""
    rows = Rows.of(jobs, size, ground.mean)
    climbing = list(range(len(jobs)))
    results: dict[int, Optimized] = {}
    step = 0
    while climbing:
        shortest = min(jobs[job].preset.steps for job in climbing)
        begun, end = step, min(step + STRETCH, shortest)
        presets = _stretches([jobs[job].preset for job in climbing])
        for step in range(begun, end):
            look_and_step(ground, rows, presets, step)
        step = end
        stopped = (rows.status > 0).tolist()  # the only synchronisation: once per stretch
        leaving = [row for row, job in enumerate(climbing) if stopped[row] or jobs[job].preset.steps == end]
        for row, result in zip(leaving, _results(rows, leaving, [jobs[climbing[row]] for row in leaving]), strict=True):
            results[climbing[row]] = result
        advance(sum((jobs[job].preset.steps if stopped[row] else end) - begun for row, job in enumerate(climbing)))
        if leaving:
            kept = [row for row in range(len(climbing)) if row not in set(leaving)]
            rows, climbing = rows.only(kept), [climbing[row] for row in kept]
    return [results[job] for job in range(len(jobs))]


def look_and_step(ground: Ground, rows: Rows, presets: Sequence[tuple[slice, Preset]], step: int) -> None:
    """Step number `step` of every row, in place: look, remember, go uphill, regularize. No host synchronisation.

    A row that has stopped is moved on too, but nothing of it is remembered.
    """
    image = torch.clamp(rows.image, ground.darkest, ground.brightest, out=rows.image)
    reached, gradient = uphill(ground.activations, image, rows.unit, ground.scale)
    activation = reached.gather(1, rows.unit[:, None])[:, 0]
    square = gradient.flatten(1).square().sum(1)
    if step == 0 and ground.first_gradient is not None:
        rows.gain = torch.where(square > 0, ground.first_gradient / square.sqrt(), 1)
    gradient, square = gradient.mul_(rows.gain.view(-1, 1, 1, 1)), square * rows.gain.square()
    remember(rows, activation, reached.argmax(1) == rows.unit, square, step)
    rate = torch.minimum(rows.highest_rate, rows.progress / square)
    image.addcmul_(gradient, rate.view(-1, 1, 1, 1))
    for part, preset in presets:
        regularized = own = image[part]
        for regularizer in preset.regularizers:
            regularized = regularizer.apply(regularized, gradient[part], step)
        if regularized is not own:
            own.copy_(regularized)
    rows.image = torch.hardshrink(image, TINY)


def remember(
    rows: Rows,
    activation: Float[Tensor, " image"],
    strongest: Bool[Tensor, " image"],
    square: Float[Tensor, " image"],
    step: int,
) -> None:
    """Writes down what was seen of the rows that have not stopped, and which of them stop; `square` is ||g||^2."""
    climbing, finite = rows.status == 0, activation.isfinite()
    better = climbing & finite & (activation > rows.best)
    torch.where(better.view(-1, 1, 1, 1), rows.image, rows.best_image, out=rows.best_image)
    rows.best = torch.where(better, activation, rows.best)
    rows.best_step = torch.where(better, step, rows.best_step)
    rows.last = torch.where(climbing, activation, rows.last)
    won = climbing & finite & strongest & (rows.majority_step < 0)
    rows.majority_step = torch.where(won, step, rows.majority_step)
    rows.steps += climbing
    fate = torch.where(finite & square.isfinite(), (square == 0).long(), 2)
    rows.status = torch.where(climbing, fate, rows.status)


def _results(rows: Rows, leaving: Sequence[int], jobs: Sequence[Job]) -> list[Optimized]:
    if not leaving:
        return []
    left = rows.only(leaving)
    images = left.best_image.float().cpu().numpy()
    columns = zip(
        jobs,
        images,
        left.best.tolist(),
        left.best_step.tolist(),
        left.last.tolist(),
        left.majority_step.tolist(),
        left.steps.tolist(),
        [STATUSES[code] for code in left.status.tolist()],
        strict=True,
    )
    return [_never_seen(Optimized(*row)) for row in columns]


def _never_seen(result: Optimized) -> Optimized:
    return replace(result, best=float("nan")) if result.best_step < 0 else result


def _rectified(result: Optimized, layer: Layer) -> Optimized:
    if not layer.rectifier:
        return result
    return replace(result, best=float(np.maximum(result.best, 0)), last=float(np.maximum(result.last, 0)))


def _policy(rate: float | Progress) -> tuple[float, float]:
    return (rate.max, rate.progress) if isinstance(rate, Progress) else (rate, float("inf"))


def _stretches(presets: Sequence[Preset]) -> list[tuple[slice, Preset]]:
    """The runs of equal neighbours: which rows have which preset."""
    bounds = [row for row in range(len(presets)) if row == 0 or presets[row] != presets[row - 1]]
    ends = [*bounds[1:], len(presets)]
    return [(slice(begin, end), presets[begin]) for begin, end in zip(bounds, ends, strict=True)]


def _check(layer: Layer, jobs: Sequence[Job]) -> None:
    for job in jobs:
        if not 0 <= job.unit < layer.units:
            raise AuditError(f"no unit {job.unit} in {layer.name}: it has {layer.units}, 0 to {layer.units - 1}")
        if not 0 <= job.seed < 2**32:
            raise AuditError(f"no seed {job.seed}: a seed is a whole number from 0 to {2**32 - 1}")


def _unless_too_large(
    ground: Ground, jobs: Sequence[Job], size: tuple[int, int], advance: Callable[[int], None]
) -> list[Optimized] | None:
    """What `climb` gives, or None, and the progress taken back, where the device's memory is too small for it."""
    told: list[int] = []

    def tell(steps: int) -> None:
        told.append(steps)
        advance(steps)

    try:
        return climb(ground, jobs, size, tell)
    except torch.OutOfMemoryError:
        advance(-sum(told))
        return None


def _half(size: int, layer: Layer) -> int:
    if size == 1:
        raise AuditError(
            f"an ascent of {layer.name} does not fit into the device's memory, even one image at a time; "
            'free memory there, use canvas = "field", or device = "cpu"'
        )
    torch.cuda.empty_cache()
    return size // 2
