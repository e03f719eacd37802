"""What all tests share: where the real checkpoints and pictures are; a reason to skip where they are not."""

import os
from pathlib import Path

import pytest
import torch

from tests.browser.opening import CHROMIUM

REAL = os.environ.get("DEEPVIS_DATA")

torch.set_num_threads(1)  # small tensors: two threads wait for each other longer than one works


LONGEST = ("test_real.py", "test_recognition.py", "test_mutated.py", "test_real_networks.py", "test_lab.py")
"""Files that begin first, so that no worker is left alone with them at the end."""


NO_BROWSER = "there is no browser"
INSTALL = "sudo apt-get install -y --no-install-recommends chromium"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)
    for item in items:
        if item.get_closest_marker("cuda") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="there is no CUDA device"))
        if item.get_closest_marker("data") and not REAL:
            item.add_marker(pytest.mark.skip(reason="DEEPVIS_DATA does not name the real checkpoints and pictures"))
        if item.get_closest_marker("browser") and not CHROMIUM:
            item.add_marker(pytest.mark.skip(reason=NO_BROWSER))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What skipped tests leave unknown is said, not only counted."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if NO_BROWSER in str(report.longrepr)]
    if skipped:
        terminalreporter.section("not tested", red=True, bold=True)
        terminalreporter.line(f"No page was opened in a browser: {len(skipped)} tests of links, pictures, layout,")
        terminalreporter.line("keyboard and accessibility were skipped, because there is no Chromium. To have it:")
        terminalreporter.line(f"    {INSTALL}")


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real checkpoints and pictures."""
    assert REAL is not None
    return Path(REAL).absolute()
