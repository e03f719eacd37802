"""A stored report -> `report.pdf`, in a process of its own: `python -m audit.render.pdf FOLDER [TEMPLATES]`.

WeasyPrint keeps its memory and changes settings of Pillow for the whole process; a process of its own takes both away.
"""

import logging
import os
import subprocess
import sys
from pathlib import Path

from audit import __version__
from audit.errors import AuditError, StoreError, TemplateError, Unavailable

NO_PANGO, BAD_TEMPLATE, FAILED = 3, 4, 1
INSTALL = {
    "linux": "apt-get install libpangoft2-1.0-0 libharfbuzz-subset0 (Debian, Ubuntu; elsewhere the packages of Pango)",
    "darwin": "brew install pango",
}


def render(folder: Path, templates: Path | None = None, timeout: float = 600) -> Path:
    """Writes `report.pdf` into the folder of a report and returns its path; `templates` are the user's own.

    Unavailable if a system library is missing, with the command that installs it; TemplateError if the user's templates
    cannot be filled; StoreError if the pages cannot be made or take longer than `timeout` seconds.
    """
    folder = Path(folder).resolve()
    command = [sys.executable, "-P", "-m", "audit.render.pdf", str(folder)]
    command += [] if templates is None else [str(templates)]
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(Path(__file__).parents[2])]))
    try:
        child = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StoreError(f"report.pdf of {folder} was not ready after {timeout:g} s") from error
    said = child.stderr.strip() or f"exit code {child.returncode}"
    if child.returncode == NO_PANGO:
        raise Unavailable(said)
    if child.returncode == BAD_TEMPLATE:
        raise TemplateError(said)
    if child.returncode:
        raise StoreError(f"cannot make report.pdf of {folder}: {said.splitlines()[-1]}")
    return folder / "report.pdf"


def main(folder: Path, templates: Path | None = None) -> int:
    """What the process of its own does; returns its exit code, the reason goes to standard error."""
    try:
        import weasyprint
    except (OSError, ImportError) as error:
        command = INSTALL.get(sys.platform, "see WeasyPrint's installation notes for this system")
        sys.stderr.write(f"no report.pdf, because WeasyPrint cannot load Pango ({_line(error)}); install it: {command}")
        return NO_PANGO
    try:
        _write(folder, templates, weasyprint)
    except AuditError as error:
        sys.stderr.write(_line(error))
        return BAD_TEMPLATE if isinstance(error, TemplateError) else FAILED
    return 0


def _write(folder: Path, templates: Path | None, weasyprint: object) -> None:
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    from audit.render.pages import build
    from audit.render.sprites import for_print
    from audit.render.templates import fill
    from audit.store import read
    from audit.store.replacing import replace

    page = build(read(folder), for_print, whole=True)
    text = fill("report-pdf.html", templates, page=page, version=__version__)
    complaints = _Complaints()
    logging.getLogger("weasyprint").addHandler(complaints)
    fetcher = URLFetcher(allowed_protocols=["data"])
    content = HTML(string=text, url_fetcher=fetcher).write_pdf(pdf_tags=True)
    if complaints.lines:
        raise StoreError(f"WeasyPrint: {complaints.lines[0]} ({len(complaints.lines)} complaints)")
    replace(folder / "report.pdf", content)


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
    raise SystemExit(main(*map(Path, sys.argv[1:])))
