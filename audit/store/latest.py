"""A run's folder -> `latest`, the name under which the newest run is found."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from audit.errors import StoreError
from audit.store.writer import holds_report


def publish_latest(folder: Path, latest: Path) -> None:
    """Makes `latest` the report in `folder`: a relative link, replaced in one step; a copy where links are impossible.

    StoreError if `latest` is something that is neither a link nor a report.
    """
    folder, latest = Path(folder), Path(latest)
    if not latest.is_symlink() and latest.exists():
        if latest.samefile(folder):
            return
        if not holds_report(latest):
            raise StoreError(f"{latest} is neither a link nor a report: remove it, or name another folder")
    try:
        latest.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{latest.name}-", dir=latest.parent) as temporary:
            new, old = Path(temporary) / "new", Path(temporary) / "old"
            _link_or_copy(folder, new, latest.parent)
            if latest.is_symlink() or not latest.exists():
                _put(new, latest)
            else:
                os.rename(latest, old)
                os.rename(new, latest)
    except OSError as error:
        raise StoreError(f"cannot make {latest} the newest report: {error.strerror or error}") from error


def _link_or_copy(folder: Path, new: Path, parent: Path) -> None:
    target = os.path.relpath(folder.resolve(), parent.resolve())
    try:
        os.symlink(target, new, target_is_directory=True)
    except (OSError, NotImplementedError):
        shutil.copytree(folder, new)


def _put(new: Path, latest: Path) -> None:
    """`new` takes the place of a link or of nothing."""
    if new.is_dir() and not new.is_symlink() and latest.is_symlink():
        latest.unlink()
    os.replace(new, latest)
