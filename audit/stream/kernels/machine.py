"""Plain loops -> machine code that leaves NaN and infinity as they are; using this takes numba's half a second."""

from typing import Any

from audit.data.compiled import compiled


def machine(loop: Any) -> Any:
    """Compiled when first called; a product may be added to without rounding it. Decorate the loop @no_type_check."""
    return compiled(loop, "contract")
