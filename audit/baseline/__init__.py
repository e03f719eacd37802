"""Numbers that were accepted once: a file that lives in git, and what a new number says beside it. No torch here."""

from audit.baseline.file import read_baseline, write_baseline
from audit.baseline.judging import entry_of, held, tolerance
from audit.baseline.making import accepted, beside, is_limit, key, of_check
from audit.baseline.numbers import Accepted, Baseline, Entry, Noise

__all__ = [
    "Accepted",
    "Baseline",
    "Entry",
    "Noise",
    "accepted",
    "beside",
    "entry_of",
    "held",
    "is_limit",
    "key",
    "of_check",
    "read_baseline",
    "tolerance",
    "write_baseline",
]
