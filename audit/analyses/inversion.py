"""Inversion: pictures found from their codes alone, which show what a layer still knows (Mahendran and Vedaldi 2015).

How near they come is told in three ways: as PSNR and SSIM, which pixels must match, and by whether the picture can be
told from others, which outlines are enough for.
"""

from collections.abc import Sequence
from math import prod
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from audit import events
from audit.analyses.task import Task
from audit.ascent.inversion import Inverted, Penalties, invert
from audit.ascent.lighter import lighter
from audit.ascent.memory import default_batch
from audit.data.damage import Damages
from audit.data.display import rgb
from audit.data.preprocess import batches
from audit.errors import Unavailable
from audit.records import Outline, Pictures, Table
from audit.trials.outputs import spread

OTHERS = 64
"""Other pictures of the audit that a reconstruction might be taken for, at most."""

WINDOW = 7
"""Side of the window of SSIM; smaller pictures have none."""

Picture = Float[np.ndarray, "channel y x"]
Pixels = Float[np.ndarray, "picture channel y x"]


class Inversion:
    """Some pictures of the audit, each beside what was found from its code."""

    needs_data: ClassVar[bool] = True

    def run(self, task: Task) -> Pictures:
        """A row per picture, under its name: the picture as the network saw it, and the reconstruction.

        Numbers of the reconstruction (NaN of the picture itself): `psnr` in dB, `ssim`, `error` and `start_error`, the
        relative squared distance of the codes, `rank` of the picture among itself and so many `others` by how alike it
        is to the reconstruction (1: it is told from all of them), and `psnr_unknown`, that of the mean colour alone.
        """
        options = task.section.inversion
        pixels, indices = shown(task, options.pictures)
        found = _inverted(task, pixels)
        made = found.images.cpu().numpy()
        seen, mean = pixels.numpy(), task.model.mean.cpu().numpy()
        others, there = shown(task, OTHERS)
        rivals = [others.numpy()[np.array(there) != index] for index in indices]
        pairs = list(zip(seen, made, strict=True))
        numbers = {
            "psnr": [psnr(picture, image) for picture, image in pairs],
            "ssim": [ssim(picture, image) for picture, image in pairs],
            "error": found.misfit.tolist(),
            "start_error": found.start.tolist(),
            "rank": [float(rank(*pair, those)) for pair, those in zip(pairs, rivals, strict=True)],
            "others": [float(len(those)) for those in rivals],
            "psnr_unknown": [psnr(picture, np.broadcast_to(mean, picture.shape)) for picture in seen],
        }
        assert task.images is not None
        names = tuple(task.images.name(index) for index in indices)
        return Pictures(
            layer=task.layer.name,
            kind="inversion",
            units=tuple(range(len(names))),
            tiles=np.stack([rgb(seen), rgb(made)], axis=1),
            captions=tuple(
                (name, f"{numbers['psnr'][row]:.3g} dB · SSIM {numbers['ssim'][row]:.2f}")
                for row, name in enumerate(names)
            ),
            groups=("pictures", "reconstructions"),
            note=f"Found from the code alone in {options.steps} steps; weights of the penalties: total variation "
            f"{options.variation:g}, alpha norm {options.alpha_norm:g}.",
            numbers={name: np.array([[np.nan, value] for value in values]) for name, values in numbers.items()},
            names=names,
        )


def shown(task: Task, count: int) -> tuple[Float[Tensor, "picture channel y x"], list[int]]:
    """So many pictures of 0..1, spread evenly over the audit's, as the model is shown them, and their indices.

    Damaged ones are left out; Unavailable if none is left.
    """
    assert task.images is not None
    total = len(task.images)
    indices = spread(range(total), count)
    found = list(batches(task.images, indices, task.model.section, len(indices), damages=Damages(total, 100.0)))
    if not found:
        raise Unavailable(f"none of the {len(indices)} pictures that were chosen can be shown; there is none to invert")
    ((pixels, there),) = found
    return pixels, list(there)


