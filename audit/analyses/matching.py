"""Descriptors of the places that a layer looks at, and which of them are nearest to one another."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from audit.analyses.warps import Points
from audit.records import Layer
from audit.stream.predictions import first_largest

AT_ONCE = 2**22
"""Cosines in memory."""

SIDE = 32
"""Pixels along a side of a patch that is compared; larger ones are averaged down to at most so many."""

RADIUS = 3, 8
"""DAISY's radius is half of the receptive field, but at least 3 pixels, and at most an 8th of the picture's side."""

Places = Int[np.ndarray, " place"]
"""Positions of a map, counted row by row."""


def centres(layer: Layer) -> Points:
    """The middle of what each position of the layer sees, row by row; it may lie outside of the picture."""
    assert layer.field is not None
    y, x = (
        start + np.arange(count) * stride + (size - 1) / 2
        for start, count, stride, size in zip(
            layer.field.start, layer.map_size, layer.field.stride, layer.field.size, strict=True
        )
    )
    return np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)


def features(maps: Float[Tensor, "unit y x"], places: Places) -> Float[Tensor, "place unit"]:
    """What the layer says there."""
    return maps.flatten(1).T[torch.from_numpy(places).to(maps.device)].float()


def pixels(picture: Float[Tensor, "channel y x"], layer: Layer, places: Places) -> Float[Tensor, "place pixel"]:
    """The patch that each position sees, without its mean colour, which is where it reaches beyond the picture."""
    field = layer.field
    assert field is not None
    step = -(-max(field.size) // SIDE)
    smooth = F.avg_pool2d(picture, step, 1, step // 2, count_include_pad=False)[
        :, : picture.shape[1], : picture.shape[2]
    ]
    patches = F.pad(smooth, _margins(layer, picture), value=torch.nan)
    patches = patches.unfold(1, field.size[0], field.stride[0]).unfold(2, field.size[1], field.stride[1])
    y, x = (torch.from_numpy(axis).to(picture.device) for axis in np.unravel_index(places, layer.map_size))
    found = patches[:, :, :, ::step, ::step][:, y, x].flatten(2)
    found = (found - found.nanmean(dim=2, keepdim=True)).nan_to_num(nan=0)
    return found.transpose(0, 1).flatten(1)


def _margins(layer: Layer, picture: Float[Tensor, "channel y x"]) -> list[int]:
    """What a picture lacks for all that the layer's positions see: left, right, top, bottom; below 0 what is unseen."""
    found: list[int] = []
    assert layer.field is not None
    for axis in (1, 0):
        start, count = layer.field.start[axis], layer.map_size[axis]
        last = start + (count - 1) * layer.field.stride[axis] + layer.field.size[axis]
        found += [-start, last - picture.shape[1 + axis]]
    return found


def descriptors(picture: Float[Tensor, "channel y x"], layer: Layer, places: Places) -> Float[Tensor, "place number"]:
    """DAISY (Tola et al. 2010) of the gray picture, about as large as what a position sees."""

    from skimage.feature import daisy

    assert layer.field is not None
    gray = picture.mean(dim=0).double().cpu().numpy()
    radius = int(np.clip(min(layer.field.size) // 2, RADIUS[0], max(RADIUS[0], min(gray.shape) // RADIUS[1])))
    y, x = np.round(centres(layer)[places]).astype(int).clip(0, np.array(gray.shape) - 1).T
    padded = np.pad(gray, radius, mode="reflect")
    found = daisy(padded, step=1, radius=radius, rings=2, histograms=6, orientations=8)[y, x]  # type: ignore[no-untyped-call]
    return torch.from_numpy(found).float().to(picture.device)


def nearest(own: Float[Tensor, "place number"], others: Float[Tensor, "candidate number"]) -> Int[np.ndarray, " place"]:
    """The candidate with the largest cosine, the first of equals."""
    there = F.normalize(others, dim=1).T
    step = max(1, AT_ONCE // max(1, len(others)))
    found = [first_largest(F.normalize(part, dim=1) @ there) for part in torch.split(own, step)]
    return np.asarray(torch.cat(found).clamp_max(len(others) - 1).cpu().numpy())
