"""All loops of the CPU in one import, which brings numba along."""

from audit.stream.kernels.join import total
from audit.stream.kernels.keep import keep
from audit.stream.kernels.walk import SPAN, UNITS, summarize

__all__ = ["SPAN", "UNITS", "keep", "summarize", "total"]
