"""A folder of reports -> its `index.html`: every model, every run, and what changed from one run to the next."""

from audit.history.rebuilding import rebuild

__all__ = ["rebuild"]
