"""What it takes to render a large report and to open it, beside a page with an `<img>` per picture.

    python benchmarks/report.py [--units 5000] [--layers 10] [--side 96] [--naive-units 500] [--runs F] [--json FILE]

A stored run of that many pictured units, each with 36 optimized images, 9 patches and 9 deconvs, is made first
(large_report.py; minutes). html/ and pdf/ are `deepvis-audit render` in a process of its own: seconds, the largest
resident memory of it and its children (peak_mib), and what it wrote (mb). first_viewport is the time in headless
Chromium from the navigation until everything in the first 1300 x 900 pixels is painted, its pictures included (median
of 5). naive/ is the ratio of a page that shows the same captions and pictures, each as an `<img>` of its own file, to
ours, both of --naive-units units. first_viewport needs Debian's chromium and Python's playwright; else it is left out.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from large_report import report as large_report
from PIL import Image
from rich.console import Console
from rich.table import Table

from audit.records import Report
from audit.store import read, write

OPENINGS = 5
PAINTED = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    while (document.readyState !== "complete" && !(document.body?.scrollHeight > innerHeight)) await frame();
    const inSight = [...document.images].slice(0, 2000).filter((image) => {
        const box = image.getBoundingClientRect();
        return box.top < innerHeight && box.bottom > 0 && box.width;
    });
    await Promise.all(inSight.map((image) => image.decode().catch(() => {})));
    await frame();
    await frame();
    return performance.now();
}"""


def main() -> None:
    """Prints the table, and writes it where --json says."""
    options = parsed()
    with tempfile.TemporaryDirectory(dir=options.runs) as temporary:
        rows = [*large(options, Path(temporary)), *naive(options, Path(temporary))]
    table = Table(
        "row", "value", title=f"{options.units} units in {options.layers} layers, tiles of {options.side} pixels"
    )
    for name, value in rows:
        table.add_row(name, f"{value:.4g}")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(dict(rows), indent=1) + "\n")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=5000)
    parser.add_argument("--layers", type=int, default=10)
    parser.add_argument("--side", type=int, default=96, help="of a picture, in pixels")
    parser.add_argument("--naive-units", type=int, default=500, help="of the pages that are compared; 0 compares none")
    parser.add_argument("--runs", type=Path, help="folder for the runs; a temporary one by default")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def large(options: argparse.Namespace, place: Path) -> list[tuple[str, float]]:
    """The rows of the large report."""
    folder = place / "large"
    write(large_report(options.units, options.layers, side=options.side), folder)
    rows = []
    for kind in ("html", "pdf"):
        seconds, peak = rendered(folder, kind)
        rows += [(f"{kind}/seconds", seconds), (f"{kind}/peak_mib", peak), (f"{kind}/mb", size(folder, kind))]
    layer = next((folder / "report").glob("*.html"))
    openings = {"html/first_viewport": folder / "report.html", "html/first_viewport_of_a_layer": layer}
    return [*rows, *((name, seconds) for name, page in openings.items() if (seconds := opened(page)))]


def naive(options: argparse.Namespace, place: Path) -> list[tuple[str, float]]:
    """Seconds, megabytes and first viewport of the naive page, over ours."""
    if not options.naive_units:
        return []
    folder, other = place / "compared", place / "naive"
    write(large_report(options.naive_units, 1, side=options.side), folder)
    ours, _ = rendered(folder, "html")
    begun = perf_counter()
    one_image_each(read(folder), other)
    theirs = perf_counter() - begun
    page = next((folder / "report").glob("*.html"))
    rows = [("naive/seconds", theirs / ours), ("naive/page_mb", size(other, "naive") / size(folder, "pages"))]
    openings = opened(other / "report.html"), opened(page)
    return [*rows, *([("naive/first_viewport", openings[0] / openings[1])] if openings[0] and openings[1] else [])]


def rendered(folder: Path, kind: str) -> tuple[float, float]:
    """Seconds and MiB of a process that renders, the largest of its children included."""
    others = [f"--no-{each}" for each in ("html", "pdf") if each != kind]
    layout = ["--layout", "folder"] if kind == "html" else []
    command = [sys.executable, "-c", "import sys; from audit.cli import main; sys.exit(main())", "render", str(folder)]
    begun = perf_counter()
    with subprocess.Popen([*command, *others, *layout], stdout=subprocess.DEVNULL) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"render ended with {child.returncode}")
    inner = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return perf_counter() - begun, max(usage.ru_maxrss, inner) / 1024


def size(folder: Path, kind: str) -> float:
    """Megabytes of the pages, or of the PDF."""
    patterns = {"html": "report*/*.html", "pages": "report/*.html", "pdf": "report.pdf", "naive": "report.html"}
    return sum(file.stat().st_size for file in folder.glob(patterns[kind])) / 1e6


def one_image_each(report: Report, folder: Path) -> None:
    """The page that one writes first: a figure for each picture."""
    (folder / "pictures").mkdir(parents=True)
    figures = []
    for record in report.pictures:
        for unit, tiles, captions in zip(record.units, record.tiles, record.captions, strict=True):
            figures.append(f"<h2>{escape(record.layer)} unit {unit}, {record.kind}</h2>")
            for index, (tile, caption) in enumerate(zip(tiles, captions, strict=True)):
                name = f"pictures/{escape(record.layer)}-{record.kind}-{unit}-{index}.jpg"
                Image.fromarray(tile).save(folder / name, quality=88, subsampling=0)
                figures.append(f'<figure><img src="{name}"><figcaption>{escape(caption)}</figcaption></figure>')
    style = "<style>figure { display: inline-block; width: 96px; margin: 4px; font-size: 10px }</style>"
    (folder / "report.html").write_text(f"<!doctype html><meta charset=utf-8>{style}{''.join(figures)}")


def opened(page: Path) -> float | None:
    """Seconds until the first viewport is painted, median of some openings; None where there is no browser."""
    browser = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        browser = None
    if browser is None:
        return None
    seconds = []
    for _ in range(OPENINGS):
        with sync_playwright() as play:
            window: Any = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            tab = window.new_page(viewport={"width": 1300, "height": 900})
            tab.goto(page.resolve().as_uri(), wait_until="commit")
            seconds.append(tab.evaluate(PAINTED) / 1000)
            window.close()
    return median(seconds)


if __name__ == "__main__":
    main()
