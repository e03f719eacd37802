"""A file that is there as a whole, or as it was before."""

import os
from pathlib import Path

from audit.errors import StoreError


def replace(path: Path, content: bytes) -> Path:
    """Puts `content` at `path` in one step. StoreError if it cannot be written."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    return path
