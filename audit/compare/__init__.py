"""Two reports -> what became of each layer, unit, item and number from one to the other."""

from audit.compare.changes import Comparison
from audit.compare.comparison import compare

__all__ = ["Comparison", "compare"]
