"""The installed vl-convert -> Vega, Vega-Lite and Vega-Embed as one script, for charts that answer."""

import os
from functools import cache
from importlib.metadata import version
from pathlib import Path

from audit.errors import StoreError
from audit.store.replacing import replace


@cache
def bundle() -> str:
    """The script. It takes seconds to put together, so the user's cache keeps one for each version of vl-convert."""
    import vl_convert

    kept = _cache() / "deepvis-audit" / f"vega-{version('vl-convert-python')}.js"
    try:
        return kept.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        pass
    made = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # the stub asks for a snippet, which is optional
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        replace(kept, made.encode("utf-8"))
    except (OSError, StoreError):  # no cache, no harm
        pass
    return made


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
