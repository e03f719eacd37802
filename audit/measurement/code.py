"""The digest of everything that computes: work is kept only for the code that made it."""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import PIL
import torch

import audit

COMPUTING = ("analyses", "ascent", "data", "demo", "model", "search", "stream", "trials")


@cache
def code_digest() -> str:
    """Of the source of everything that computes, and of the versions of what it computes with."""
    root = Path(audit.__file__).parent
    digest = hashlib.sha256(f"{audit.__version__} {torch.__version__} {np.__version__} {PIL.__version__}".encode())
    for room in COMPUTING:
        for path in sorted((root / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
