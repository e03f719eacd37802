"""What in each strongest image made a unit fire: guided backpropagation (Springenberg et al. 2015, section 3.4)."""

from typing import ClassVar

from audit.analyses.backward import Way, backward_pictures
from audit.analyses.task import Task
from audit.model.rules import guided
from audit.records import Pictures

GUIDED = Way(
    "guided", guided, "guided backpropagations", "What in each strongest picture made the unit fire: backpropagation,"
)


class Guided:
    """Every rectifier passes back the positive part of what arrives, where it was on."""

    needs_data: ClassVar[bool] = True

    def run(self, task: Task) -> Pictures:
        """One tile per unit and strong image, in the order of the max patches."""
        return backward_pictures(task, GUIDED)
