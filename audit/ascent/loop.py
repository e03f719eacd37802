"""The ascent: jobs (unit, preset, seed) of a layer -> optimized images, many in one batch (Yosinski et al. 2015).

One step: make the image, keep its pixels in 0..255, look at the activation and its gradient, remember the best image,
go uphill by the preset's rate, let the preset's regularizers act in their order. What is looked at is the activation
before a ReLU.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from audit.ascent.canvas import Canvas
from audit.ascent.memory import default_batch, fitting, is_shortage
from audit.ascent.objective import Activations, Change, Reading, activations_at, frozen, uphill, weighted
from audit.ascent.octaves import crops, enlarged, moved, put_back
from audit.ascent.presets import Preset
from audit.ascent.rates import Policy, Slope
from audit.ascent.rows import Direction, Images, Job, Optimized, Rows, group
from audit.ascent.transforms import transformed
from audit.errors import AuditError
from audit.events import Listener, Silence, work
from audit.model.allocator import kept_memory
from audit.model.leaky import leaky
from audit.model.memory import fast_order, in_order
from audit.model.precision import exact_arithmetic, precision
from audit.records import Layer

TINY = 1e-30  # pixels nearer to 0 become 0: blurs and decays make subnormal numbers, ten times slower on a CPU
CERTAIN = 0.996  # the probability of the fooling images that Yosinski et al. 2015 speak of
STRETCH = 50  # steps between two looks from the host: who has stopped leaves the batch, progress is told


def ascend(
    network: nn.Module,
    layer: Layer,
    jobs: Sequence[Job],
    canvas: Canvas,
    *,
    mean: Float[Tensor, "channel 1 1"],
    std: Float[Tensor, "channel 1 1"],
    others: Sequence[Reading] = (),
    classes: bool = False,
    first_gradient: float | None = None,
    batch: int | None = None,
    listener: Listener | None = None,
) -> list[Optimized]:
    """The optimized images in the order of `jobs`, computed where `mean` is.

    `mean` and `std` are those of pixels of 0..1. Presets and seeds may be mixed freely; what becomes of a job does not
    depend on the others but for rounding, and for diversity on those of its unit and preset. A batch that does not fit
    into memory is halved; AuditError if one image does not fit, or if a unit does not exist. A `Direction` has a
    weight for each unit of the layer and then of the `others`, readings of further layers whose weighted sum it is.
    `classes`: the units are the network's classes, and a softmax of them says how certain it is.

    `first_gradient` (a norm, per pixel value of 0..255) is what the first gradient of every image is scaled to, and all
    later ones by the same factor: rates that were found for one network's activations then suit another's. None
    leaves them as they are.
    """
    units = layer.units + sum(reading.layer.units for reading in others)
    _check(layer, jobs, units)
    size = most = batch or min(default_batch(canvas.size, mean.device), max(len(jobs), 1))
    grams = [Reading(layer, "gram")] if any(job.preset.diversity for job in jobs) else []
    seen_by_unit = None if others or grams else canvas.seen  # the others are read elsewhere
    presets = list(dict.fromkeys(job.preset for job in jobs))
    waiting = sorted(range(len(jobs)), key=lambda job: (-jobs[job].preset.steps, presets.index(jobs[job].preset)))
    done: dict[int, Optimized] = {}
    total = sum(job.preset.steps for job in jobs)
    with (
        work(listener or Silence(), f"optimized images of {layer.name}", total) as advance,
        frozen(network),
        in_order(network, fast_order(network)),
        exact_arithmetic(),
        kept_memory(),
        torch.no_grad(),
        activations_at(
            network, Reading(layer, canvas.position), *others, *grams, seen_by_unit=seen_by_unit
        ) as activations,
    ):
        exact = torch.promote_types(precision(network), torch.float32)  # of half a precision only the network makes use
        statistics = mean.to(exact), std.to(exact)
        ground = Ground.of(activations, units, *statistics, first_gradient, rectified=layer.rectifier, classes=classes)
        if batch is None and jobs:
            size = fitting(most, lambda count: _look(ground, jobs[waiting[0]], count, canvas.size), mean.device)
        while waiting:
            chosen = _together(_alike(waiting, jobs), jobs, size)
            with leaky(jobs[chosen[0]].preset.leaky):
                climbed = _unless_too_large(ground, [jobs[job] for job in chosen], canvas.size, advance)
            if climbed is None:
                size = _half([jobs[job] for job in chosen], layer)
                continue
            cut = size if size < most else None
            done.update((job, replace(image, batch=cut)) for job, image in zip(chosen, climbed, strict=True))
            waiting = [job for job in waiting if job not in done]
    return [done[job] for job in range(len(jobs))]


@dataclass(frozen=True)
class Ground:
    """What is climbed: numbers of each image (`units` of them), over pixels of 0..255 minus the mean."""

    activations: Activations
    units: int
    mean: Float[Tensor, "channel 1 1"]
    scale: Float[Tensor, "channel 1 1"]
    darkest: Float[Tensor, "channel 1 1"]
    brightest: Float[Tensor, "channel 1 1"]
    first_gradient: float | None
    rectified: bool
    classes: bool

    @staticmethod
    def of(
        activations: Activations,
        units: int,
        mean: Float[Tensor, "channel 1 1"],
        std: Float[Tensor, "channel 1 1"],
        first_gradient: float | None = None,
        *,
        rectified: bool = False,
        classes: bool = False,
    ) -> "Ground":
        """`mean` and `std` of pixels of 0..1, as the network was trained with."""
        limits = -255 * mean, 255 - 255 * mean
        return Ground(activations, units, mean, 1 / (255 * std), *limits, first_gradient, rectified, classes)


def climb(
    ground: Ground, jobs: Sequence[Job], size: tuple[int, int], advance: Callable[[int], None]
) -> list[Optimized]:
    """One batch from start to end; `jobs` come with most steps first, and leave when their steps are done."""
    rows = Rows.of(jobs, ground.units, size, ground.mean)
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
        advance(sum((jobs[job].preset.steps if stopped[row] else end) - begun for row, job in enumerate(climbing)))
        if leaving:
            gone = [climbing[row] for row in leaving]
            found = rows.only(leaving).results([jobs[job] for job in gone], ground.rectified)
            results.update(zip(gone, found, strict=True))
            kept = [row for row in range(len(climbing)) if row not in set(leaving)]
            rows, climbing = rows.only(kept), [climbing[row] for row in kept]
    return [results[job] for job in range(len(jobs))]


def look_and_step(ground: Ground, rows: Rows, presets: Sequence[tuple[slice, Preset]], step: int) -> None:
    """Step number `step` of every row, in place: look, remember, go uphill, regularize. No host synchronisation.

    A row that has stopped is moved on too, but nothing of it is remembered. All rows are `_alike`.
    """
    octaves = presets[0][1].octaves
    rows.point = enlarged(rows.point, octaves, step) if octaves else rows.point
    image, reached, gradient = seen(ground, rows, presets[0][1], step)
    score = weighted(reached, rows.weights)
    square = gradient.flatten(1).square().sum(1)
    if step == 0 and ground.first_gradient is not None:
        rows.gain = torch.where(square > 0, ground.first_gradient / square.sqrt(), 1)
    gradient, square = gradient.mul_(_each(rows.gain, gradient)), square * rows.gain.square()
    remember(rows, image, step, score=score, strongest=_leading(ground, rows, presets, reached), square=square)
    slope = Slope(gradient, square, score, rows.moments, step)
    if octaves:
        put_back(rows.point, rows.origins[:, step], moved(image, slope, octaves, ground.darkest, ground.brightest))
    else:
        _stepped(rows.point, presets, slope)
    if presets[0][1].parametrization is None:
        rows.point = torch.hardshrink(rows.point, TINY)
    else:
        rows.point = presets[0][1].parametrization.kept_within(rows.point)


def seen(
    ground: Ground, rows: Rows, preset: Preset, step: int
) -> tuple[Images, Float[Tensor, "image unit"], Float[Tensor, "image ..."]]:
    """The images that the rows stand for, their activations, and the gradient with respect to the rows' points."""
    change = _change(preset, rows.draws, step)
    apart = rows.apart() if preset.diversity else None
    if preset.octaves:
        image = crops(rows.point, rows.origins[:, step], (rows.image.shape[2], rows.image.shape[3]))
        return image, *uphill(ground.activations, image, rows.weights, ground.scale, change, apart=apart)
    if preset.parametrization is None:
        image = torch.clamp(rows.point, ground.darkest, ground.brightest, out=rows.point)
        return image, *uphill(ground.activations, image, rows.weights, ground.scale, change, apart=apart)
    shape = (len(ground.mean), *rows.image.shape[2:])
    with torch.enable_grad():
        point = rows.point.detach().requires_grad_()
        made = 255 * preset.parametrization.pixels(point, shape) - 255 * ground.mean
    image = made.detach()
    reached, slope = uphill(ground.activations, image, rows.weights, ground.scale, change, apart=apart)
    (gradient,) = torch.autograd.grad(made, point, slope)
    return image, reached, gradient


