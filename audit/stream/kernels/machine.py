"""Plain loops -> machine code that leaves NaN and infinity as they are; importing this takes numba's half a second."""

from typing import Any

from numba import njit


def machine(loop: Any) -> Any:
    """Compiled when first called, and kept on disk where there is a place for it. Decorate the loop @no_type_check."""
    try:
        return _compiled(loop, on_disk=True)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return _compiled(loop, on_disk=False)


def _compiled(loop: Any, *, on_disk: bool) -> Any:
    return njit(cache=on_disk, nogil=True, error_model="numpy", fastmath={"contract"})(loop)
