"""Two runs of a model -> their comparison, in the folder of the later one."""

import os
import shlex
from pathlib import Path

from audit.errors import AuditError
from audit.history.places import COMPARED, Place
from audit.render.plain import in_a_line
from audit.store import read


def made(folder: Path, before: Place, after: Place) -> str:
    """Writes the comparison; why it cannot be had, or nothing."""
    from audit.compare.command import compare, publish

    try:
        reports = read(folder / before.id), read(folder / after.id)
        publish(compare(*reports, (before.id, after.id)), *reports, folder / output(before, after))
    except AuditError as error:
        return in_a_line(str(error).replace(f"{folder}{os.sep}", ""))
    except Exception as error:  # an index without a comparison is better than none
        return in_a_line(f"{type(error).__name__}: {error}")
    return ""


def output(before: Place, after: Place) -> str:
    """Where a comparison is, in the folder of the reports."""
    return f"{after.id}/{COMPARED}/{before.name}"


def command(before: Place, after: Place) -> str:
    """What makes the comparison, typed in the folder of the reports."""
    return shlex.join(["deepvis-audit", "compare", before.id, after.id, "--output", output(before, after)])