def _leading(
    ground: Ground, rows: Rows, presets: Sequence[tuple[slice, Preset]], reached: Float[Tensor, "image unit"]
) -> Bool[Tensor, " image"]:
    """Whether a row's unit is the strongest; for a preset that shows the certain image, whether a class is certain."""
    leading = reached.argmax(1) == rows.unit
    for part, preset in presets:
        if preset.shown == "certain":
            own = rows.unit[part].clamp(min=0)[:, None]
            probability = reached[part, : ground.units].softmax(1).gather(1, own)[:, 0]
            leading[part] &= (probability >= CERTAIN) & ground.classes
    return leading


def remember(
    rows: Rows,
    image: Images,
    step: int,
    *,
    score: Float[Tensor, " image"],
    strongest: Bool[Tensor, " image"],
    square: Float[Tensor, " image"],
) -> None:
    """Writes down what was seen of the rows that have not stopped, and which of them stop; `square` is ||g||^2."""
    climbing, finite = rows.status == 0, score.isfinite()
    better = climbing & finite & (score > rows.best)
    won = climbing & finite & strongest & (rows.majority_step < 0)
    for when, kept in ((better | (step == 0), rows.best_image), (won, rows.first_image), (climbing, rows.image)):
        torch.where(_each(when, image), image, kept, out=kept)
    rows.best = torch.where(better, score, rows.best)
    rows.best_step = torch.where(better, step, rows.best_step)
    rows.last = torch.where(climbing, score, rows.last)
    rows.majority_step = torch.where(won, step, rows.majority_step)
    rows.steps += climbing
    fate = torch.where(finite & square.isfinite(), (square == 0).long(), 2)
    rows.status = torch.where(climbing, fate, rows.status)


