"""Names and counts -> how a message says them."""

from collections.abc import Sequence


def listed(names: Sequence[object], most: int = 20) -> str:
    """The first of them, and how many more: `1, 2, 3 and 4 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
