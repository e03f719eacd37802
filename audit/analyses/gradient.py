"""How each pixel of the strongest images would change a unit: the data gradient (Simonyan et al. 2014, section 3)."""

from typing import ClassVar

from audit.analyses.backward import Way, backward_pictures
from audit.analyses.task import Task
from audit.records import Pictures

GRADIENT = Way("gradient", None, "gradients", "How the unit changes with each pixel: the gradient,")


class Gradient:
    """The ordinary backward pass; of a class it begins before the softmax if the network's last layer has none."""

    needs_data: ClassVar[bool] = True

    def run(self, task: Task) -> Pictures:
        """One tile per unit and strong image, in the order of the max patches."""
        return backward_pictures(task, GRADIENT)
