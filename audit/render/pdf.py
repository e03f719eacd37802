"""A stored report -> `report.pdf`, in processes of their own: one fills the template, one prints it.

`python -m audit.render.pdf check|fill|print FOLDER SCRATCH MEMORY [TEMPLATES]`. WeasyPrint keeps its memory and changes
settings of Pillow for the whole process; a process of its own takes both away, and what fills the template is gone by
then.
"""

import hashlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from audit import __version__
from audit.errors import AuditError, StoreError, TemplateError, Unavailable

FAILED, NO_PANGO, NO_MEMORY, BAD_TEMPLATE = 1, 3, 4, 5
CODES = {Unavailable: NO_PANGO, TemplateError: BAD_TEMPLATE}
MEMORY = 4 * 2**30
"""Bytes that each of the processes may take, where the system can limit them; a large report takes a tenth."""

ENVIRONMENT = {"PYTHONIOENCODING": "utf-8", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""Few threads, which share their memory: else each keeps what it has read of large sheets."""

INSTALL = {
    "linux": "apt-get install libpangoft2-1.0-0 libharfbuzz-subset0 (Debian, Ubuntu; elsewhere the packages of Pango)",
    "darwin": "brew install pango",
}
PAGES, PDF = "report-pdf.html", "report.pdf"
BESIDE = "file:///"
"""How the page names its own folder: addresses leave their mark in a PDF, which should not say where it was made."""


def render(folder: Path, templates: Path | None = None, timeout: float = 600, memory: int = MEMORY) -> Path:
    """Writes `report.pdf` into the folder of a report and returns its path; `templates` are the user's own.

    Unavailable if a system library is missing, with the command that installs it; TemplateError if the user's templates
    cannot be filled; StoreError if the pages cannot be
    made, take longer than `timeout` seconds, or more than `memory` bytes.
    """
    folder, ends = Path(folder).resolve(), time.monotonic() + timeout
    if not folder.is_dir():
        raise StoreError(f"no report in {folder}: there is no such folder; write one with `run`")
    try:
        with TemporaryDirectory(prefix=".report-pdf-", dir=folder) as scratch:
            for step in STEPS:
                command = [sys.executable, "-P", "-m", "audit.render.pdf", step, str(folder), scratch, str(memory)]
                command += [] if templates is None else [str(templates)]
                try:
                    child = _ended(command, ends - time.monotonic())
                except subprocess.TimeoutExpired as error:
                    raise StoreError(f"report.pdf of {folder} was not ready after {timeout:g} s") from error
                _refuse(child, folder, memory)
            os.replace(Path(scratch) / PDF, folder / PDF)
    except OSError as error:
        raise StoreError(f"cannot write {folder / PDF}: {error.strerror or error}") from error
    return folder / PDF


def _ended(command: list[str], timeout: float) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(Path(__file__).parents[2])]))
    return subprocess.run(
        command,
        env={**os.environ, **ENVIRONMENT, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        check=False,
    )


def _refuse(child: subprocess.CompletedProcess[str], folder: Path, memory: int) -> None:
    """Raises what a process died of."""
    if not child.returncode:
        return
    said = child.stderr.strip() or f"exit code {child.returncode}"
    if child.returncode == NO_PANGO:
        raise Unavailable(said)
    if child.returncode == BAD_TEMPLATE:
        raise TemplateError(said)
    cannot, most = f"cannot make report.pdf of {folder}", f"{memory / 2**20:.0f} MiB"
    if child.returncode == NO_MEMORY:
        raise StoreError(f"{cannot}: it takes more than {most} of memory; picture fewer units, or read report.html")
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        raise StoreError(f"{cannot}: its process was ended by {name}; memory may have run out, {most} is what it gets")
    raise StoreError(f"{cannot}: {said.splitlines()[-1]}")


def main(step: str, folder: Path, scratch: Path, memory: int, templates: Path | None = None) -> int:
    """What each process does; returns its exit code, the reason goes to standard error."""
    _limit(memory)
    try:
        STEPS[step](folder, scratch, templates)
    except AuditError as error:
        sys.stderr.write(_line(error))
        return next((code for kind, code in CODES.items() if isinstance(error, kind)), FAILED)
    except MemoryError:
        return NO_MEMORY
    return 0


def _limit(memory: int) -> None:
    """Memory of this process that holds data; address space without it, as a chart's engine reserves, is no memory."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (memory if most == resource.RLIM_INFINITY else min(memory, most), most))


def _check(_folder: Path, _scratch: Path, _templates: Path | None) -> None:
    """Whether there is what prints, before anything is made for it; loaded here, it takes no memory of what fills."""
    try:
        import weasyprint  # noqa: F401
    except (OSError, ImportError) as error:
        command = INSTALL.get(sys.platform, "see WeasyPrint's installation notes for this system")
        raise Unavailable(
            f"no report.pdf, because WeasyPrint cannot load Pango ({_line(error)}); install it: {command}"
        ) from error


def _fill(folder: Path, scratch: Path, templates: Path | None) -> None:
    """The template with its pictures as files beside it."""
    from audit.render.pages import build
    from audit.render.sprites import Print
    from audit.render.templates import fill
    from audit.store import read
    from audit.store.writer import RESULTS

    report = read(folder)
    digest = hashlib.sha256((folder / RESULTS).read_bytes()).hexdigest()
    page = build(report, Print(scratch), whole=True, digest=digest)
    text = fill(PAGES, templates, page=page, version=__version__)
    (scratch / PAGES).write_text(text, encoding="utf-8")


def _print(_folder: Path, scratch: Path, _templates: Path | None) -> None:
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    class Fetcher(URLFetcher):  # type: ignore[misc]  # WeasyPrint has no types
        """Pictures beside the page, and what is inside it."""

        def fetch(self, url: str, headers: Any = None) -> Any:
            if url.startswith("data:"):
                return super().fetch(url, headers)
            place, _, name = url.rpartition("/")
            if f"{place}/" != BESIDE:
                raise ValueError(f"{url} is not beside the page")
            return super().fetch((scratch / name).as_uri(), headers)

    complaints = _Complaints()
    logging.getLogger("weasyprint").addHandler(complaints)
    html = HTML(filename=scratch / PAGES, base_url=BESIDE, encoding="utf-8", url_fetcher=Fetcher())
    html.write_pdf(scratch / PDF, pdf_variant="pdf/ua-1")
    if complaints.lines:
        raise StoreError(f"WeasyPrint: {complaints.lines[0]} ({len(complaints.lines)} complaints)")


STEPS: dict[str, Callable[[Path, Path, Path | None], None]] = {"check": _check, "fill": _fill, "print": _print}


class _Complaints(logging.Handler):
    """What WeasyPrint could not do, such as a picture that is not shown: it only logs that."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage()[:300])


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:400]


if __name__ == "__main__":
    raise SystemExit(
        main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), *map(Path, sys.argv[5:]))
    )
