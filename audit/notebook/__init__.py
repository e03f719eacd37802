"""A stored run in a notebook: `open_run("reports/demo/latest")`, its layers and units show themselves, with DataFrames.

Neither the model nor torch is needed, and pictures are read when they are looked at.
"""

from audit.notebook.run import Run, open_run
from audit.notebook.views import LayerView, UnitView

__all__ = ["LayerView", "Run", "UnitView", "open_run"]
