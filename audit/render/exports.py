"""What runs found in the words of other tools: which there are, and a wish for some -> texts and their files."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from audit.errors import AuditError, StoreError
from audit.records import Report
from audit.render.annotations import annotations
from audit.render.markdown import COMMENT, markdown
from audit.render.sarif import sarif
from audit.render.statement import statement
from audit.store.replacing import replace

Render = Callable[[Sequence[Report]], str]

FILES: Mapping[str, Render] = {"sarif": sarif, "markdown": markdown, "statement": statement}


def wishes(files: Mapping[str, str], annotated: bool, comment: bool) -> list[tuple[Render, Path | None]]:
    """What renders each wish, and the file it is for, None to print it; AuditError where they do not fit together."""
    if comment and "markdown" not in files:
        raise AuditError("--comment says how long the Markdown may be: add --markdown FILE")
    renders: dict[str, Render] = {**FILES, **({"markdown": partial(markdown, most=COMMENT)} if comment else {})}
    wanted = [(renders[name], None if file == "-" else Path(file)) for name, file in files.items()]
    wanted += [(annotations, None)] if annotated else []
    if not wanted:
        raise AuditError("nothing to write: add --sarif FILE, --markdown FILE, --statement FILE or --annotations")
    if sum(file is None for _, file in wanted) > 1:
        raise AuditError("only one of them can be printed: name a file for the others")
    return wanted


def put(text: str, path: Path) -> Path:
    """Writes a file in one step, its folder too if need be. StoreError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    return replace(path, text.encode())