def _stepped(point: Float[Tensor, "image ..."], presets: Sequence[tuple[slice, Preset]], slope: Slope) -> None:
    """In place: uphill by the preset's rate, then its regularizers."""
    for part, preset in presets:
        own, theirs = point[part], slope.of(part)
        if isinstance(preset.learning_rate, Policy):
            preset.learning_rate.move(own, theirs)
        elif preset.learning_rate is not None:
            own.add_(theirs.gradient, alpha=preset.learning_rate)
        regularized = own
        for regularizer in preset.regularizers:
            regularized = regularizer.apply(regularized, theirs.gradient, theirs.step)
        if regularized is not own:
            own.copy_(regularized)


def _change(preset: Preset, draws: Float[Tensor, "image step number"], step: int) -> Change | None:
    """The preset's transforms at a step, or None."""
    if not preset.transforms:
        return None
    return lambda shown: transformed(shown, preset.transforms, draws[:, step])


def _each(numbers: Tensor, of: Tensor) -> Tensor:
    """One number per row, in a shape that goes with that of `of`."""
    return numbers.view(-1, *[1] * (of.dim() - 1))


def _alike(waiting: Sequence[int], jobs: Sequence[Job]) -> list[int]:
    """Those that may share the first one's batch: their images are made and changed in the same way."""
    first = _way(jobs[waiting[0]].preset)
    return [job for job in waiting if _way(jobs[job].preset) == first]


def _way(preset: Preset) -> tuple[object, ...]:
    return preset.parametrization, preset.transforms, preset.octaves, preset.leaky, preset.diversity > 0


def _together(waiting: Sequence[int], jobs: Sequence[Job], size: int) -> list[int]:
    """The first `size` of them, but all or none of those that repel each other; at least the first ones."""
    groups: dict[object, list[int]] = {}
    for job in waiting:
        groups.setdefault(group(jobs[job]) if jobs[job].preset.diversity else job, []).append(job)
    chosen: list[int] = []
    for members in groups.values():
        if chosen and len(chosen) + len(members) > size:
            break
        chosen += members
    return chosen


def _stretches(presets: Sequence[Preset]) -> list[tuple[slice, Preset]]:
    """The runs of equal neighbours: which rows have which preset."""
    bounds = [row for row in range(len(presets)) if row == 0 or presets[row] != presets[row - 1]]
    ends = [*bounds[1:], len(presets)]
    return [(slice(begin, end), presets[begin]) for begin, end in zip(bounds, ends, strict=True)]


def _check(layer: Layer, jobs: Sequence[Job], units: int) -> None:
    for job in jobs:
        if isinstance(job.unit, Direction):
            if len(job.unit.weights) != units:
                raise AuditError(f"{job.unit.name} has {len(job.unit.weights)} weights; {layer.name} needs {units}")
        elif not 0 <= job.unit < layer.units:
            raise AuditError(f"no unit {job.unit} in {layer.name}: it has {layer.units}, 0 to {layer.units - 1}")
        if not 0 <= job.seed < 2**32:
            raise AuditError(f"no seed {job.seed}: a seed is a whole number from 0 to {2**32 - 1}")


def _look(ground: Ground, job: Job, count: int, size: tuple[int, int]) -> Rows:
    """A look at so many images of the job, and their rows."""
    rows = Rows.of([job] * count, ground.units, size, ground.mean)
    seen(ground, rows, job.preset, 0)
    return rows


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
    except (RuntimeError, MemoryError) as error:
        if not is_shortage(error):
            raise
        advance(-sum(told))
        return None


def _half(jobs: Sequence[Job], layer: Layer) -> int:
    if len(jobs) == 1:
        raise AuditError(
            f"an ascent of {layer.name} does not fit into the device's memory, even one image at a time; "
            'free memory there, use canvas = "field", or device = "cpu"'
        )
    if jobs[0].preset.diversity and len(set(map(group, jobs))) == 1:
        raise AuditError(
            f"an ascent of {layer.name} does not fit into the device's memory: the {len(jobs)} images of a unit repel "
            'each other and are made together; ask for fewer images, use canvas = "field", or device = "cpu"'
        )
    torch.cuda.empty_cache()
    return len(jobs) // 2
