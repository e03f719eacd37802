"""Each kind of page that the program writes -> a page of it, made as a user's is."""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

from audit.compare.command import compare, publish, stored
from audit.history import rebuild
from audit.records import Outline, Report
from audit.render import html
from audit.store import write
from tests.audits import environment
from tests.history import runs
from tests.prefork import forked
from tests.render import findings, reports

AUDITED = Path(__file__).with_name("audited")
EXAMPLES = Path(__file__).parents[2] / "examples"


def failed(folder: Path) -> Path:
    """Failures, errors, pictures, and markup in every name."""
    return _rendered(reports.report(), folder / "failed")


def passed(folder: Path) -> Path:
    """All passed."""
    verdicts = (findings.verdict(task, "passed", layer=layer) for task, layer in (("accuracy", None), ("fc", "fc")))
    return _rendered(findings.report(*verdicts), folder / "passed")


def waived(folder: Path) -> Path:
    """What failed is waived."""
    verdicts = findings.of_every_outcome().verdicts
    let = (verdict for verdict in verdicts if verdict.outcome in ("passed", "skipped", "waived"))
    return _rendered(findings.report(*let), folder / "waived")


def every_outcome(folder: Path) -> Path:
    """One item of each outcome, all with hostile names."""
    return _rendered(findings.of_every_outcome(), folder / "every_outcome")


def nothing(folder: Path) -> Path:
    """Nothing was evaluated."""
    return _rendered(Report("audit", "empty", Outline((3, 8, 8), ()), ()), folder / "nothing")


def every_view(folder: Path) -> Path:
    """All that can be measured and pictured, of the demo's network."""
    audit = Path(shutil.copytree(AUDITED, folder / "audited"))
    _run(audit, "run", "audit.toml")
    return audit / "reports" / "demo" / "latest" / "report.html"


def with_pages(folder: Path) -> Path:
    """The first page of a report whose layers have pages of their own."""
    write(reports.report(), folder / "with_pages")
    return html.render(folder / "with_pages", choice="folder")


def layer(folder: Path) -> Path:
    """The page of a layer of that report."""
    return min((made("with_pages", folder).parent / "report").glob("*.html"))


def index(folder: Path) -> Path:
    """Of a model whose runs differ."""
    for day, outcome in enumerate(("passed", "failed", "waived", "failed"), start=1):
        run = runs.report({"accuracy": "passed", "dead-units": outcome}, day, top1=0.8 + day / 50, dead=day)
        html.render(runs.store(folder / "index", run))
    return rebuild(folder / "index")


def comparison(folder: Path) -> Path:
    """Of that network and one that differs in a layer."""
    runs = made("every_view", folder).parents[2]
    a, b = (stored(runs / model / "latest") for model in ("demo", "disturbed"))
    page, _ = publish(compare(a, b), a, b, folder / "comparison")
    return page


def contact_sheet(folder: Path) -> Path:
    """What a search for presets writes."""
    audit = Path(shutil.copytree(AUDITED, folder / "searched"))
    _run(audit, "search", "audit.toml", "--model", "demo", "--layer", "relu2", "--draws", "8", "--steps", "3")
    return audit / "reports" / "demo" / "search" / "sheet.html"


def squeezenet(folder: Path) -> Path:
    """A real network on real photographs."""
    audit = folder / "squeezenet"
    audit.mkdir()
    text = (EXAMPLES / "squeezenet.toml").read_text(encoding="utf-8")
    smaller = {
        'name = ["features.0", "features.5", "features.9"]': 'name = ["features.0", "features.9"]',
        'units = "${DEEPVIS_UNITS:-random:8}"': 'units = "random:2"\npresets = ["quick"]\nimages = 4',
        'check = "defaults"': 'check = "dead-units"',
        "batch = 25": "batch = 25\nlimit = 25",
    }
    for large, small in smaller.items():
        assert large in text
        text = text.replace(large, small)
    text += "\n[presets.quick]\nsteps = 5\nlearning_rate = { progress = 2.0, max = 100.0 }\n"
    (audit / "audit.toml").write_text(text, encoding="utf-8")
    _run(audit, "run", "audit.toml", "--report", "reports")
    return audit / "reports" / "squeezenet" / "latest" / "report.html"


KINDS: dict[str, Callable[[Path], Path]] = {
    kind.__name__: kind
    for kind in (
        failed,
        passed,
        waived,
        every_outcome,
        nothing,
        every_view,
        with_pages,
        layer,
        index,
        comparison,
        contact_sheet,
        squeezenet,
    )
}


def made(kind: str, folder: Path) -> Path:
    """The page of that kind in a folder that all processes of the tests share; whoever asks first makes it."""
    done = folder / f"{kind}.txt"
    with open(folder / f"{kind}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            done.write_text(str(KINDS[kind](folder)), encoding="utf-8")
    return Path(done.read_text(encoding="utf-8"))


def _rendered(report: Report, folder: Path) -> Path:
    write(report, folder)
    return html.render(folder)


def _run(folder: Path, *command: str) -> None:
    done = forked("deepvis-audit", [*command], folder, environment())
    assert done.returncode in (0, 1), done.stdout[-3000:] + done.stderr[-3000:]
