"""Pictures shown in other ways than audit.toml says -> how right and how sure the model is of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from audit import events
from audit.config import ModelSection
from audit.data.damage import Damages, PictureError
from audit.data.images import Images
from audit.data.preprocess import batches
from audit.errors import Unavailable
from audit.model.load import Model
from audit.records import Table
from audit.trials.outputs import Answers, answered, scores, spread
from audit.trials.ways import Way, configured, sizes, swapped, ways
from audit.words import plural

STAGES = (16, 64, 200)
"""Pictures shown by the end of each stage. With 200 a way that is better by 6 points is so beyond chance."""

HOPELESS = -4
"""Pictures lost on balance among the first 16: such a way is dropped."""

PROMISING = 2
"""Pictures gained on balance among the first 64: the three best of such ways are shown all pictures."""

FINALISTS = 3

Shown = dict[Way, Answers]


def preprocessing(
    model: Model, images: Images, labels: Mapping[int, int], listener: events.Listener, batch: int
) -> Table:
    """Table "preprocessing": a row per way of showing the pictures, the configured one first.

    Ways are usual normalisations, other contrast and brightness, blue before red, other sizes and crops where the
    network takes them. At most 200 evenly spread pictures (labelled ones, if there are any) are shown in stages: 16 in
    every way, 64 in the ways that are not hopeless by then, all in the three best of those that promise something.
    Columns: variant, kind, mean, std, change (what audit.toml would say), pictures, labelled, top1 (NaN without
    labels), confidence, entropy (nats), better and worse (pictures right only so, and right only as configured).
    """
    chosen = spread([index for index in range(len(images)) if index in labels] or range(len(images)), STAGES[-1])
    now = configured(model.section)
    found: Shown = {}
    left = [*ways(model.section), *_accepted(model, images, sizes(model.section))]
    for stage, part in enumerate(_parts(chosen)):
        title = f"{model.section.name}: {plural(len(part), 'picture')} in {plural(len(left), 'other way')}"
        with events.work(listener, title, len(part) * (len(left) + 1)) as advance:
            found |= _joined(found, show(model, images, part, [now, *left], batch, advance=advance))
        if stage == 0:
            found |= show(model, images, part, _swapped(found, now, labels), batch)
        left = _promising(found, now, labels, stage)
        if not left:
            break
    if not len(found[now].images):
        raise Unavailable("none of the pictures could be shown")
    return _table(found, now, labels)


def _parts(chosen: Sequence[int]) -> Iterator[list[int]]:
    """The pictures that each stage adds, evenly spread; a stage without any is left out."""
    shown: set[int] = set()
    for count in STAGES:
        part = [index for index in spread(chosen, count) if index not in shown]
        shown.update(part)
        if part:
            yield part


def _swapped(found: Shown, now: Way, labels: Mapping[int, int]) -> list[Way]:
    """Blue before red in the best other normalisation, if one is better than the configured one."""
    gains = _gains(found, now, labels)
    better = [way for way in found if way.kind == "normalisation" and gains[way] > 0]
    colours = now.section.input[0] == 3
    return [swapped(max(better, key=gains.__getitem__))] if better and colours else []


def _promising(found: Shown, now: Way, labels: Mapping[int, int], stage: int) -> list[Way]:
    """The ways that the next stage shows, in the order of the first; without labels all, and no further than 64."""
    gains = _gains(found, now, labels)
    others = [way for way in found if way is not now]
    if stage == 0:
        return [way for way in others if gains[way] > HOPELESS]
    best = sorted(others, key=lambda way: -gains[way])[:FINALISTS]
    return [way for way in others if way in best and gains[way] >= PROMISING]


def _gains(found: Shown, now: Way, labels: Mapping[int, int]) -> dict[Way, int]:
    """Pictures that each way gains on balance; a way that was dropped has lost."""
    right = found[now].right(labels)
    return {
        way: int(answers.right(labels).sum()) - int(right.sum()) if len(answers.images) == len(right) else HOPELESS
        for way, answers in found.items()
    }


def show(
    model: Model,
    images: Images,
    indices: Sequence[int],
    tried: Iterable[Way],
    batch: int,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> Shown:
    """What the model answers to the pictures in each way; a picture is decoded once for all ways of one size."""
    found: Shown = {}
    for _, group in groupby(tried, key=lambda way: (way.section.input, way.section.resize)):
        found |= _shown_alike(model, images, indices, list(group), batch, advance=advance)
    return found


def _shown_alike(
    model: Model,
    images: Images,
    indices: Sequence[int],
    alike: Sequence[Way],
    batch: int,
    *,
    advance: Callable[[int], None],
) -> Shown:
    parts: dict[Way, list[tuple[Tensor, ...]]] = {way: [] for way in alike}
    shown: list[int] = []
    with scores(model) as scored:
        damages = Damages(len(images), 100)  # they are the pass's to report
        for host, part in batches(images, indices, alike[0].section, batch, damages=damages):
            pixels = host.to(model.device, non_blocking=True)
            shown += part
            for way in alike:
                parts[way].append(answered(scored(way.shown(pixels))))
                advance(len(part))
    return {way: _answers(shown, answers) for way, answers in parts.items()}


def _answers(shown: Sequence[int], parts: Sequence[tuple[Tensor, ...]]) -> Answers:
    """Batches on the device -> arrays, copied once."""
    if not parts:
        return Answers(*(np.zeros(0, kind) for kind in (np.int64, np.int64, np.float64, np.float64)))
    predicted, confidence, entropy = (torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True))
    return Answers(
        np.array(shown, dtype=np.int64), predicted, confidence.astype(np.float64), entropy.astype(np.float64)
    )


def _joined(found: Shown, more: Shown) -> Shown:
    """The answers to the later pictures after those to the earlier."""
    return {way: answers if way not in found else found[way].then(answers) for way, answers in more.items()}


def _accepted(model: Model, images: Images, others: Iterable[Way]) -> Iterator[Way]:
    """The sizes for which the network still says as many classes; pictures that come as tensors have one size only."""
    if _come_as_tensors(images):
        return
    for way in others:
        if way.section.input == model.section.input or _takes(model, way.section):
            yield way


def _come_as_tensors(images: Images) -> bool:
    """What the first picture says that can be read."""
    for index in range(len(images)):
        try:
            return isinstance(images.picture(index), Tensor)
        except PictureError:
            continue
    return True


def _takes(model: Model, section: ModelSection) -> bool:
    blank = torch.zeros(2, *section.input, device=model.device)
    try:
        with scores(model) as scored:
            return scored(blank).shape == (2, model.outline.layers[-1].units)
    except Exception:  # whatever a network raises, it does not take this size
        return False


def _table(found: Shown, now: Way, labels: Mapping[int, int]) -> Table:
    rows = [_row(way, answers, found[now], labels) for way, answers in found.items()]
    return Table("preprocessing", {name: np.array([row[name] for row in rows]) for name in rows[0]})


def _row(way: Way, answers: Answers, usual: Answers, labels: Mapping[int, int]) -> dict[str, str | int | float]:
    """One way; better and worse count the pictures that were shown both ways."""
    right, both = answers.right(labels), np.isin(answers.images, usual.images)
    before = dict(zip(usual.images.tolist(), usual.right(labels).tolist(), strict=True))
    was = np.array([before.get(image, False) for image in answers.images.tolist()], dtype=bool)
    labelled = sum(image in labels for image in answers.images.tolist())
    return {
        "variant": way.name,
        "kind": way.kind,
        "mean": ", ".join(f"{number:.4g}" for number in way.mean),
        "std": ", ".join(f"{number:.4g}" for number in way.std),
        "change": way.change,
        "pictures": len(answers.images),
        "labelled": labelled,
        "top1": float(right.sum() / labelled) if labelled else float("nan"),
        "confidence": float(answers.confidence.mean()),
        "entropy": float(answers.entropy.mean()),
        "better": int((both & right & ~was).sum()),
        "worse": int((both & ~right & was).sum()),
    }
