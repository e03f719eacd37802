"""What was measured of a model: from earlier work where nothing changed, else measured now, once."""

from audit.measurement.code import code_digest
from audit.measurement.data import Data
from audit.measurement.of_model import Measurement

__all__ = ["Data", "Measurement", "code_digest"]
