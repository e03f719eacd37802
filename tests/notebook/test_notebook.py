"""The examples of the page, executed by a kernel of Jupyter."""

import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]


def test_nothing_heavy_is_loaded_before_it_is_needed() -> None:
    code = "import sys, audit.notebook; assert not {'torch', 'pandas', 'altair', 'weasyprint'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_notebook_shows_them(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples of the page are executed by a kernel, on a report that is found where they look for it."""
    (tmp_path / "reports" / "demo").mkdir(parents=True)
    (tmp_path / "reports" / "demo" / "latest").symlink_to(folder)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    text = (ROOT / "docs" / "notebook.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    cells = [*blocks, 'run["conv1"]', "run.units", 'import sys; "torch" in sys.modules']
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    said = [
        output["data"]
        for cell in notebook.cells
        for output in cell.outputs
        if output["output_type"] == "execute_result"
    ]
    framed = [unescape(data["text/html"]) for data in said if "<iframe sandbox" in data.get("text/html", "")]
    assert len(framed) == 3  # the run, a unit at the end of its block, a layer
    assert "2 items failed" in framed[0]
    assert "Strongest patches" in framed[1]
    assert said[-1]["text/plain"] == "False"
    assert all(data["text/plain"] for data in said)
    assert "dataframe" in said[-2]["text/html"]
