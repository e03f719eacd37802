"""Activations on the CPU -> their summary and the kept extremes, by numba, on as many threads as torch uses."""

from functools import cache
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from audit.data.compiled import in_threads
from audit.stream.kept import Kept, nothing
from audit.stream.summary import Summary
from audit.stream.totals import Totals

TYPES = (torch.float32, torch.float16, torch.bfloat16)

WORTH_SHARING = 2**17
"""Activations; fewer are walked through sooner than another thread wakes up."""

_FIELDS = ((2, torch.float64), (2, torch.float32), (3, torch.int32))
_TOTALS = ((2, torch.float64), (2, torch.float32), (3, torch.int64))
"""How many fields of a summary, and of totals, there are of each type, in their order."""


def takes(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the CPU's kernels take such activations: float32 and shorter, where numba works."""
    return device.type == "cpu" and dtype in TYPES and _works()


def summarize(maps: Float[Tensor, "image unit y x"]) -> Summary:
    """The summary; spans are 64 positions. Without a copy where the memory is channels_last."""
    rows = maps.detach().permute(0, 2, 3, 1).flatten(1, 2).to(torch.float32).contiguous()
    return _summarized(rows)


def total(summary: Summary, positions: int) -> Totals:
    """The totals of a batch whose units have so many positions."""
    units = summary.mean.shape[1]
    fields = [torch.empty(count, units, dtype=kind) for count, kind in _TOTALS]
    read = (summary.mean, summary.squares, summary.minimum, summary.peak, summary.positive)
    _loops().total(tuple(field.numpy() for field in read), positions, tuple(field.numpy() for field in fields))
    return Totals(*(field for those in fields for field in those))


def keep(
    rows: Float[Tensor, "image position unit"],
    extreme: Float[Tensor, "image unit"],
    span_at: Int[Tensor, "image unit"],
    images: Int[Tensor, " image"],
    *,
    sign: int,
    kept: Kept,
) -> None:
    """Enters the extremes of a batch, times `sign`, into the kept ones, in place; looks through their spans alone."""
    batch = tuple(tensor.numpy() for tensor in (extreme, span_at, images))
    state = tuple(tensor.numpy() for tensor in (kept.value, kept.image, kept.where, kept.least))
    _loops().keep(rows.numpy(), batch, np.float32(sign), state)


@cache
def _works() -> bool:
    """Whether numba is there and compiles for this machine; whatever is wrong with it, torch can do the work."""
    try:
        tried = _summarized(torch.zeros(1, 1, 1))
        assert tried.rows is not None
        total(tried, 1)
        kept = nothing(1, 1, torch.float32, tried.rows.device)
        keep(tried.rows, tried.peak, tried.peak_at, torch.tensor([0]), sign=1, kept=kept)
    except Exception:
        return False
    return True


def _loops() -> ModuleType:
    """Imported when first used: numba takes half a second."""
    from audit.stream.kernels import loops

    return loops


def _summarized(rows: Float[Tensor, "image position unit"]) -> Summary:
    images, _, units = rows.shape
    fields = [torch.empty(count, images, units, dtype=kind) for count, kind in _FIELDS]
    source, arrays, loops = rows.numpy(), tuple(field.numpy() for field in fields), _loops()

    def part(first: int, last: int) -> None:
        loops.summarize(source, first, last, arrays)

    in_threads(part, images * -(-units // loops.UNITS), torch.get_num_threads() if rows.numel() >= WORTH_SHARING else 1)
    return Summary(*(field for those in fields for field in those), span=loops.SPAN, rows=rows)
