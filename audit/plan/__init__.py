"""Config and models -> what can be selected; selected items -> what has to be measured for them, each once."""

from audit.plan.layers import chosen_units
from audit.plan.needs import OF_LAYERS, Needs, analysis, broken, flaggers, needs, needs_pictures, overview, statistics
from audit.plan.preparation import device, prepare, prepared
from audit.plan.subject import Chosen, Prepared, Subject, Watched, pictures

__all__ = [
    "OF_LAYERS",
    "Chosen",
    "Needs",
    "Prepared",
    "Subject",
    "Watched",
    "analysis",
    "broken",
    "chosen_units",
    "device",
    "flaggers",
    "needs",
    "needs_pictures",
    "overview",
    "pictures",
    "prepare",
    "prepared",
    "statistics",
]
