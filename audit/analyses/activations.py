"""The statistics of a layer's units and nothing more: what the pass measures is the result."""

from typing import ClassVar

from audit.analyses.task import Task


class Activations:
    """Measured, not pictured."""

    needs_data: ClassVar[bool] = True

    def run(self, task: Task) -> None:
        """Nothing beyond the pass."""
