"""Activations -> their summary with operations of torch: the definition, for devices and types without a kernel."""

import torch
from jaxtyping import Float
from torch import Tensor

from audit.stream.summary import Summary, wide

AT_ONCE = {"cpu": 2**17}
"""Activations summarized together: on a CPU few, so that they stay in the cache over the many passes over them."""


def summarize(maps: Float[Tensor, "image unit y x"]) -> Summary:
    """The summary, computed in float64 where the device has it; spans are single positions."""
    rows = maps.flatten(2).flatten(0, 1)
    together = max(1, AT_ONCE.get(rows.device.type, 2**27) // max(1, rows.shape[1]))
    parts = zip(*map(_of_rows, torch.split(rows, together)), strict=True)
    return Summary(*(torch.cat(part).view(maps.shape[:2]) for part in parts), span=1)


def _of_rows(rows: Float[Tensor, "row position"]) -> tuple[Tensor, ...]:
    """The fields of a Summary, in their order."""
    exact = rows.to(wide(rows.device))
    first = exact[:, :1].nan_to_num(0, 0, 0)
    mean = first[:, 0] + (exact - first).mean(dim=1)  # about the first value: exact where all are equal
    squares = (exact - mean[:, None]).square().sum(dim=1)
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
    peak, peak_at = rows.max(dim=1)
    minimum, minimum_at = rows.min(dim=1)
    return mean, squares, minimum, peak, minimum_at, peak_at, (rows > 0).sum(dim=1)