def psnr(picture: Picture, image: Picture) -> float:
    """Peak signal-to-noise ratio, 10 log10(1 / mean squared difference), in dB; infinite of equal ones."""
    error = np.square(picture.astype(np.float64) - image).mean()
    return float(-10 * np.log10(error)) if error > 0 else float("inf")


def ssim(picture: Picture, image: Picture) -> float:
    """Structural similarity (Wang et al. 2004), mean over channels; NaN of pictures smaller than its window."""

    from skimage.metrics import structural_similarity

    if min(picture.shape[1:]) < WINDOW:
        return float("nan")
    found: float = structural_similarity(  # type: ignore[no-untyped-call]
        picture, image, win_size=WINDOW, data_range=1.0, channel_axis=0
    )
    return float(found)


def rank(picture: Picture, image: Picture, others: Pixels) -> int:
    """1 + how many of `others` are more alike to the image than the picture is, by the correlation of the pixels."""
    return 1 + int((_likeness(others, image) > _likeness(picture[None], image) + 1e-6).sum())


def _likeness(pictures: Pixels, image: Picture) -> Float[np.ndarray, " picture"]:
    """Pearson's correlation with the image; 0 of a picture of one colour."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)
    flat, own = flat - flat.mean(axis=1, keepdims=True), image.astype(np.float64).ravel()
    own = own - own.mean()
    norms = np.linalg.norm(flat, axis=1) * np.linalg.norm(own)
    found: Float[np.ndarray, " picture"] = np.divide(flat @ own, norms, out=np.zeros(len(flat)), where=norms > 0)
    return found


def inversions(outline: Outline, pictures: Sequence[Pictures]) -> list[Table]:
    """Table "inversion", a row per layer, by depth; none where no code was inverted.

    `numbers` is the length of a code, `pixels` that of a picture. Of the `pictures`: medians of `psnr`, `ssim`, `error`
    and `psnr_unknown`, the smallest and largest PSNR (`low`, `high`), and `told`, how many were told from all `others`.
    """
    found = {record.layer: record for record in pictures if record.kind == "inversion"}
    rows = [(layer, found[layer.name].numbers) for layer in outline.layers if layer.name in found]
    if not rows:
        return []
    of = {name: [numbers[name][:, 1] for _, numbers in rows] for name in rows[0][1]}
    columns = {
        "layer": np.array([layer.name for layer, _ in rows]),
        "numbers": np.array([prod(layer.shape) for layer, _ in rows], np.int64),
        "pixels": np.full(len(rows), prod(outline.input_shape), np.int64),
        "pictures": np.array([len(values) for values in of["psnr"]], np.int64),
        **{name: np.array([np.median(values) for values in of[name]]) for name in ("psnr", "ssim", "error")},
        "low": np.array([values.min() for values in of["psnr"]]),
        "high": np.array([values.max() for values in of["psnr"]]),
        "psnr_unknown": np.array([np.median(values) for values in of["psnr_unknown"]]),
        "told": np.array([(values == 1).sum() for values in of["rank"]], np.int64),
        "others": np.array([values.min() for values in of["others"]], np.int64),
    }
    return [Table("inversion", columns)]


def _inverted(task: Task, pixels: Float[Tensor, "picture channel y x"]) -> Inverted:
    """As many at once as are fast together."""
    options, model = task.section.inversion, task.model
    network = lighter(model.network, model.outline.input_shape, [task.layer.name])
    together = default_batch((pixels.shape[2], pixels.shape[3]), model.device)
    parts = torch.split(pixels.to(model.device), together)
    name = f"{model.section.name}: codes of {task.layer.name} inverted"
    with events.work(task.listener, name, len(pixels) * options.steps) as advance:
        found = [
            invert(
                network,
                task.layer,
                part,
                mean=model.mean,
                std=model.std,
                penalties=Penalties(options.variation, options.alpha_norm, options.steps),
                seed=task.seed,
                advance=advance,
            )
            for part in parts
        ]
    return Inverted(
        torch.cat([one.images for one in found]),
        torch.cat([one.start for one in found]),
        torch.cat([one.misfit for one in found]),
    )
