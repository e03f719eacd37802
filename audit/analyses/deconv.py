"""What in each strongest image made a unit fire: the deconvnet's picture (Zeiler and Fergus 2014; seeds D10, 2.5)."""

from typing import ClassVar

from audit.analyses.backward import Way, backward_pictures
from audit.analyses.task import Task
from audit.model.rules import deconvnet
from audit.records import Pictures

DECONV = Way("deconv", deconvnet, "deconvnets", "What in each strongest picture made the unit fire: a deconvnet,")


class Deconv:
    """Every rectifier passes back the positive part of what arrives and ignores what it did on the way forward.

    Everything else is the ordinary backward pass (max pooling by its switches).
    """

    needs_data: ClassVar[bool] = True

    def run(self, task: Task) -> Pictures:
        """One tile per unit and strong image, in the order of the max patches."""
        return backward_pictures(task, DECONV)
