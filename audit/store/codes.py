"""Codes of pictures -> the folder of a report: large arrays that no renderer needs, beside what it does."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from audit.errors import StoreError
from audit.store.sprites import file_stem

CODES = "codes"


def file_of(layer: str) -> str:
    """The name of a layer's file in the folder of codes."""
    return f"{file_stem(layer, CODES)}.npy"


def put_codes(files: Mapping[str, Path], folder: Path) -> None:
    """Links or copies the codes of each layer into `folder`/codes, which is replaced; StoreError where it cannot be."""
    try:
        shutil.rmtree(folder / CODES, ignore_errors=True)
        for layer, source in files.items():
            (folder / CODES).mkdir(exist_ok=True)
            _linked(source, folder / CODES / file_of(layer))
    except OSError as error:
        raise StoreError(f"cannot write the codes to {folder}: {error.strerror or error}") from error


def _linked(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
